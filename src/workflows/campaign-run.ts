import { condition, getExternalWorkflowHandle, setCurrentDetails, upsertMemo } from '@temporalio/workflow';
import {
  newCampaignSnapshot,
  renderCampaignDetails,
  renderCampaignView,
  renderViewBeforePlan,
  unsubmitted,
} from '../domain/campaign.ts';
import { reasonInWords } from '../domain/campaign-cancel.ts';
import { orderOf } from '../domain/campaign-dependencies.ts';
import { cancelJob, type CampaignJob, factOf, jobAfterNews, newJobs } from '../domain/campaign-job.ts';
import { type CampaignPlan, jobsOfPlan } from '../domain/campaign-plan.ts';
import {
  type CampaignSnapshot,
  readCampaignSnapshot,
  storeCampaignSnapshot,
} from '../domain/campaign-snapshot.ts';
import type { CampaignState, CampaignView } from '../domain/campaign-view.ts';
import { CAMPAIGN_VIEW_MEMO } from '../domain/cluster-view.ts';
import type { Failure } from '../domain/failures.ts';
import { clusterWorkflowId, type Tenant } from '../domain/ids.ts';
import { isNamed } from '../domain/job-array.ts';
import type { JobChunk } from '../domain/job-chunks.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { nowIso } from './clock.ts';
import { continueIfHistoryIsLong, isHistoryLong, requireKnownVersion } from './continue-as-new.ts';
import {
  type CampaignInput,
  type CampaignTarget,
  campaignProgress,
  type CancelCampaignRequest,
  type FactsMessage,
} from './messages.ts';
import { publishCampaignAttributes } from './search-attributes.ts';

/** State of one campaign and the few ways to change it, shared by the handlers and the main function. */
export class CampaignRun {
  readonly tenant: Tenant;
  readonly input: CampaignInput;
  readonly snapshot: CampaignSnapshot;
  /** Keys of all jobs and arrays, each after those that it depends on. */
  order: readonly string[];
  /** Set once the cluster said that it is gone or will not come. */
  gone: Failure | undefined;
  /** Jobs whose dependencies Slurm did not know, until newer facts arrive. */
  readonly deferred = new Set<string>();
  /** Whether the jobs are known; `failed` if their content cannot be read. */
  private plan: 'loading' | 'loaded' | 'failed';
  private changed = false;
  private onGone: () => void = () => {};
  private published = '';
  private reported = '';
  private attributes: CampaignView | undefined;

  constructor(input: CampaignInput, chunks: readonly JobChunk[]) {
    this.tenant = { virtualLabId: input.virtualLabId, projectId: input.projectId };
    this.input = input;
    requireKnownVersion(input.snapshot, [1, 2]);
    this.snapshot = input.snapshot
      ? readCampaignSnapshot(input.snapshot, chunks)
      : newCampaignSnapshot(input.jobKeys ?? [], nowIso());
    this.plan = input.snapshot || input.jobKeys ? 'loaded' : 'loading';
    this.order = orderOf(this.snapshot.jobs);
  }

  get isLoaded(): boolean {
    return this.plan === 'loaded';
  }

  /**
   * Whether the campaign submits, copies and listens at the same time. Runs that release 0.1.0 started do one after
   * the other, as their histories have it; the run that continues them does not.
   */
  get isSideBySide(): boolean {
    return this.input.jobCount !== undefined;
  }

  load(plan: CampaignPlan): void {
    this.snapshot.jobs = newJobs(jobsOfPlan(plan));
    if (plan.dependsOn) {
      this.snapshot.dependsOn = plan.dependsOn;
      const reason = 'Waiting until the campaigns that this one depends on have ended.';
      this.updateJobs((job) => ({ ...job, reason }));
    }
    this.order = orderOf(this.snapshot.jobs);
    this.plan = 'loaded';
    this.changed = true;
  }

  failToLoad(failure: Failure): void {
    this.snapshot.failure = failure;
    this.plan = 'failed';
  }

  async untilPlanIsKnown(): Promise<void> {
    await condition(() => this.plan !== 'loading');
  }

  view(): CampaignView {
    const { tenant, snapshot } = this;
    const { campaignId, content, jobCount } = this.input;
    if (this.isLoaded || jobCount === undefined) {
      return renderCampaignView(tenant, campaignId, content, snapshot, nowIso());
    }
    const state = this.plan === 'failed' ? 'rejected' : 'waiting';
    return renderViewBeforePlan(tenant, { campaignId, content, jobCount }, snapshot, nowIso(), state);
  }

  /** The cluster is ready. A campaign keeps the first target that it was given. */
  aim(target: CampaignTarget): void {
    this.snapshot.target ??= target;
    this.changed = true;
  }

  /** Takes in what Slurm says about jobs of this campaign; an old or foreign message changes nothing. */
  takeFacts({ epoch, sequence, facts, observedAt }: FactsMessage): void {
    const { snapshot } = this;
    if (epoch !== snapshot.target?.deployment.epoch || sequence <= snapshot.sequence) return;
    snapshot.sequence = sequence;
    const byKey = new Map(facts.map((fact) => [fact.jobKey, fact]));
    this.deferred.clear();
    this.updateJobs((job) => {
      const fact = factOf(job, byKey);
      return fact ? jobAfterNews(job, fact, observedAt) : job;
    });
  }

  /** Ends what Slurm does not have; the rest is up to Slurm, and to whoever tells it. */
  cancel(request: CancelCampaignRequest): void {
    const { jobKeys, reason, requestedBy } = request;
    if (!jobKeys) this.snapshot.cancellation ??= { reason, ...(requestedBy && { requestedBy }) };
    const words = reasonInWords(request);
    const now = nowIso();
    const change = (job: CampaignJob) => cancelJob(job, words, now);
    if (jobKeys) this.updateJobsOf(jobKeys, change);
    else this.updateJobs(change);
  }

  lose(failure: Failure): void {
    this.gone ??= failure;
    this.changed = true;
    this.onGone();
  }

  /** What ends running activities when the cluster goes. */
  onClusterGone(stop: () => void): void {
    this.onGone = stop;
  }

  updateJobs(change: (job: CampaignJob) => CampaignJob): void {
    this.snapshot.jobs = this.snapshot.jobs.map(change);
    this.changed = true;
  }

  /** Changes the jobs of these keys only; the key of an array stands for all of its tasks. */
  updateJobsOf(keys: Iterable<string>, change: (job: CampaignJob) => CampaignJob): void {
    const wanted = new Set(keys);
    this.updateJobs((job) => (isNamed(job, wanted) ? change(job) : job));
  }

  /** Says where the campaign stands; `since` is when it came into that state, also over continued runs. */
  enter(state: CampaignState, message: string): void {
    if (state !== this.snapshot.state) this.snapshot.since = nowIso();
    Object.assign(this.snapshot, { state, message });
  }

  /** Shows the view without a worker, and tells the cluster what the campaign still needs; only when it changed. */
  async publish(ended = false): Promise<void> {
    const view = this.view();
    const fingerprint = JSON.stringify({ ...view, observedAt: '' });
    if (fingerprint !== this.published) {
      this.published = fingerprint;
      publishCampaignAttributes(view, this.attributes);
      this.attributes = view;
      upsertMemo({ [CAMPAIGN_VIEW_MEMO]: view });
      setCurrentDetails(renderCampaignDetails(view));
    }
    // The cluster counts all jobs as waiting from the moment that it took the campaign.
    if (this.plan !== 'loading') await this.report(ended);
  }

  private async report(ended: boolean): Promise<void> {
    const { jobs } = this.snapshot;
    const progress = {
      campaignId: this.input.campaignId,
      unsubmittedJobs: unsubmitted(jobs).length,
      activeJobs: jobs.filter(({ state }) => !isTerminal(state)).length,
      ended,
    };
    const fingerprint = JSON.stringify(progress);
    if (fingerprint === this.reported) return;
    this.reported = fingerprint;
    try {
      await getExternalWorkflowHandle(clusterWorkflowId(this.tenant)).signal(campaignProgress, progress);
    } catch {
      // The cluster's entity does not run: terminated by an operator. The campaign goes on by what it knows.
    }
  }

  /** Something is to be looked at: ends the present wait. */
  wake(): void {
    this.changed = true;
  }

  /** Waits until something changed, at most so many seconds if given. Returns whether something did. */
  async nextChange(atMostSeconds?: number): Promise<boolean> {
    const isChanged = () => this.changed;
    const summary = 'Until jobs are tried again';
    if (atMostSeconds === undefined) await condition(isChanged);
    else await condition(isChanged, atMostSeconds * 1000, { summary });
    const changed = this.changed;
    this.changed = false;
    return changed;
  }

  /** Whether it is time to continue as new. A campaign whose cluster is gone is about to end instead. */
  get mustRollOver(): boolean {
    return !this.gone && isHistoryLong(this.input.historyEventLimit);
  }

  /** Continues as new if it is time. Nothing may be under way. */
  async rollOverIfNeeded(): Promise<void> {
    if (!this.mustRollOver) return;
    await continueIfHistoryIsLong(this.input.historyEventLimit, () => {
      const { jobKeys: _jobKeys, ...input } = this.input;
      const { stored, chunks } = storeCampaignSnapshot(this.snapshot);
      return [{ ...input, jobCount: this.snapshot.jobs.length, snapshot: stored }, ...chunks];
    });
  }
}
