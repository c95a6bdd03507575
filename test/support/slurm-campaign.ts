import { setTimeout as sleep } from 'node:timers/promises';
import { createSlurmActivities } from '../../src/activities/slurm.ts';
import type { SlurmControl, SlurmGateway } from '../../src/clients/slurm-gateway.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import type { CampaignContentReference, JobSpecInput } from '../../src/domain/job.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { jobAfterFact } from '../../src/domain/job-state.ts';
import { isTerminal } from '../../src/domain/slurm-states.ts';
import { createMemoryCampaignStore } from '../fakes/memory-campaign-store.ts';
import { runActivity } from './activity.ts';
import type { SlurmCluster } from './slurm-cluster.ts';

const owner = { virtualLabId: 'lab', projectId: 'project' };
/** Jobs that one activity submits, fewer than in production so that there are more moments to be killed in. */
const BATCH = 10;
const LOOK_SECONDS = 1;

/**
 * Follows a campaign on a real cluster through the activities as the workflow does: submits what waits, looks, takes
 * in what is new, and repeats whatever failed because something was killed.
 */
export class SlurmCampaign {
  readonly id: string;
  views: ReadonlyMap<string, JobView>;
  /** Ids of jobs that Slurm lost, as the looks said. */
  readonly lost: string[] = [];
  /** How often something had to be repeated. */
  failures = 0;
  readonly #cluster: SlurmCluster;
  readonly #content: CampaignContentReference;
  readonly #activities: ReturnType<typeof createSlurmActivities>;
  #told: Record<string, string> = {};

  private constructor(
    cluster: SlurmCluster,
    id: string,
    content: CampaignContentReference,
    keys: readonly string[],
    activities: ReturnType<typeof createSlurmActivities>,
  ) {
    this.#cluster = cluster;
    this.id = id;
    this.#content = content;
    this.#activities = activities;
    this.views = new Map(
      keys.map((key) => [key, { key, state: 'waiting', reason: '', logsComplete: false } as const]),
    );
  }

  static async make(
    cluster: SlurmCluster,
    id: string,
    jobs: readonly JobSpecInput[],
    gateway: SlurmGateway & SlurmControl = cluster.gateway,
  ): Promise<SlurmCampaign> {
    const campaignStore = createMemoryCampaignStore();
    const specs = jobs.map((job) => jobSpecSchema.parse(job));
    const content = await campaignStore.put(owner, { version: 1, campaignId: id, jobs: specs });
    const keys = specs.map(({ key }) => key);
    return new SlurmCampaign(
      cluster,
      id,
      content,
      keys,
      createSlurmActivities({ gateway, control: gateway, campaignStore }),
    );
  }

  /** Submits everything that waits or whose submission got no answer; the first failure ends it. */
  async submit(): Promise<void> {
    for (;;) {
      const waiting = [...this.views.values()].filter(
        ({ state }) => state === 'waiting' || state === 'submitting',
      );
      if (waiting.length === 0) return;
      await this.#submitBatch(waiting.slice(0, BATCH));
    }
  }

  async #submitBatch(batch: readonly JobView[]): Promise<void> {
    this.#update(batch.map((view) => ({ ...view, state: 'submitting' })));
    const outcomes = await runActivity(this.#activities.submitJobs, {
      ...this.#deployment,
      campaignId: this.id,
      content: this.#content,
      jobs: batch.map(({ key }) => ({ jobKey: key })),
      defaultQueue: 'debug',
    });
    for (const outcome of outcomes) {
      if (outcome.status === 'deferred') throw new KnownFailure('SlurmUnavailable', outcome.message);
      if (outcome.status === 'rejected') throw new Error(`${outcome.jobKey}: ${outcome.message}`);
      const view = this.views.get(outcome.jobKey);
      if (view?.state === 'submitting')
        this.#update([{ ...view, state: 'pending', slurmJobId: outcome.jobId }]);
    }
  }

  /** One look at Slurm. */
  async look(): Promise<void> {
    const now = Date.now();
    const { campaigns } = await runActivity(this.#activities.observeSlurm, {
      ...this.#deployment,
      campaigns: [{ campaignId: this.id, since: Math.floor(now / 1000) - 3600, told: this.#told }],
    });
    for (const { told, facts } of campaigns) {
      this.#told = { ...this.#told, ...told };
      for (const fact of facts) {
        if (fact.source === 'ledger') this.lost.push(fact.jobId);
        const view = this.views.get(fact.jobKey);
        if (view) this.#update([jobAfterFact(view, fact, new Date(now).toISOString())]);
      }
    }
  }

  /** Until every job has ended, whatever is killed meanwhile. */
  async untilEnded(timeoutSeconds: number): Promise<void> {
    const deadline = Date.now() + timeoutSeconds * 1000;
    while (![...this.views.values()].every(({ state }) => isTerminal(state))) {
      if (Date.now() > deadline) throw new Error(`not ended: ${JSON.stringify([...this.views.values()])}`);
      await this.#orRepeat(async () => {
        await this.submit();
        await this.look();
      });
      await sleep(LOOK_SECONDS * 1000);
    }
  }

  async #orRepeat(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (!(error instanceof KnownFailure) && !(error instanceof Error && 'type' in error)) throw error;
      this.failures += 1;
    }
  }

  get #deployment() {
    const { epoch, access } = this.#cluster.head;
    return { ...owner, epoch, access, clusterName: 'cluster' };
  }

  #update(views: readonly JobView[]): void {
    const next = new Map(this.views);
    for (const view of views) next.set(view.key, view);
    this.views = next;
  }
}

/**
 * Slurm jobs of a campaign that ended, by key: what accounting has, each submission of an id once. A job that was lost
 * has no comment there, because it never ended.
 */
export async function endedJobs(
  cluster: SlurmCluster,
  campaignId: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const columns = 'JobIDRaw,Submit,State,Comment';
  const { stdout } = await cluster.asRoot(
    `sacct --allusers --allocations --duplicates --noheader --parsable2 --starttime=now-2hours --format=${columns}`,
  );
  const ended = new Map<string, Set<string>>();
  for (const line of stdout.split('\n')) {
    const [id = '', submit = '', state = '', comment = ''] = line.split('|');
    const [, , campaign, key] = comment.split('/');
    if (campaign !== campaignId || key === undefined || state === 'REQUEUED') continue;
    ended.set(key, (ended.get(key) ?? new Set()).add(`${id} ${submit}`));
  }
  return new Map([...ended].map(([key, jobs]) => [key, [...jobs]]));
}
