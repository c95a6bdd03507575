import { createHash } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, CampaignFacts, ObserveRequest, SubmitOutcome } from '../../src/activities/port.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import type { ClusterAccess } from '../../src/domain/cluster-view.ts';
import type { Deployment, KeyRole } from '../../src/domain/deployment.ts';
import { type FailureType, failures } from '../../src/domain/failures.ts';
import type { SlurmJobFact } from '../../src/domain/slurm-facts.ts';

interface FakeJob {
  readonly jobId: string;
  readonly campaignId: string;
  readonly jobKey: string;
  readonly startMs: number;
  endMs: number;
  exitCode: number;
  cancelled: boolean;
}

/** A head node's Slurm: jobs start at once and end when their time is over. */
class FakeSlurm {
  readonly jobs: FakeJob[] = [];
  /** Jobs of other users: seen only in Slurm. */
  foreignUntilMs = 0;
  reachable = true;
}

type ActivityName = keyof Activities;

/**
 * AWS and Slurm in memory, typed as the activities' port. Everything is idempotent and answers at once, since the
 * time-skipping server stands still while an activity runs. The clock is the test server's.
 */
export class FakeWorld {
  readonly keyPairs = new Set<string>();
  readonly stacks = new Map<string, { readonly epoch: string; readonly subnetId: string }>();
  readonly createdStacks: string[] = [];
  readonly slurm = new Map<string, FakeSlurm>();
  readonly manifests = new Map<string, readonly JobView[]>();
  readonly copiedLogs = new Set<string>();
  readonly calls = new Map<ActivityName, number>();
  /** Order of what changed the world, e.g. `createStack`, `deleteKeyPair admin`. */
  readonly effects: string[] = [];
  jobDurationSeconds = 60;
  subnetIds: string[];
  private readonly faults = new Map<
    ActivityName,
    { error: () => Error; times: number; afterEffect: boolean }
  >();
  private readonly now: () => Promise<number>;

  constructor(now: () => Promise<number>, subnetCount = 10) {
    this.now = now;
    this.subnetIds = Array.from(
      { length: subnetCount },
      (_, index) => `subnet-${String(index).padStart(4, '0')}`,
    );
  }

  /** Makes an activity fail with a failure of the closed list; `afterEffect`: it happened and its answer is lost. */
  failOn(
    name: ActivityName,
    type: FailureType,
    { times = Number.POSITIVE_INFINITY, afterEffect = false } = {},
  ): void {
    const error = () =>
      ApplicationFailure.create({
        type,
        message: `planted ${type}`,
        nonRetryable: !failures[type].retryable,
      });
    this.faults.set(name, { error, times, afterEffect });
  }

  /** Makes an activity throw something that is on no list. */
  crashOn(name: ActivityName, times = 1): void {
    this.faults.set(name, { error: () => new Error('planted crash'), times, afterEffect: true });
  }

  heal(name: ActivityName): void {
    this.faults.delete(name);
  }

  slurmOf(clusterName: string): FakeSlurm {
    const slurm = this.slurm.get(clusterName);
    if (!slurm) throw new Error(`no head node of ${clusterName}`);
    return slurm;
  }

  /** What a tenant would still pay for, or could still be reached by. */
  leftovers(): string[] {
    return [
      ...[...this.stacks.keys()].map((name) => `stack ${name}`),
      ...[...this.keyPairs].map((name) => `key ${name}`),
    ];
  }

  /** The activities, each counted and open to planted faults. `lease` is the real pair that talks to the pool. */
  activities(lease: Pick<Activities, 'acquireSubnet' | 'releaseSubnet'>): Activities {
    const all: Activities = {
      ...this.networkActivities(),
      ...this.stackActivities(),
      ...this.slurmActivities(),
      ...lease,
    };
    // A proxy keeps the port's exact types; the worker enumerates and calls its functions like any others.
    return new Proxy(all, {
      get: (target, name, receiver): unknown => {
        const run: unknown = Reflect.get(target, name, receiver);
        return typeof run === 'function' && isActivityName(target, name) ? this.withFaults(name, run) : run;
      },
    });
  }

  private withFaults(name: ActivityName, run: Function) {
    return async (...args: unknown[]): Promise<unknown> => {
      this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      const fault = this.faults.get(name);
      const strikes = fault !== undefined && fault.times > 0;
      if (strikes) fault.times -= 1;
      if (strikes && !fault.afterEffect) throw fault.error();
      const answer: unknown = await Reflect.apply(run, undefined, args);
      if (strikes) throw fault.error();
      return answer;
    };
  }

  private networkActivities() {
    const keyName = ({ clusterName, epoch }: Deployment, role: KeyRole) => `${clusterName}-${epoch}-${role}`;
    return {
      describePoolSubnets: async () =>
        this.subnetIds.map((subnetId) => ({
          subnetId,
          availabilityZone: 'us-east-1a',
          availableAddresses: 250,
          usedByEpochs: [...this.stacks.values()]
            .filter((s) => s.subnetId === subnetId)
            .map(({ epoch }) => epoch),
        })),
      ensureKeyPair: async (request: Deployment & { readonly role: KeyRole }) => {
        const name = keyName(request, request.role);
        this.keyPairs.add(name);
        this.effects.push(`ensureKeyPair ${request.role}`);
        const { role } = request;
        return {
          role,
          keyName: name,
          privateKeySecretArn: `arn:fake:${name}`,
          publicKey: 'ssh-ed25519 AAAA',
        };
      },
      deleteKeyPair: async (request: Deployment & { readonly role: KeyRole }) => {
        if (this.keyPairs.delete(keyName(request, request.role)))
          this.effects.push(`deleteKeyPair ${request.role}`);
      },
      ensureLogGroup: async ({ virtualLabId, projectId }: Deployment) => ({
        logGroupName: `/pcp/${virtualLabId}/${projectId}`,
      }),
    } satisfies Partial<Activities>;
  }

  private stackActivities() {
    return {
      createStack: async (request: Parameters<Activities['createStack']>[0]) => {
        const { clusterName, epoch, lease } = request;
        const clash = [...this.stacks.values()].find((stack) => stack.subnetId === lease.subnetId);
        if (clash && clash.epoch !== epoch) throw new Error(`two stacks in ${lease.subnetId}`);
        if (!this.stacks.has(clusterName)) {
          this.stacks.set(clusterName, { epoch, subnetId: lease.subnetId });
          this.createdStacks.push(clusterName);
          this.slurm.set(clusterName, new FakeSlurm());
          this.effects.push('createStack');
        }
        return { stackId: `arn:stack/${clusterName}/${epoch}`, headNodeAddress: '127.0.1.1' };
      },
      deleteStack: async ({ clusterName, epoch }: Deployment) => {
        if (this.stacks.get(clusterName)?.epoch !== epoch) return;
        this.stacks.delete(clusterName);
        this.slurm.delete(clusterName);
        this.effects.push('deleteStack');
      },
      checkReadiness: async (
        request: Parameters<Activities['checkReadiness']>[0],
      ): Promise<ClusterAccess> => ({
        address: request.address,
        port: 22,
        user: 'sim',
        hostKey: 'ssh-ed25519 HOST',
        privateKeySecretArn: request.privateKeySecretArn,
      }),
    } satisfies Partial<Activities>;
  }

  private slurmActivities() {
    return {
      submitJobs: async (request: Parameters<Activities['submitJobs']>[0]): Promise<SubmitOutcome[]> => {
        const slurm = this.slurmOf(request.clusterName);
        const startMs = await this.now();
        return request.jobKeys.map((jobKey) => {
          const known = slurm.jobs.find(
            (job) => job.campaignId === request.campaignId && job.jobKey === jobKey,
          );
          if (known) return { jobKey, status: 'adopted', jobId: known.jobId };
          const jobId = String(slurm.jobs.length + 1);
          const endMs = startMs + this.jobDurationSeconds * 1000;
          slurm.jobs.push({
            jobId,
            campaignId: request.campaignId,
            jobKey,
            startMs,
            endMs,
            exitCode: 0,
            cancelled: false,
          });
          return { jobKey, status: 'submitted', jobId };
        });
      },
      observeSlurm: async (request: ObserveRequest) => {
        const now = await this.now();
        const slurm = this.slurmOf(request.clusterName);
        if (!slurm.reachable) {
          throw ApplicationFailure.create({ type: 'SlurmUnavailable', message: 'slurmctld does not answer' });
        }
        const running =
          slurm.jobs.filter((job) => now < job.endMs).length + (now < slurm.foreignUntilMs ? 1 : 0);
        const campaigns = request.campaigns.map(({ campaignId }) => factsOf(slurm, campaignId, now));
        return {
          activity: { running, pending: 0, stuck: 0, interactiveSessions: 0 },
          campaigns: campaigns.filter(({ digest }, index) => digest !== request.campaigns[index]?.digest),
        };
      },
      cancelJobs: async ({ clusterName }: Deployment) => {
        const now = await this.now();
        for (const job of this.slurmOf(clusterName).jobs.filter(({ endMs }) => now < endMs)) {
          Object.assign(job, { endMs: now, cancelled: true });
        }
      },
      disconnect: async () => {},
      copyJobLogs: async ({ jobs }: Parameters<Activities['copyJobLogs']>[0]) => {
        for (const { jobKey } of jobs) this.copiedLogs.add(jobKey);
        return { copiedBytes: jobs.length };
      },
      writeManifest: async ({ campaignId, jobs }: Parameters<Activities['writeManifest']>[0]) => {
        this.manifests.set(campaignId, jobs);
      },
    } satisfies Partial<Activities>;
  }
}

function factsOf(slurm: FakeSlurm, campaignId: string, now: number): CampaignFacts {
  const facts = slurm.jobs
    .filter((job) => job.campaignId === campaignId)
    .map((job) => ({ ...factOf(job, now), jobKey: job.jobKey }));
  return { campaignId, digest: createHash('sha256').update(JSON.stringify(facts)).digest('hex'), facts };
}

function factOf(job: FakeJob, now: number): SlurmJobFact {
  const ended = now >= job.endMs;
  const endState = job.cancelled ? ('CANCELLED' as const) : ('COMPLETED' as const);
  return {
    jobId: job.jobId,
    comment: '',
    user: 'sim',
    name: job.jobKey,
    partition: 'debug',
    state: ended ? endState : 'RUNNING',
    flags: [],
    reason: 'None',
    nodes: 'n1',
    restarts: 0,
    startTime: Math.floor(job.startMs / 1000),
    source: 'queue',
    ...(ended && { exitCode: job.exitCode, endTime: Math.floor(job.endMs / 1000) }),
  };
}

function isActivityName(activities: Activities, name: string | symbol): name is ActivityName {
  return Object.hasOwn(activities, name);
}
