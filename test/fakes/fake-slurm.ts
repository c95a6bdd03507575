import type { NodeCounts } from '../../src/domain/node-groups.ts';
import { createHash } from 'node:crypto';
import type {
  CampaignFacts,
  Observation,
  ObserveRequest,
  SubmitOutcome,
} from '../../src/domain/slurm-requests.ts';
import type { Dependency } from '../../src/domain/dependencies.ts';
import { taskKey } from '../../src/domain/job-array.ts';
import type { SlurmJobFact } from '../../src/domain/slurm-facts.ts';

interface FakeJob {
  readonly jobId: string;
  readonly campaignId: string;
  readonly jobKey: string;
  /** Of a task of an array. */
  readonly arrayKey?: string;
  readonly submitMs: number;
  readonly durationMs: number;
  readonly exitCode: number;
  readonly dependencies: readonly { readonly job: FakeJob; readonly condition: Dependency['condition'] }[];
  /** Set when it starts; a job that never does has the same end. */
  startMs?: number;
  endMs?: number;
  isCancelled: boolean;
  /** Slurm shows a state that nobody knows. */
  isStrange: boolean;
}

/** What becomes of a task of an array. */
interface FakeTask extends Pick<FakeJob, 'durationMs' | 'exitCode'> {
  readonly index: number;
}

/** Facts are told by bucket of this many Slurm ids, as the activity does. */
const IDS_PER_BUCKET = 100;

/** A head node's Slurm: jobs start when what they wait for is over, and end when their time is. */
export class FakeSlurm {
  readonly jobs: FakeJob[] = [];
  /** What it accepted and forgot; the ledger on the head node still has it. */
  readonly lost: FakeJob[] = [];
  /** Ended jobs that it no longer knows as dependencies. */
  readonly purgedKeys = new Set<string>();
  /** Jobs of other users: seen only in Slurm. */
  foreignUntilMs = 0;
  reachable = true;
  /** What it says of nodes; nothing if absent, as releases before 0.3.0. */
  nodesUp: NodeCounts | undefined;
  /** What Slurm says about jobs by key, in place of what would happen to them. */
  readonly said = new Map<string, Partial<SlurmJobFact>>();
  maxFactsPerLook = 4000;
  maxFactsPerCampaign = 1000;
  private nextJobId = 1;

  find(campaignId: string, jobKey: string): FakeJob | undefined {
    return this.jobs.findLast((job) => job.campaignId === campaignId && job.jobKey === jobKey);
  }

  submit(
    job: Pick<FakeJob, 'campaignId' | 'jobKey' | 'submitMs' | 'durationMs' | 'exitCode'>,
    dependsOn: readonly Dependency[],
    tasks: readonly FakeTask[] = [],
  ): SubmitOutcome {
    const { campaignId, jobKey } = job;
    const [known] = this.named(campaignId, jobKey);
    if (known) return { jobKey, status: 'adopted', jobId: known.jobId.replace(/_.*/, '') };
    const dependencies: FakeJob['dependencies'][number][] = [];
    for (const { key, condition } of dependsOn) {
      const others = this.purgedKeys.has(key) ? [] : this.named(campaignId, key);
      if (others.length === 0) return { jobKey, status: 'deferred', message: `no job of ${key}` };
      dependencies.push(...others.map((other) => ({ job: other, condition })));
    }
    const jobId = String(this.nextJobId++);
    const common = { dependencies, isCancelled: false, isStrange: false };
    for (const { index, ...own } of tasks) {
      const task = { arrayKey: jobKey, jobKey: taskKey(jobKey, index), jobId: taskKey(jobId, index) };
      this.jobs.push({ ...job, ...common, ...own, ...task });
    }
    if (tasks.length === 0) this.jobs.push({ ...job, ...common, jobId });
    return { jobKey, status: 'submitted', jobId };
  }

  /** The last job of a key, or the tasks of an array. */
  private named(campaignId: string, key: string): FakeJob[] {
    const tasks = this.jobs.filter((job) => job.campaignId === campaignId && job.arrayKey === key);
    const job = this.find(campaignId, key);
    return job ? [job, ...tasks] : tasks;
  }

  /** The controller dies and comes back without these jobs, and gives their ids to others. */
  lose(campaignId: string, jobKeys: readonly string[]): void {
    for (const jobKey of jobKeys) {
      const job = this.find(campaignId, jobKey);
      if (!job) throw new Error(`Slurm has no job ${jobKey}`);
      this.lost.push(job);
      this.jobs.splice(this.jobs.indexOf(job), 1);
      this.nextJobId = Math.min(this.nextJobId, Number(job.jobId));
    }
  }

  cancel(isMeant: (job: FakeJob) => boolean, now: number): void {
    this.advance(now);
    for (const job of this.jobs.filter(isMeant)) {
      if (job.endMs === undefined || now < job.endMs) Object.assign(job, { endMs: now, isCancelled: true });
    }
  }

  observe({ campaigns }: ObserveRequest, now: number): Observation {
    this.advance(now);
    const running = this.jobs.filter(
      ({ startMs, endMs = 0, isStrange }) => startMs !== undefined && (isStrange || now < endMs),
    ).length;
    const pending = this.jobs.filter((job) => job.endMs === undefined).length;
    let room = this.maxFactsPerLook;
    let more = false;
    const changed = campaigns.map(({ campaignId, told = {} }) => {
      const news = this.news(campaignId, told, Math.min(room, this.maxFactsPerCampaign), now);
      room -= news.facts.facts.length;
      more ||= news.more;
      return news.facts;
    });
    return {
      activity: {
        running: running + (now < this.foreignUntilMs ? 1 : 0),
        pending,
        stuck: 0,
        interactiveSessions: 0,
      },
      runningOwn: running,
      ...(this.nodesUp && { nodesUp: this.nodesUp }),
      campaigns: changed.filter(({ facts }) => facts.length > 0),
      more,
    };
  }

  private news(campaignId: string, told: Readonly<Record<string, string>>, room: number, now: number) {
    const answer: CampaignFacts & { facts: CampaignFacts['facts'][number][]; told: Record<string, string> } =
      {
        campaignId,
        told: {},
        facts: [],
      };
    const buckets = Map.groupBy(this.factsOf(campaignId, now), ({ jobId }) => {
      const [id, task] = jobId.split('_');
      return `${task === undefined ? '' : `${id}_`}${Math.floor(Number(task ?? id) / IDS_PER_BUCKET)}`;
    });
    for (const [name, facts] of buckets) {
      const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 22);
      if (told[name] === digest) continue;
      if (answer.facts.length + facts.length > room) return { facts: answer, more: true };
      answer.told[name] = digest;
      answer.facts.push(...facts);
    }
    return { facts: answer, more: false };
  }

  /** One fact for each key: of the job that Slurm has, else of the one that it lost last. */
  private factsOf(campaignId: string, now: number): CampaignFacts['facts'][number][] {
    const byKey = new Map<string, SlurmJobFact & { readonly jobKey: string }>();
    for (const [jobs, isLost] of [
      [this.lost, true],
      [this.jobs, false],
    ] as const) {
      for (const job of jobs.filter((one) => one.campaignId === campaignId)) {
        const fact = { ...factOf(job, now), ...this.said.get(job.jobKey) };
        byKey.set(job.jobKey, { ...fact, jobKey: job.jobKey, ...(isLost && { source: 'ledger' }) });
      }
    }
    return [...byKey.values()];
  }

  /** Starts jobs whose dependencies are over, in the order of submission: each comes after what it waits for. */
  private advance(now: number): void {
    for (const job of this.jobs) {
      if (job.endMs !== undefined) continue;
      const ends = job.dependencies.map((dependency) => dependency.job.endMs ?? Number.POSITIVE_INFINITY);
      const startMs = Math.max(job.submitMs, ...ends);
      if (startMs > now) continue;
      if (job.dependencies.every(isMet)) Object.assign(job, { startMs, endMs: startMs + job.durationMs });
      else Object.assign(job, { endMs: startMs, isCancelled: true });
    }
  }
}

function isMet({ job, condition }: FakeJob['dependencies'][number]): boolean {
  const isOk = !job.isCancelled && job.exitCode === 0;
  return condition === 'afterany' || isOk === (condition === 'afterok');
}

function factOf(job: FakeJob, now: number): SlurmJobFact {
  const { jobId, jobKey, startMs, endMs, exitCode } = job;
  const isStarted = startMs !== undefined && startMs <= now;
  return {
    jobId,
    comment: '',
    user: 'sim',
    name: jobKey,
    partition: 'debug',
    state: job.isStrange ? undefined : stateOf(job, now),
    flags: [],
    reason: endMs === undefined ? 'Dependency' : 'None',
    nodes: isStarted ? 'n1' : '',
    restarts: 0,
    submitTime: Math.floor(job.submitMs / 1000),
    ...(isStarted && { startTime: Math.floor(startMs / 1000) }),
    source: 'queue',
    ...(endMs !== undefined && now >= endMs && { exitCode, endTime: Math.floor(endMs / 1000) }),
  };
}

function stateOf({ isCancelled, exitCode, endMs }: FakeJob, now: number): SlurmJobFact['state'] {
  if (endMs === undefined) return 'PENDING';
  if (now < endMs) return 'RUNNING';
  if (isCancelled) return 'CANCELLED';
  return exitCode === 0 ? 'COMPLETED' : 'FAILED';
}
