import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DescribeSubnetsCommand, CreateNetworkInterfaceCommand, type EC2Client } from '@aws-sdk/client-ec2';
import type { S3Client } from '@aws-sdk/client-s3';
import type { z } from 'zod';
import { associationAnswer, type Created, fileSystemAnswer, taskAnswer } from './answers.ts';
import { exportChanges } from './automatic-export.ts';
import { Background } from './background.ts';
import { FsxFaults } from './faults.ts';
import { type Association, LustreFileSystem, newId } from './file-system.ts';
import { FsxError } from './fsx-error.ts';
import * as requests from './requests.ts';
import { Tasks } from './tasks.ts';

const AUTOMATIC_EXPORT_MILLISECONDS = 500;
const MAX_ASSOCIATIONS = 8;
/** FSx keeps ended file systems out of its lists at once, and shows ended tasks for 14 days. */
const PAGE_SIZE = 25;

export interface FsxOptions {
  readonly clients: { readonly s3: S3Client; readonly ec2: EC2Client; readonly cloudWatch: CloudWatchClient };
  /** Where the file systems' contents lie. */
  readonly directory: string;
}

type Operation = (input: unknown) => unknown;

/** A request and its answer. */
export interface Exchange {
  readonly operation: string;
  readonly input: unknown;
  readonly output: unknown;
}

/**
 * FSx for Lustre on folders of this machine: file systems, their links with the emulated S3, which really copy, and export
 * tasks. What it answers has the shapes of AWS's API; a test compares them with AWS's own model.
 */
export class FsxService {
  readonly faults = new FsxFaults();
  /** Told of every request that succeeded. */
  onExchange: ((exchange: Exchange) => void) | undefined;
  readonly #options: FsxOptions;
  readonly #created = new Map<string, Created>();
  readonly #tasks: Tasks;
  readonly #misconfigured = new Set<string>();
  /** Links whose file system is gone. */
  readonly #stray = new Map<string, Association>();
  readonly #background = new Background();

  constructor(options: FsxOptions) {
    this.#options = options;
    this.#tasks = new Tasks(options.clients.s3, this.faults, this.#background);
    this.#background.begin(async () => this.#exportAutomatically());
  }

  readonly operations: Readonly<Record<string, Operation>> = {
    CreateFileSystem: async (input) => this.#createFileSystem(parsed(requests.createFileSystem, input)),
    DescribeFileSystems: (input) => this.#describeFileSystems(parsed(requests.describeFileSystems, input)),
    DeleteFileSystem: (input) => this.#deleteFileSystem(parsed(requests.deleteFileSystem, input)),
    CreateDataRepositoryAssociation: (input) => this.#link(parsed(requests.createAssociation, input)),
    UpdateDataRepositoryAssociation: (input) => this.#relink(parsed(requests.updateAssociation, input)),
    DeleteDataRepositoryAssociation: (input) => this.#unlink(parsed(requests.deleteAssociation, input)),
    DescribeDataRepositoryAssociations: (input) => {
      const { AssociationIds, Filters, ...page } = parsed(requests.describeAssociations, input);
      const wanted = fileSystemFilter(Filters);
      const found = this.#associations().filter(
        ({ id, fileSystemId }) => (AssociationIds?.includes(id) ?? true) && wanted(fileSystemId),
      );
      return paged('Associations', found.map(associationAnswer), page);
    },
    CreateDataRepositoryTask: (input) => {
      const request = parsed(requests.createTask, input);
      return this.#tasks.start(request, this.#find(request.FileSystemId).fileSystem);
    },
    DescribeDataRepositoryTasks: (input) => {
      const { TaskIds, Filters, ...page } = parsed(requests.describeTasks, input);
      const wanted = fileSystemFilter(Filters);
      const found = this.#tasks
        .all()
        .filter(({ id, fileSystemId }) => (TaskIds?.includes(id) ?? true) && wanted(fileSystemId));
      return paged('DataRepositoryTasks', found.map(taskAnswer), page);
    },
  };

  /** The folder of a file system, for nodes that mount it. */
  directoryOf(fileSystemId: string): string {
    return this.#find(fileSystemId).fileSystem.directory;
  }

  /** Makes a link stop working, as when a bucket's policy changes. */
  misconfigure(fileSystemId: string, fileSystemPath: string, message: string): void {
    const { associations } = this.#find(fileSystemId).fileSystem;
    for (const association of associations.values()) {
      if (association.fileSystemPath !== fileSystemPath) continue;
      association.lifecycle = 'MISCONFIGURED';
      association.failure = message;
      this.#misconfigured.add(association.id);
    }
  }

  /** A file system that goes and leaves its links behind. FSx takes them along; nothing promises that it always does. */
  async loseWithoutLinks(fileSystemId: string): Promise<void> {
    const { fileSystem } = this.#find(fileSystemId);
    for (const association of fileSystem.associations.values()) this.#stray.set(association.id, association);
    this.#created.delete(fileSystemId);
    await fileSystem.remove();
  }

  /** What was wrong with links is right again; each works when it is changed next. */
  mendLinks(): void {
    this.#misconfigured.clear();
  }

  /** Ends what is under way and removes all contents. */
  async close(): Promise<void> {
    await this.#background.stop();
    await Promise.all([...this.#created.values()].map(async ({ fileSystem }) => fileSystem.remove()));
  }

  #associations(): Association[] {
    const linked = [...this.#created.values()].flatMap(({ fileSystem }) => [
      ...fileSystem.associations.values(),
    ]);
    return [...linked, ...this.#stray.values()];
  }

  #find(fileSystemId: string): Created {
    const found = this.#created.get(fileSystemId);
    if (!found) throw new FsxError('FileSystemNotFound', `File system '${fileSystemId}' does not exist.`);
    return found;
  }

  async #createFileSystem(request: requests.CreateFileSystem) {
    const { ClientRequestToken: requestToken, StorageCapacity: size } = request;
    const known = [...this.#created.values()].find(
      (each) => requestToken !== undefined && each.request.ClientRequestToken === requestToken,
    );
    if (known) {
      if (JSON.stringify(known.request) === JSON.stringify(request))
        return { FileSystem: fileSystemAnswer(known) };
      throw new FsxError('IncompatibleParameterError', 'A file system of that token has other parameters.');
    }
    if (size !== 1200 && size % 2400 !== 0)
      throw new FsxError('BadRequest', 'StorageCapacity must be 1200 or a multiple of 2400.');
    const { ec2, s3 } = this.#options.clients;
    const [SubnetId = ''] = request.SubnetIds;
    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({ SubnetIds: [SubnetId] }));
    const { NetworkInterface } = await ec2.send(
      new CreateNetworkInterfaceCommand({ SubnetId, Groups: request.SecurityGroupIds }),
    );
    const fileSystem = new LustreFileSystem(this.#options.directory, s3, this.faults);
    const created: Created = {
      fileSystem,
      request,
      vpcId: Subnets[0]?.VpcId ?? '',
      networkInterfaceId: NetworkInterface?.NetworkInterfaceId ?? '',
    };
    this.#created.set(fileSystem.id, created);
    const failure = this.faults.failNextFileSystem;
    this.faults.failNextFileSystem = undefined;
    await fileSystem.create();
    this.#background.later(() => {
      if (failure !== undefined) created.failure = failure;
      fileSystem.lifecycle = failure === undefined ? 'AVAILABLE' : 'FAILED';
    });
    return { FileSystem: fileSystemAnswer(created) };
  }

  #describeFileSystems({ FileSystemIds, ...page }: z.output<typeof requests.describeFileSystems>) {
    const found = FileSystemIds ? FileSystemIds.map((id) => this.#find(id)) : [...this.#created.values()];
    return paged('FileSystems', found.map(fileSystemAnswer), page);
  }

  #deleteFileSystem({ FileSystemId }: z.output<typeof requests.deleteFileSystem>) {
    const { fileSystem } = this.#find(FileSystemId);
    if (this.#tasks.busy(FileSystemId))
      throw new FsxError(
        'BadRequest',
        `${FileSystemId} has a data repository task that is pending or executing.`,
      );
    fileSystem.lifecycle = 'DELETING';
    this.#background.begin(async () => {
      await this.#background.pause();
      this.#created.delete(FileSystemId);
      await fileSystem.remove();
    });
    return { FileSystemId, Lifecycle: 'DELETING', LustreResponse: {} };
  }

  #link(request: requests.CreateAssociation) {
    const { ClientRequestToken: requestToken, FileSystemId, FileSystemPath, DataRepositoryPath } = request;
    const { fileSystem } = this.#find(FileSystemId);
    const { associations } = fileSystem;
    const known = [...associations.values()].find(
      (each) => requestToken !== undefined && each.requestToken === requestToken,
    );
    if (known) return { Association: associationAnswer(known) };
    if (fileSystem.lifecycle !== 'AVAILABLE')
      throw new FsxError('BadRequest', `${FileSystemId} is ${fileSystem.lifecycle}.`);
    const changing = [...associations.values()].find(({ lifecycle }) =>
      ['CREATING', 'UPDATING', 'DELETING'].includes(lifecycle),
    );
    if (changing)
      throw new FsxError('BadRequest', `The association ${changing.id} is ${changing.lifecycle}.`);
    if (associations.size >= MAX_ASSOCIATIONS)
      throw new FsxError(
        'ServiceLimitExceeded',
        `A file system has at most ${MAX_ASSOCIATIONS} associations.`,
      );
    const overlapping = [...associations.values()].find(
      (each) =>
        nested(each.fileSystemPath, FileSystemPath) || nested(each.dataRepositoryPath, DataRepositoryPath),
    );
    if (overlapping) throw new FsxError('BadRequest', `The paths overlap with those of ${overlapping.id}.`);
    const association: Association = {
      id: newId('dra'),
      fileSystemId: FileSystemId,
      fileSystemPath: FileSystemPath,
      dataRepositoryPath: DataRepositoryPath,
      tags: request.Tags,
      createdAt: Date.now(),
      requestToken,
      importEvents: request.S3.AutoImportPolicy?.Events ?? [],
      exportEvents: request.S3.AutoExportPolicy?.Events ?? [],
      lifecycle: 'CREATING',
    };
    associations.set(association.id, association);
    this.#background.begin(async () => {
      try {
        await fileSystem.import(association);
        await this.#background.pause();
        association.lifecycle = 'AVAILABLE';
      } catch (error) {
        association.lifecycle = 'MISCONFIGURED';
        association.failure = `Amazon FSx cannot access the bucket: ${String(error)}`;
      }
    });
    return { Association: associationAnswer(association) };
  }

  #association(id: string): Association {
    const found = this.#associations().find((each) => each.id === id);
    if (!found) throw new FsxError('DataRepositoryAssociationNotFound', `${id} does not exist.`);
    return found;
  }

  #relink({ AssociationId, S3 }: z.output<typeof requests.updateAssociation>) {
    const association = this.#association(AssociationId);
    if (association.lifecycle !== 'AVAILABLE' && association.lifecycle !== 'MISCONFIGURED')
      throw new FsxError('BadRequest', `The association ${AssociationId} is ${association.lifecycle}.`);
    association.importEvents = S3.AutoImportPolicy?.Events ?? [];
    association.exportEvents = S3.AutoExportPolicy?.Events ?? [];
    association.lifecycle = 'UPDATING';
    this.#background.later(() => {
      const isWrong = this.#misconfigured.has(AssociationId);
      association.lifecycle = isWrong ? 'MISCONFIGURED' : 'AVAILABLE';
      if (!isWrong) delete association.failure;
    });
    return { Association: associationAnswer(association) };
  }

  #unlink({ AssociationId }: z.output<typeof requests.deleteAssociation>) {
    const association = this.#association(AssociationId);
    association.lifecycle = 'DELETING';
    this.#background.later(() => {
      this.#stray.delete(AssociationId);
      this.#created.get(association.fileSystemId)?.fileSystem.associations.delete(AssociationId);
    });
    return { AssociationId, Lifecycle: 'DELETING', DeleteDataInFileSystem: false };
  }

  /** What automatic export does, and the metric that tells how far it is behind. */
  async #exportAutomatically(): Promise<void> {
    while (!this.#background.isStopped) {
      await this.#background.pause(AUTOMATIC_EXPORT_MILLISECONDS);
      for (const { fileSystem } of this.#created.values()) {
        if (fileSystem.lifecycle === 'AVAILABLE')
          await exportChanges(fileSystem, this.faults, this.#options.clients.cloudWatch);
      }
    }
  }
}

function parsed<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new FsxError('BadRequest', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is wrong'}`);
}

function fileSystemFilter(filters: readonly { readonly Values: readonly string[] }[]) {
  return (fileSystemId: string) => filters.every(({ Values }) => Values.includes(fileSystemId));
}

/** One path is the other, or lies in it. */
function nested(a: string, b: string): boolean {
  const [x, y] = [`${a.replace(/\/$/, '')}/`, `${b.replace(/\/$/, '')}/`];
  return x.startsWith(y) || y.startsWith(x);
}

function paged(
  name: string,
  all: readonly unknown[],
  {
    MaxResults = PAGE_SIZE,
    NextToken = '0',
  }: { readonly MaxResults?: number | undefined; readonly NextToken?: string | undefined },
) {
  const first = Number(NextToken);
  const end = first + MaxResults;
  return { [name]: all.slice(first, end), ...(end < all.length && { NextToken: String(end) }) };
}
