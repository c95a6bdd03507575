import { condition, getExternalWorkflowHandle, setCurrentDetails, upsertMemo } from '@temporalio/workflow';
import {
  newCampaignSnapshot,
  renderCampaignDetails,
  renderCampaignView,
  unsubmitted,
} from '../domain/campaign.ts';
import type { CampaignSnapshot } from '../domain/campaign-snapshot.ts';
import type { CampaignState, CampaignView, JobView } from '../domain/campaign-view.ts';
import { CAMPAIGN_VIEW_MEMO } from '../domain/cluster-view.ts';
import type { Failure } from '../domain/failures.ts';
import { clusterWorkflowId, type Tenant } from '../domain/ids.ts';
import { jobAfterFact } from '../domain/job-state.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { continueIfHistoryIsLong, requireKnownVersion } from './continue-as-new.ts';
import { type CampaignInput, type CampaignTarget, campaignProgress, type FactsMessage } from './messages.ts';
import { publishCampaignAttributes } from './search-attributes.ts';

function nowIso(): string {
  return new Date().toISOString();
}

/** State of one campaign and the few ways to change it, shared by the handlers and the main function. */
export class CampaignRun {
  readonly tenant: Tenant;
  readonly input: CampaignInput;
  readonly snapshot: CampaignSnapshot;
  /** Set once the cluster said that it is gone or will not come. */
  gone: Failure | undefined;
  private changed = false;
  private onGone: () => void = () => {};
  private published = '';
  private reported = '';
  private attributes: CampaignView | undefined;

  constructor(input: CampaignInput) {
    this.tenant = { virtualLabId: input.virtualLabId, projectId: input.projectId };
    this.input = input;
    requireKnownVersion(input.snapshot);
    this.snapshot = input.snapshot ?? newCampaignSnapshot(input.jobKeys, nowIso());
  }

  view(): CampaignView {
    const { campaignId, content } = this.input;
    return renderCampaignView(this.tenant, campaignId, content, this.snapshot, nowIso());
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
    this.updateJobs((job) => {
      const fact = byKey.get(job.key);
      return fact ? jobAfterFact(job, fact, observedAt) : job;
    });
  }

  lose(failure: Failure): void {
    this.gone ??= failure;
    this.changed = true;
    this.onGone();
  }

  /** What ends a running activity when the cluster goes. */
  onClusterGone(stop: () => void): void {
    this.onGone = stop;
  }

  updateJobs(change: (job: JobView) => JobView): void {
    this.snapshot.jobs = this.snapshot.jobs.map(change);
    this.changed = true;
  }

  /** Puts new views in the place of the jobs of the same key. */
  replaceJobs(views: readonly JobView[]): void {
    const byKey = new Map(views.map((view) => [view.key, view]));
    this.updateJobs((job) => byKey.get(job.key) ?? job);
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
    await this.report(ended);
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

  /** Waits until a message changed something. */
  async nextChange(): Promise<void> {
    await condition(() => this.changed);
    this.changed = false;
  }

  /** Continues as new when the history is long enough. One whose cluster is gone is about to end instead. */
  async rollOverIfNeeded(): Promise<void> {
    if (this.gone) return;
    await continueIfHistoryIsLong(this.input.historyEventLimit, () => ({
      ...this.input,
      jobKeys: [],
      snapshot: this.snapshot,
    }));
  }
}
