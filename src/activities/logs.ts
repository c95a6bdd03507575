import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { log } from '@temporalio/activity';
import { z } from 'zod';
import type { CampaignStore } from '../clients/campaign-store.ts';
import { ensureLogGroup } from '../clients/log-streams.ts';
import type { LogStream } from '../clients/log-streams.ts';
import type { HeadNodeFiles, JobOutput } from '../clients/slurm-gateway.ts';
import { logGroupName } from '../domain/cluster-name.ts';
import type { Deployment } from '../domain/deployment.ts';
import { submissionKeyOf } from '../domain/job-array.ts';
import { infoDocument, scriptDocument } from '../domain/job-documents.ts';
import type { JobSpec } from '../domain/job.ts';
import { logStreamName } from '../domain/log-events.ts';
import type { LogKind } from '../domain/log-events.ts';
import type { LogLimits } from '../domain/log-limits.ts';
import { tenantTags } from '../domain/resource-tags.ts';
import { followJobs } from './follow-jobs.ts';
import { withHeartbeat } from './heartbeat.ts';
import { copyEnvironments } from './job-environment.ts';
import { copyFiles } from './job-files.ts';
import { writeDocument } from './job-log-copy.ts';
import type { Activities, FollowRequest, LogCopyRequest } from './port.ts';

export interface LogDeps {
  readonly logs: CloudWatchLogsClient;
  readonly campaignStore: Pick<CampaignStore, 'get'>;
  readonly gateway: Pick<HeadNodeFiles, 'readFiles' | 'listOutputs' | 'forgetOutputs'>;
  /** Whose everything is that is made: see `installationName`. */
  readonly installation?: string;
  /** How long CloudWatch keeps what jobs wrote. */
  readonly logRetentionDays: number;
  /** How much is kept of each output of a job. */
  readonly logLimits: LogLimits;
  /** Between two looks at what running jobs have written. */
  readonly logFollowSeconds: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Jobs whose files are read side by side. */
const JOBS_AT_A_TIME = 8;

const progressSchema = z.object({
  jobs: z.int().min(0),
  bytes: z.int().min(0),
  problems: z.array(z.object({ jobKey: z.string(), message: z.string() })).default([]),
});

/** What jobs wrote, copied from the cluster into the tenant's log group, where it outlives the cluster. */
export function createLogActivities(
  given: LogDeps,
): Pick<Activities, 'ensureLogGroup' | 'copyJobLogs' | 'followJobLogs'> {
  const deps = { ...given, now: given.now ?? Date.now };
  return {
    async ensureLogGroup(deployment) {
      const name = logGroupName(deployment);
      const tags = { ...tenantTags(deployment, deps.installation) };
      await ensureLogGroup(deps.logs, { name, retentionInDays: deps.logRetentionDays, tags });
      return { logGroupName: name };
    },

    async copyJobLogs(request) {
      const content = await deps.campaignStore.get(request.content);
      const specs = new Map(content.jobs.map((job) => [job.key, job]));
      return withHeartbeat(async ({ signal, previous, report }) => {
        const resumed = progressSchema.safeParse(previous).data;
        let { jobs: done, bytes, problems } = resumed ?? { jobs: 0, bytes: 0, problems: [] };
        // First: what a follower still writes then is little, so the end of each log stays among its last events.
        await forget(deps, request, signal);
        while (done < request.jobs.length) {
          signal.throwIfAborted();
          const jobs = request.jobs.slice(done, done + JOBS_AT_A_TIME);
          // What needs no head node first: it is then there even for jobs that were lost with theirs.
          bytes += await writeOwnDocuments(deps, request, jobs, specs);
          const head = headOf(request);
          bytes += await copyEnvironments(deps, head, environmentsOf(request, jobs), signal);
          const outputs = await copyFiles(deps, head, outputsOf(request, jobs), signal);
          bytes += outputs.copiedBytes;
          problems = [...problems, ...outputs.problems];
          done += jobs.length;
          report({ jobs: done, bytes, problems });
        }
        return { copiedBytes: bytes, problems };
      });
    },

    async followJobLogs(request) {
      const streamFor = ({ campaignId, jobKey }: JobOutput, kind: LogKind) =>
        streamOf({ ...request, campaignId }, jobKey, kind);
      return withHeartbeat(async (heartbeat) => ({
        copiedBytes: await followJobs(deps, headOf(request), streamFor, {
          ...heartbeat,
          isLast: request.isLast ?? false,
        }),
      }));
    },
  };
}

type Jobs = LogCopyRequest['jobs'];

function headOf({ epoch, access }: FollowRequest) {
  return { epoch, access };
}

function streamOf(
  deployment: Deployment & { readonly campaignId: string },
  jobKey: string,
  kind: LogKind,
): LogStream {
  const { epoch, campaignId } = deployment;
  return {
    logGroupName: logGroupName(deployment),
    logStreamName: logStreamName({ epoch, campaignId, jobKey }, kind),
  };
}

function environmentsOf(request: LogCopyRequest, jobs: Jobs) {
  const { campaignId } = request;
  return jobs.map(({ jobKey }) => ({
    campaignId,
    jobKey,
    stream: streamOf(request, jobKey, 'environment'),
  }));
}

function outputsOf(request: LogCopyRequest, jobs: Jobs) {
  const { campaignId } = request;
  return jobs.flatMap(({ jobKey, view }) =>
    (['stdout', 'stderr'] as const).map((file) => ({
      campaignId,
      jobKey,
      file,
      hasStarted: view.startedAt !== undefined,
      stream: streamOf(request, jobKey, file),
    })),
  );
}

/** They have ended: nobody need look any more what they write. That somebody does is no reason to fail. */
async function forget({ gateway }: LogDeps, request: LogCopyRequest, signal: AbortSignal): Promise<void> {
  const { campaignId } = request;
  const jobs = request.jobs.map(({ jobKey }) => ({ campaignId, jobKey }));
  try {
    await gateway.forgetOutputs(headOf(request), jobs, { signal });
  } catch (error) {
    signal.throwIfAborted();
    log.warn('Jobs that have ended stay marked as running', { campaignId, error: String(error) });
  }
}

/** Info and script: what we know of the jobs without asking the cluster. */
async function writeOwnDocuments(
  { logs, now }: LogDeps & { readonly now: () => number },
  request: LogCopyRequest,
  jobs: Jobs,
  specs: ReadonlyMap<string, JobSpec>,
): Promise<number> {
  const written = await Promise.all(
    jobs.flatMap(({ jobKey, view }) => {
      const spec = specs.get(submissionKeyOf(view));
      const write = async (kind: LogKind, text: string) =>
        writeDocument(logs, streamOf(request, jobKey, kind), Buffer.from(text), now());
      const info = write('info', infoDocument(view));
      const script = spec && write('script', scriptDocument(spec));
      return script ? [info, script] : [info];
    }),
  );
  return written.reduce((sum, bytes) => sum + bytes, 0);
}
