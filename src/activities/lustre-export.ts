import { type CloudWatchClient, paginateGetMetricData } from '@aws-sdk/client-cloudwatch';
import type { DataRepositoryTask } from '@aws-sdk/client-fsx';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { isNotFound, isTaskExecuting } from '../clients/aws-errors.ts';
import { readObject } from '../clients/control-bucket.ts';
import { parseExportReport } from '../clients/export-report.ts';
import { type LustreFileSystems, withoutSlash } from '../clients/lustre-file-systems.ts';
import type { SampledFile } from '../clients/slurm-gateway.ts';
import {
  type ExportEvidence,
  type ExportTask,
  type ExportVerdict,
  judgeExport,
  MAX_LISTED_FILES,
} from '../domain/export-proof.ts';
import { KnownFailure } from '../domain/failures.ts';
import { type DataRepository, STORAGE_MOUNT_PATH } from '../domain/lustre.ts';
import { parseS3Uri } from '../domain/s3-uri.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { LustreDeps } from './lustre-deps.ts';
import { pause, persist, pollUntil } from './poll.ts';
import type { ExportRequest } from './port.ts';

const ENDED: ReadonlySet<string | undefined> = new Set(['SUCCEEDED', 'FAILED', 'CANCELED']);
/** Files that are looked for in S3 beside what FSx says. */
const SAMPLE_FILES = 200;
/** CloudWatch has a value a minute (FSx for Lustre guide, "Monitoring"). */
const METRIC_PERIOD_SECONDS = 60;

interface ExportOf extends ExportRequest {
  readonly repositories: readonly DataRepository[];
}

/** Exports everything once, automatic export being off, and judges whether it is in S3 now. */
export async function exportOnce(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  request: ExportOf,
  heartbeat: Heartbeat,
): Promise<ExportVerdict> {
  const { fileSystemId, repositories } = request;
  const exported = repositories.filter(({ isExported }) => isExported);
  const [report] = exported;
  if (!report) throw new Error('no path of the file system is exported');
  const reportPath: `s3://${string}` = `${report.dataRepositoryPath}export-reports`;
  const startedAt = Date.now();
  const taskId = await startTask(
    deps,
    fileSystems,
    {
      fileSystemId,
      requestToken: `export-${request.requestId}`.slice(0, 63),
      paths: exported.map(({ fileSystemPath }) => fileSystemPath),
      reportPath,
    },
    heartbeat,
  );
  const task = await untilEnded(deps, fileSystems, { fileSystemId, taskId }, heartbeat);
  const [links, failedFiles, oldestQueuedSeconds, sample] = await Promise.all([
    persist(async () => fileSystems.links(fileSystemId), heartbeat.signal),
    persist(
      async () => readReport(deps, `${reportPath}/task-${taskId.replace(/^task-/, '')}/failures.csv`),
      heartbeat.signal,
    ),
    untilQueueIsEmpty(deps, fileSystemId, startedAt, heartbeat),
    compareSample(deps, request, exported, heartbeat),
  ]);
  return judgeExport({
    fileSystemId,
    at: new Date().toISOString(),
    exportedPaths: exported.map(({ fileSystemPath }) => fileSystemPath),
    links: exported.map(({ fileSystemPath }) => {
      const link = links.find(({ FileSystemPath }) => withoutSlash(FileSystemPath) === fileSystemPath);
      const message = link?.FailureDetails?.Message;
      return {
        path: fileSystemPath,
        lifecycle: link?.Lifecycle ?? 'MISSING',
        ...(message !== undefined && { message }),
      };
    }),
    task,
    failedFiles,
    oldestQueuedSeconds,
    sample,
  });
}

/** One that began before ours may have missed what was written since: it is waited for, and ours follows. */
async function startTask(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  task: Parameters<LustreFileSystems['startExport']>[0],
  { signal, report }: Heartbeat,
): Promise<string> {
  const start = async (): Promise<string | undefined> => {
    try {
      return await fileSystems.startExport(task);
    } catch (error) {
      if (!isTaskExecuting(error)) throw error;
      report({ fileSystemId: task.fileSystemId, task: 'waits for another task of the file system' });
      return undefined;
    }
  };
  return pollUntil(start, { intervalSeconds: deps.lustrePollSeconds, signal });
}

/** The ended task; undefined when it has written nothing for too long. */
async function untilEnded(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  { fileSystemId, taskId }: { readonly fileSystemId: string; readonly taskId: string },
  { signal, report }: Heartbeat,
): Promise<ExportTask | undefined> {
  let progress = '';
  let movedAt = performance.now();
  for (;;) {
    const tasks = await persist(async () => fileSystems.tasks(fileSystemId), signal);
    const task = tasks.find(({ TaskId }) => TaskId === taskId);
    const { Lifecycle, Status } = task ?? {};
    report({ taskId, lifecycle: Lifecycle, ...Status });
    if (task && ENDED.has(Lifecycle)) return endedTask(task);
    const seen = JSON.stringify([Lifecycle, Status?.SucceededCount, Status?.FailedCount]);
    if (seen !== progress) {
      progress = seen;
      movedAt = performance.now();
    } else if (performance.now() - movedAt > deps.exportStallSeconds * 1000) {
      return undefined;
    }
    await pause(deps.lustrePollSeconds, signal);
  }
}

function endedTask({
  TaskId = '',
  Lifecycle = 'PENDING',
  Status,
  FailureDetails,
}: DataRepositoryTask): ExportTask {
  const failureMessage = FailureDetails?.Message;
  return {
    taskId: TaskId,
    lifecycle: Lifecycle,
    total: Status?.TotalCount ?? 0,
    succeeded: Status?.SucceededCount ?? 0,
    failed: Status?.FailedCount ?? 0,
    ...(failureMessage !== undefined && { failureMessage }),
  };
}

/** FSx writes no report where nothing failed. */
async function readReport({ s3 }: LustreDeps, uri: string): Promise<ExportEvidence['failedFiles']> {
  const { bucket, key } = parseS3Uri(uri);
  try {
    return parseExportReport((await readObject({ s3, bucket }, key)) ?? '');
  } catch (error) {
    throw unverifiable(error, uri);
  }
}

/**
 * S3 answers 403 for an object that is not there to whoever may not list its bucket (API reference, GetObject and
 * HeadObject), so that a denied look tells neither that an object is missing nor that it is there.
 */
function unverifiable(error: unknown, uri: string): unknown {
  if (!(error instanceof KnownFailure) || error.type !== 'AwsAccessDenied') return error;
  return new KnownFailure(
    'ExportNotVerifiable',
    `S3 refused to show whether there is ${uri}: the worker may not read it or, if it is not there, lacks s3:ListBucket on its bucket. ${error.message}`,
  );
}

/**
 * What automatic export still had to write before it was switched off may take a moment more. Answers the age of it that
 * is left when that does not end in time.
 */
async function untilQueueIsEmpty(
  deps: LustreDeps,
  fileSystemId: string,
  since: number,
  { signal, report }: Heartbeat,
): Promise<number | null> {
  const deadline = performance.now() + deps.exportStallSeconds * 1000;
  for (;;) {
    const seconds = await persist(async () => oldestQueued(deps.cloudWatch, fileSystemId, since), signal);
    if (seconds === null || seconds === 0 || performance.now() > deadline) return seconds;
    report({ fileSystemId, oldestQueuedSeconds: seconds });
    await pause(deps.lustrePollSeconds, signal);
  }
}

/** Of the latest minute that began after `since` (milliseconds since 1970); null if CloudWatch knows none: older ones are of before the export. */
async function oldestQueued(
  cloudWatch: CloudWatchClient,
  fileSystemId: string,
  since: number,
): Promise<number | null> {
  const periodMs = METRIC_PERIOD_SECONDS * 1000;
  const begin = Math.ceil(since / periodMs) * periodMs;
  const pages = paginateGetMetricData(
    { client: cloudWatch },
    {
      StartTime: new Date(begin),
      EndTime: new Date(Math.max(begin, Date.now()) + periodMs),
      ScanBy: 'TimestampDescending',
      MaxDatapoints: 100,
      MetricDataQueries: [
        {
          Id: 'oldest',
          MetricStat: {
            Metric: {
              Namespace: 'AWS/FSx',
              MetricName: 'AgeOfOldestQueuedMessage',
              Dimensions: [
                { Name: 'FileSystemId', Value: fileSystemId },
                { Name: 'Publisher', Value: 'AutoExport' },
              ],
            },
            Period: METRIC_PERIOD_SECONDS,
            Stat: 'Maximum',
          },
        },
      ],
    },
  );
  // CloudWatch may answer pages without values before the one that has them.
  for await (const { MetricDataResults = [] } of pages) {
    const [latest] = MetricDataResults[0]?.Values ?? [];
    if (latest !== undefined) return latest;
  }
  return null;
}

/** Looks in S3 for files that the head node shows; null without a head node that can be asked. */
async function compareSample(
  deps: LustreDeps,
  { epoch, access }: ExportRequest,
  exported: readonly DataRepository[],
  { signal }: Heartbeat,
): Promise<ExportEvidence['sample']> {
  if (!access) return null;
  const folders = exported.map(({ fileSystemPath }) => STORAGE_MOUNT_PATH + fileSystemPath);
  let files: readonly SampledFile[];
  try {
    const sample = async () =>
      deps.files.sampleFiles({ epoch, access }, { folders, most: SAMPLE_FILES }, { signal });
    files = await persist(sample, signal);
  } catch (error) {
    // The sample is beside FSx's own report: a head node that is gone must not keep its data from being exported.
    if (error instanceof KnownFailure) return null;
    throw error;
  }
  const differing: { path: string; error: string }[] = [];
  for (const file of files) {
    const error = await persist(async () => differenceInS3(deps, file, exported), signal);
    if (error !== undefined) differing.push({ path: file.path, error });
    if (differing.length > MAX_LISTED_FILES) break;
  }
  return { listed: files.length, compared: files.length, differing };
}

async function differenceInS3(
  { s3 }: LustreDeps,
  { path, sizeBytes }: SampledFile,
  exported: readonly DataRepository[],
): Promise<string | undefined> {
  const inside = path.slice(STORAGE_MOUNT_PATH.length);
  const repository = exported.find(({ fileSystemPath }) => inside.startsWith(`${fileSystemPath}/`));
  if (!repository) return 'lies in no exported path';
  const { bucket, key } = parseS3Uri(
    repository.dataRepositoryPath + inside.slice(repository.fileSystemPath.length + 1),
  );
  try {
    const { ContentLength } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return ContentLength === sizeBytes
      ? undefined
      : `has ${sizeBytes} bytes, its object ${ContentLength ?? 'no size'}`;
  } catch (error) {
    if (isNotFound(error)) return 'has no object';
    throw unverifiable(error, `s3://${bucket}/${key}`);
  }
}
