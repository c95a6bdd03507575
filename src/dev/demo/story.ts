import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignPage } from '../../api/view-schemas.ts';
import type { ClusterSpecInput } from '../../domain/cluster-spec-input.ts';
import type { ClusterAccess, ClusterView } from '../../domain/cluster-view.ts';
import type { CampaignSpecInput } from '../../domain/job.ts';
import type { LogKind } from '../../domain/log-events.ts';
import type { ApiClient } from '../api-client.ts';
import { DevStackError } from '../errors.ts';
import { changesBetween, type Seen } from './changes.ts';
import type { Teller } from './teller.ts';

const LOOK_EVERY_MILLISECONDS = 250;
/** No step of the demo takes half of it, even on a slow machine. */
const STEP_DEADLINE_SECONDS = 180;
const STDERR_TAIL_LINES = 10;

const ENDED_BADLY: ReadonlySet<ClusterView['state']> = new Set(['failed', 'blocked']);

/** A campaign that has succeeded. */
export interface RunCampaign {
  readonly campaignId: string;
  readonly jobKeys: readonly string[];
}

/** One tenant's use of the API, told as it goes on. */
export class Story {
  readonly #client: ApiClient;
  readonly #teller: Teller;
  readonly #signal: AbortSignal;
  #seen: Seen | undefined;

  constructor(client: ApiClient, teller: Teller, signal: AbortSignal) {
    this.#client = client;
    this.#teller = teller;
    this.#signal = signal;
  }

  async ask(spec: ClusterSpecInput, inWords: string): Promise<ClusterView> {
    const { status, view } = await this.#client.putCluster(spec);
    this.#teller.sent('PUT …/cluster', `${inWords}: ${status}, ${view.clusterName}`);
    return view;
  }

  /** Submits a campaign, also while the cluster is still being made; returns its id. */
  async submit(idempotencyKey: string, campaign: CampaignSpecInput, inWords: string): Promise<string> {
    const { isRepetition, receipt } = await this.#client.submit(idempotencyKey, campaign);
    const outcome = isRepetition ? 'known already, no second job' : 'accepted';
    const { campaignId } = receipt;
    this.#teller.sent('POST …/campaigns', `${inWords}: 202, ${outcome}`);
    return campaignId;
  }

  /** Follows a campaign until all of its jobs have succeeded and what they wrote is in CloudWatch Logs. */
  async untilSucceeded(campaignId: string): Promise<RunCampaign> {
    let campaign: CampaignPage | undefined;
    await this.#follow('the campaign', async () => {
      campaign = await this.#client.campaign(campaignId);
      return { jobs: campaign.jobs, isDone: campaign.endedAt !== undefined };
    });
    if (campaign?.state !== 'succeeded') throw await this.#campaignFailure(campaignId, campaign);
    return { campaignId, jobKeys: campaign.jobs.map(({ key }) => key) };
  }

  /** Follows the cluster until it has gone by itself. */
  async untilDeleted(): Promise<ClusterView> {
    const { cluster } = await this.#follow('the teardown', async ({ state }) => ({
      jobs: this.#seen?.jobs ?? [],
      isDone: state === 'deleted',
    }));
    return cluster;
  }

  /** What a job printed, read back through the API from CloudWatch Logs. */
  async stdout({ campaignId }: RunCampaign, jobKey: string): Promise<string> {
    return this.#client.log(campaignId, jobKey, 'stdout');
  }

  /** Any other of the things that are kept of a job. */
  async log({ campaignId }: RunCampaign, jobKey: string, kind: LogKind): Promise<string> {
    return this.#client.log(campaignId, jobKey, kind);
  }

  /** What a login to the head node needs, as the API tells it. */
  async login(): Promise<{ readonly epoch: string; readonly access: ClusterAccess }> {
    const { epoch, access, state } = await this.#client.cluster();
    if (epoch !== undefined && access) return { epoch, access };
    throw new DevStackError('cluster', `it is ${state} and tells no login`, { nextStep: 'Read worker.log' });
  }

  /** Looks until it is done, telling what changed each time. */
  async #follow(
    what: string,
    look: (cluster: ClusterView) => Promise<{ jobs: Seen['jobs']; isDone: boolean }>,
  ): Promise<Seen> {
    const deadline = Date.now() + STEP_DEADLINE_SECONDS * 1000;
    for (;;) {
      const cluster = await this.#client.cluster();
      const { jobs, isDone } = await look(cluster);
      const seen = { cluster, jobs };
      for (const change of changesBetween(this.#seen, seen)) this.#teller.tell(change);
      this.#seen = seen;
      if (ENDED_BADLY.has(cluster.state)) throw clusterFailure(cluster);
      if (isDone) return seen;
      if (Date.now() > deadline) {
        throw new DevStackError('demo', `${what} was not over after ${STEP_DEADLINE_SECONDS} s`, {
          nextStep: `The cluster is ${cluster.state} (${cluster.message}). Read worker.log`,
        });
      }
      await sleep(LOOK_EVERY_MILLISECONDS, undefined, { signal: this.#signal });
    }
  }

  /** Names the first job that did not succeed, with the end of what it wrote to standard error. */
  async #campaignFailure(campaignId: string, campaign: CampaignPage | undefined): Promise<DevStackError> {
    const job = campaign?.jobs.find(({ state }) => state !== 'succeeded');
    if (!campaign || !job) {
      const problem = campaign?.failure?.message ?? campaign?.message ?? 'it did not succeed';
      return new DevStackError('campaign', problem, { nextStep: 'Read worker.log' });
    }
    const stderr = job.slurmJobId === undefined ? '' : await this.#client.log(campaignId, job.key, 'stderr');
    const tail = stderr.trimEnd().split('\n').slice(-STDERR_TAIL_LINES).join('\n');
    return new DevStackError('campaign', `job ${job.key} is ${job.state}: ${job.reason}`, {
      nextStep: tail ? `Its standard error ends in:\n${tail}` : 'It wrote nothing to standard error',
    });
  }
}

function clusterFailure({ state, message, failure }: ClusterView): DevStackError {
  return new DevStackError('cluster', `it is ${state}: ${failure?.message ?? message}`, {
    nextStep: failure?.nextStep ?? 'Read worker.log',
  });
}
