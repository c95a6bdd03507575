import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { stringify } from 'csv-stringify/sync';
import { parseS3Uri } from '../../domain/s3-uri.ts';
import { taskAnswer } from './answers.ts';
import type { Background } from './background.ts';
import type { FsxFaults } from './faults.ts';
import { type LustreFileSystem, newId, type Task } from './file-system.ts';
import { FsxError } from './fsx-error.ts';
import type { CreateTask } from './requests.ts';

/** The data repository tasks of all file systems. FSx runs one of a file system at a time. */
export class Tasks {
  readonly #tasks = new Map<string, Task>();
  readonly #s3: S3Client;
  readonly #faults: FsxFaults;
  readonly #background: Background;

  constructor(s3: S3Client, faults: FsxFaults, background: Background) {
    this.#s3 = s3;
    this.#faults = faults;
    this.#background = background;
  }

  all(): Task[] {
    return [...this.#tasks.values()];
  }

  /** The task of a file system that has not ended. */
  busy(fileSystemId: string): Task | undefined {
    return [...this.#tasks.values()].find(
      (task) => task.fileSystemId === fileSystemId && ['PENDING', 'EXECUTING'].includes(task.lifecycle),
    );
  }

  start(request: CreateTask, fileSystem: LustreFileSystem) {
    const { ClientRequestToken: requestToken, FileSystemId, Paths, Report } = request;
    const known = [...this.#tasks.values()].find(
      (each) => requestToken !== undefined && each.requestToken === requestToken,
    );
    if (known) return { DataRepositoryTask: taskAnswer(known) };
    const busy = this.busy(FileSystemId);
    if (busy) throw new FsxError('DataRepositoryTaskExecuting', `${busy.id} is ${busy.lifecycle}.`);
    const automatic = [...fileSystem.associations.values()].find(
      ({ exportEvents }) => exportEvents.length > 0,
    );
    if (automatic)
      throw new FsxError(
        'BadRequest',
        `Automatic export of ${automatic.fileSystemPath} must be disabled first.`,
      );
    const task: Task = {
      id: newId('task'),
      fileSystemId: FileSystemId,
      type: request.Type,
      paths: Paths,
      reportPath: Report.Enabled ? Report.Path : undefined,
      createdAt: Date.now(),
      requestToken,
      tags: request.Tags,
      lifecycle: 'PENDING',
      total: 0,
      succeeded: 0,
      failed: 0,
    };
    this.#tasks.set(task.id, task);
    this.#background.begin(async () => this.#runTask(task, fileSystem));
    return { DataRepositoryTask: taskAnswer(task) };
  }

  async #runTask(task: Task, fileSystem: LustreFileSystem): Promise<void> {
    await this.#background.pause();
    task.lifecycle = 'EXECUTING';
    task.startedAt = Date.now();
    while (this.#faults.tasksHang && !this.#background.isStopped) await this.#background.pause();
    const failures = await this.#exportFor(task, fileSystem);
    task.endedAt = Date.now();
    task.lifecycle = task.failure === undefined && failures.length === 0 ? 'SUCCEEDED' : 'FAILED';
    if (failures.length > 0) {
      task.failure = 'Some files could not be exported. See the task completion report.';
      await this.#report(task, failures);
    }
  }

  async #exportFor(task: Task, fileSystem: LustreFileSystem): Promise<[path: string, code: string][]> {
    const planted = this.#faults.failNextTask;
    this.#faults.failNextTask = undefined;
    if (planted !== undefined) {
      task.failure = planted;
      return [];
    }
    const failures: [string, string][] = [];
    for (const association of fileSystem.associations.values()) {
      const path = association.fileSystemPath.replace(/^\//, '');
      if (!task.paths.some((each) => each === '' || each === path)) continue;
      const entries = association.lifecycle === 'AVAILABLE' ? await fileSystem.pending(association) : [];
      task.total += entries.length;
      for (const entry of entries) {
        const code = await fileSystem.export(association, entry);
        if (code === undefined) task.succeeded += 1;
        else {
          task.failed += 1;
          failures.push([`${path}/${entry.path}`, code]);
        }
      }
      await fileSystem.removeDeleted(association);
    }
    return failures;
  }

  async #report({ id, reportPath }: Task, failures: readonly [string, string][]): Promise<void> {
    if (reportPath === undefined) return;
    const { bucket: Bucket, key: prefix } = parseS3Uri(reportPath);
    const rows = failures.map(([path, code]) => [/^[@+=-]/.test(path) ? `"${path}"` : path, 'failed', code]);
    const Key = `${prefix.replace(/\/$/, '')}/${id}/failures.csv`;
    await this.#s3.send(new PutObjectCommand({ Bucket, Key, Body: stringify(rows) }));
  }
}
