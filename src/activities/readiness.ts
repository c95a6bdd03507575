import { z } from 'zod';
import type { HeadNode, HeadNodeFiles, SlurmGateway, SlurmHealth } from '../clients/slurm-gateway.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { FailureType } from '../domain/failures.ts';
import { epochStartSeconds } from '../domain/ids.ts';
import { jobSpecSchema } from '../domain/job.ts';
import { factsByJobKey, judge } from '../domain/job-state.ts';
import type { Verdict } from '../domain/job-state.ts';
import type { SlurmApiSpec } from '../domain/slurm-api-spec.ts';
import { SLURM_API_PORT } from '../domain/slurm-api.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { withHeartbeat } from './heartbeat.ts';
import { pollUntil } from './poll.ts';
import type { Activities } from './port.ts';

export interface ReadinessDeps {
  readonly gateway: SlurmGateway;
  readonly files: Pick<HeadNodeFiles, 'readHostKey' | 'readSlurmApiCertificate'>;
  /** The account that jobs run in, `sim` on the platform. */
  readonly jobUser: string;
  /** 22 by default. */
  readonly sshPort?: number;
  /** Between looks at the smoke job; 1 s by default. */
  readonly pollSeconds?: number;
  /**
   * How long EC2 may have no node for the smoke job; 300 s by default. For that long Slurm may choose another compute resource of
   * the queue (ParallelCluster keeps away from one without capacity for `insufficient_capacity_timeout`, 600 s).
   */
  readonly capacityPatienceSeconds?: number;
}

/** Not a campaign id (those have 26 characters), so no campaign is ever taken for it. */
const SMOKE_CAMPAIGN = 'readiness';
const SMOKE_TIME_LIMIT_SECONDS = 300;
/** Clocks of the worker, which made the epoch's id, and of the head node may differ. */
const CLOCK_TOLERANCE_SECONDS = 3600;

/** What an attempt leaves to the next: a key that was once trusted stays pinned. */
const progressSchema = z.object({ hostKey: z.string() });

/** While a cluster comes up these mean "not yet". Another host key than the pinned one never does. */
const notYet: ReadonlySet<FailureType> = new Set(['HeadNodeUnreachable', 'SlurmUnavailable']);

/** Whether a cluster can be handed over to its jobs. */
export function createReadinessActivities({
  gateway,
  files,
  jobUser,
  sshPort = 22,
  pollSeconds = 1,
  capacityPatienceSeconds = 300,
}: ReadinessDeps): Pick<Activities, 'checkReadiness' | 'checkQueues'> {
  return {
    async checkReadiness({ epoch, address, privateKeySecretArn, hostKey: pinned, queues, slurmApi }) {
      const unpinned = { address, port: sshPort, user: jobUser, privateKeySecretArn };
      return withHeartbeat(async ({ signal, previous, report }) =>
        unlessNotYet(async () => {
          const trusted = pinned ?? progressSchema.safeParse(previous).data?.hostKey;
          const hostKey = trusted ?? (await files.readHostKey({ epoch, access: unpinned }, { signal }));
          report({ hostKey });
          const overSsh = { epoch, access: { ...unpinned, hostKey } };
          assertUsable(await gateway.ping(overSsh, { signal }), queues);
          const head = slurmApi ? await withSlurmApi(overSsh, slurmApi, { gateway, files }, signal) : overSsh;
          const patience = { pollSeconds, capacityPatienceSeconds };
          await runSmokeJob(gateway, head, queues[0] ?? '', patience, signal);
          return head.access;
        }),
      );
    },

    async checkQueues({ epoch, access, queues }) {
      await withHeartbeat(async ({ signal }) =>
        unlessNotYet(async () => {
          assertUsable(await gateway.ping({ epoch, access }, { signal }), queues);
        }),
      );
    },
  };
}

/** The head node with its REST API, which has answered a token and is known by what was read over the pinned SSH. */
async function withSlurmApi(
  head: HeadNode,
  spec: SlurmApiSpec & { readonly signingKeySecretArn: string },
  { gateway, files }: Pick<ReadinessDeps, 'gateway' | 'files'>,
  signal: AbortSignal,
): Promise<HeadNode> {
  const certificateSha256 = await files.readSlurmApiCertificate(head, { signal });
  const slurmApi = { ...spec, port: SLURM_API_PORT, certificateSha256 };
  const overRest = { ...head.access, slurmApi: { ...slurmApi, jobsOver: 'slurmrestd' } } as const;
  await gateway.ping({ ...head, access: overRest }, { signal });
  return { ...head, access: { ...head.access, slurmApi } };
}

async function unlessNotYet<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof KnownFailure && notYet.has(error.type)) throw notReady(error.message);
    throw error;
  }
}

function notReady(message: string): KnownFailure {
  return new KnownFailure('ClusterNotReady', message);
}

function assertUsable({ partitions, storesComments }: SlurmHealth, queues: readonly string[]): void {
  const missing = queues.filter(
    (queue) =>
      !partitions.some(
        ({ name, availability, nodes }) => name === queue && availability === 'up' && nodes > 0,
      ),
  );
  if (missing.length > 0) throw notReady(`sinfo shows no nodes that are up in ${missing.join(', ')}`);
  if (storesComments === false) {
    throw notReady(
      'Slurm’s accounting does not keep comments: AccountingStoreFlags must contain job_comment',
    );
  }
}

/**
 * One job that must COMPLETE. A repeated attempt goes on with the job of the one before; one that failed is followed
 * by another under the next key.
 */
async function runSmokeJob(
  gateway: SlurmGateway,
  head: HeadNode,
  queue: string,
  {
    pollSeconds,
    capacityPatienceSeconds,
  }: Required<Pick<ReadinessDeps, 'pollSeconds' | 'capacityPatienceSeconds'>>,
  signal: AbortSignal,
): Promise<void> {
  const look = async () => smokeJobs(gateway, head, signal);
  const before = await look();
  const failed = [...before.values()].filter(({ state }) => isTerminal(state) && state !== 'succeeded');
  const key = `smoke-${failed.length + 1}`;
  const job = jobSpecSchema.parse({ key, command: ['true'], timeLimitSeconds: SMOKE_TIME_LIMIT_SECONDS });
  const [answer] = await gateway.submit(
    head,
    { campaignId: SMOKE_CAMPAIGN, jobs: [{ spec: job }], defaultQueue: queue },
    { signal },
  );
  if (answer?.status === 'rejected') throw notReady(`Slurm refused the smoke job: ${answer.message}`);
  let hadHopeAt = performance.now();
  const end = await pollUntil(
    async () => {
      const verdict = (await look()).get(key);
      if (verdict !== undefined && isTerminal(verdict.state)) return verdict;
      const hopeless = hopelessnessOf(verdict);
      if (!hopeless) hadHopeAt = performance.now();
      else if (performance.now() - hadHopeAt >= capacityPatienceSeconds * 1000) throw hopeless;
      return undefined;
    },
    { intervalSeconds: pollSeconds, signal },
  );
  if (end.state !== 'succeeded') throw notReady(`The smoke job ${key} ended as ${end.state}: ${end.reason}`);
}

/** What keeps EC2 from starting a node for the smoke job, where that will not pass by waiting a little. */
function hopelessnessOf(verdict: Verdict | undefined): KnownFailure | undefined {
  switch (verdict?.pendingCause) {
    case 'capacity':
      return new KnownFailure('InsufficientCapacity', `No node for the first job: ${verdict.reason}`);
    case 'quota':
      return new KnownFailure('QuotaExceeded', `No node for the first job: ${verdict.reason}`);
    default:
      return undefined;
  }
}

async function smokeJobs(
  gateway: SlurmGateway,
  head: HeadNode,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Verdict>> {
  const sinceSeconds = Math.max(0, epochStartSeconds(head.epoch) - CLOCK_TOLERANCE_SECONDS);
  const { facts } = await gateway.observe(head, { sinceSeconds }, { signal });
  const byKey = factsByJobKey(facts, { epoch: head.epoch, campaignId: SMOKE_CAMPAIGN });
  return new Map([...byKey].map(([key, fact]) => [key, judge(fact)]));
}
