import { ApplicationFailure, condition, setCurrentDetails, upsertMemo, uuid4 } from '@temporalio/workflow';
import type { CostAccount } from '../domain/budget.ts';
import { settleCosts } from '../domain/cluster-cost.ts';
import { clusterName } from '../domain/cluster-name.ts';
import { renderClusterDetails } from '../domain/cluster-details.ts';
import {
  type ClusterPolicy,
  type ClusterSnapshot,
  type DeploymentRecord,
  newClusterSnapshot,
  type TeardownCause,
} from '../domain/cluster-snapshot.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import { canTransition, isLive, isRecallable } from '../domain/cluster-state.ts';
import { CLUSTER_VIEW_MEMO, type ClusterState, type ClusterView } from '../domain/cluster-view.ts';
import { renderClusterView, sameView } from '../domain/cluster-render.ts';
import { type Failure, failureOf } from '../domain/failures.ts';
import { pendingUpdate } from '../domain/spec-update-record.ts';
import type { Deployment } from '../domain/deployment.ts';
import { newEpochId, type Tenant } from '../domain/ids.ts';
import type { Resolution } from '../domain/lifetime.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import { continueIfHistoryIsLong, isHistoryLong, requireKnownVersion } from './continue-as-new.ts';
import { measureCosts } from './cost-metrics.ts';
import { JobLister } from './job-lister.ts';
import type { ClusterInput } from './messages.ts';
import { publishClusterAttributes } from './search-attributes.ts';

/**
 * State of one tenant's cluster entity and the few ways to change it. Handlers and the main loop share it; neither
 * keeps a part of it across an await without reading it anew.
 */
export class ClusterEntity {
  readonly tenant: Tenant;
  readonly policy: ClusterPolicy;
  readonly snapshot: ClusterSnapshot;
  /** Campaigns whose workflow is being started; none when a run continues as new, which waits for all handlers. */
  readonly startingCampaigns = new Set<string>();
  readonly jobLister = new JobLister();
  /** Set by messages that make the main loop look at once. */
  private awake = false;
  /** When it was last tried to tell somebody how the budget stands, since 1970; 0 if that succeeded. */
  notifiedBudgetAtMs = 0;
  /** The copy of costs that is under way. */
  copyUnderWay: Promise<void> | undefined;
  private stopProvisioning: () => void = () => {};
  private opening: Promise<CostAccount> | undefined;
  private published: ClusterView | undefined;

  constructor(input: ClusterInput) {
    const { virtualLabId, projectId, policy, snapshot } = input;
    this.tenant = { virtualLabId, projectId };
    this.policy = policy;
    requireKnownVersion(snapshot);
    this.snapshot = snapshot ?? newClusterSnapshot(nowIso());
  }

  view(): ClusterView {
    return renderClusterView(this.tenant, clusterName(this.tenant), this.snapshot, nowIso());
  }

  /** The present deployment as activities want it. */
  deployment(record: DeploymentRecord): Deployment {
    return { ...this.tenant, clusterName: clusterName(this.tenant), epoch: record.epoch };
  }

  /** The deployment that must exist in the present state. */
  record(): DeploymentRecord {
    const { deployment, state } = this.snapshot;
    if (!deployment) throw ApplicationFailure.nonRetryable(`No deployment in state ${state}`);
    return deployment;
  }

  /** Moves to another state, saying in plain words what happens there. */
  enter(state: ClusterState, message: string): void {
    if (!canTransition(this.snapshot.state, state)) {
      throw ApplicationFailure.nonRetryable(`A cluster cannot go from ${this.snapshot.state} to ${state}`);
    }
    this.snapshot.state = state;
    this.snapshot.since = nowIso();
    this.say(message);
  }

  /** Changes the message of the present state. */
  say(message: string): void {
    this.snapshot.message = message;
    this.publish();
  }

  /** Shows the view where it can be read without a worker; only when something in it changed. */
  publish(): void {
    this.settleCosts();
    const view = this.view();
    if (this.published && sameView(this.published, view)) return;
    publishClusterAttributes(view, this.published);
    measureCosts(view, this.published);
    this.published = view;
    upsertMemo({ [CLUSTER_VIEW_MEMO]: view });
    setCurrentDetails(renderClusterDetails(view, this.snapshot.placement?.tries));
  }

  /** Counts what the deployment has cost up to now. */
  settleCosts(): void {
    settleCosts(this.snapshot, nowIso(), this.policy.idleTickSeconds);
  }

  /**
   * What the tenant has spent and may: an entity that is new to it reads it from the control bucket, where an earlier one has
   * left it. AwsUnavailable, …
   */
  async openAccount(): Promise<CostAccount> {
    if (this.snapshot.account) return this.snapshot.account;
    this.opening ??= activities.readCostAccount(this.tenant);
    try {
      const read = await this.opening;
      // Another message that waited for the same can have changed it already.
      return (this.snapshot.account ??= read);
    } finally {
      this.opening = undefined;
    }
  }

  /** Whether a specification waits to be deployed. */
  isAskedFor(): boolean {
    return this.snapshot.requested !== undefined;
  }

  /** The specification of the cluster that exists or comes, leaving out one that is on its way out for good. */
  currentSpec(): ClusterSpec | undefined {
    const { requested, deployment } = this.snapshot;
    if (requested) return requested;
    return this.isLive() || this.isRecallable() ? deployment?.spec : undefined;
  }

  /** The same, as it was asked for: the cluster may be of a fallback tier. */
  askedSpec(): ClusterSpec | undefined {
    const current = this.currentSpec();
    return current && (this.snapshot.placement?.asked ?? current);
  }

  /** What was said about the specification that {@link currentSpec} gives. */
  currentNotes(): SpecNotes | undefined {
    const { requested, requestedNotes, deployment } = this.snapshot;
    return requested ? requestedNotes : deployment?.notes;
  }

  isLive(): boolean {
    return isLive(this.snapshot.state) && !this.snapshot.teardown;
  }

  /** A teardown began because of idleness, and nothing was deleted yet. */
  isRecallable(): boolean {
    const { state, teardown } = this.snapshot;
    return teardown?.kind === 'idle' && (isRecallable(state) || state === 'ready');
  }

  /** Asks for a deployment of this specification; it begins when the present one, if any, is gone. */
  request(spec: ClusterSpec, notes: SpecNotes | undefined): void {
    this.snapshot.requested = spec;
    delete this.snapshot.placement;
    if (notes) this.snapshot.requestedNotes = notes;
    const { state } = this.snapshot;
    if (state === 'deleted' || state === 'failed') {
      delete this.snapshot.failure;
      this.enter('requested', 'Asked for; provisioning begins.');
    } else if (state === 'requested') {
      this.say('Asked for; provisioning begins.');
    } else {
      this.publish();
    }
  }

  /** Makes the requested specification the present deployment, with an epoch of its own. */
  beginDeployment(): DeploymentRecord {
    const { requested: spec, requestedNotes: notes } = this.snapshot;
    if (!spec) throw ApplicationFailure.nonRetryable('Nothing was asked for');
    delete this.snapshot.requested;
    delete this.snapshot.requestedNotes;
    delete this.snapshot.failure;
    const startedAt = nowIso();
    const record: DeploymentRecord = {
      epoch: newEpochId(Date.parse(startedAt), uuid4()),
      startedAt,
      spec,
      ...(notes && { notes }),
      resources: {},
    };
    this.snapshot.deployment = record;
    this.enter('provisioning', 'Provisioning begins.');
    return record;
  }

  /** Notes that the deployment must go; the main loop acts on it. A stronger cause replaces idleness. */
  beginTeardown(cause: TeardownCause): void {
    const { teardown } = this.snapshot;
    const isFinal = cause.kind === 'requested' && !teardown?.failure;
    if (!teardown || teardown.kind === 'idle' || isFinal) this.snapshot.teardown = cause;
    if (cause.failure) this.snapshot.failure = cause.failure;
    this.stopProvisioning();
    this.wake();
  }

  /** A pending change of the specification has ended, with a failure if it did not succeed. */
  endUpdate(failure?: Failure): void {
    const update = pendingUpdate(this.snapshot.update);
    if (update) this.snapshot.update = { ...update, endedAt: nowIso(), ...(failure && { failure }) };
  }

  /** The cluster is to go, and no other one is to follow. */
  teardown(reason: string): void {
    const { snapshot } = this;
    this.endUpdate(failureOf('ClusterDeleting', `The cluster was not changed: ${reason}`));
    delete snapshot.requested;
    delete snapshot.requestedNotes;
    // They were accepted for this cluster, not for another one that somebody may ask for before it is gone.
    for (const campaign of Object.values(snapshot.campaigns))
      if (campaign.targetEpoch === undefined) campaign.isDismissed = true;
    if (snapshot.deployment) this.beginTeardown({ kind: 'requested', reason });
    else if (snapshot.state === 'requested')
      this.enter('deleted', `Deleted before it was provisioned: ${reason}`);
    this.publish();
    this.wake();
  }

  /** Takes an idle teardown back. The main loop finds the cluster ready again. */
  recall(message: string): void {
    const { snapshot } = this;
    delete snapshot.teardown;
    delete snapshot.idleSince;
    // What was wrong with the teardown, and what was given up for it, is of no concern to the next one.
    delete snapshot.failure;
    delete snapshot.deployment?.discard;
    if (snapshot.state !== 'ready') this.enter('ready', message);
    this.wake();
  }

  /** Forgets the deployment that is gone. */
  endDeployment(state: 'deleted' | 'failed', message: string): void {
    const { snapshot } = this;
    // What it has cost up to now stays with the tenant.
    this.settleCosts();
    // One that is placed anew is the same cluster to whoever holds it.
    if (snapshot.teardown?.kind !== 'placed-anew' || !snapshot.requested) snapshot.holds = [];
    for (const key of [
      'deployment',
      'teardown',
      'activity',
      'blindSince',
      'blindBecause',
      'idleSince',
    ] as const)
      delete snapshot[key];
    if (state === 'failed') this.endUpdate(snapshot.failure);
    this.enter(state, message);
    if (snapshot.requested) this.enter('requested', 'The next deployment begins.');
  }

  /** What interrupts provisioning when a teardown is asked for. */
  onStopProvisioning(stop: () => void): void {
    this.stopProvisioning = stop;
  }

  /** An operator cancelled the workflow: the cluster goes, then the workflow ends. */
  cancel(): void {
    this.snapshot.cancelled = true;
    this.teardown('The workflow was cancelled by an operator.');
  }

  isCancelled(): boolean {
    return this.snapshot.cancelled === true;
  }

  resolve(answer: Resolution): void {
    this.snapshot.resolution = answer;
  }

  /** Waits for an operator's answer in state `blocked`; undefined if something else is to be done before it comes. */
  async awaitResolution(isInterrupted: () => boolean): Promise<Resolution | undefined> {
    await condition(() => this.snapshot.resolution !== undefined || isInterrupted());
    const { resolution } = this.snapshot;
    delete this.snapshot.resolution;
    return resolution;
  }

  /** Ends the main loop's present sleep. */
  wake(): void {
    this.awake = true;
  }

  /** Sleeps until something happens, at most `ms`. Returns whether something did. */
  async sleepUntilWoken(ms: number, summary: string): Promise<boolean> {
    const woken = await condition(() => this.awake, ms, { summary });
    this.awake = false;
    return woken;
  }

  async waitUntilWoken(): Promise<void> {
    await condition(() => this.awake);
    this.awake = false;
  }

  /** Whether it is time to continue as new. */
  get mustRollOver(): boolean {
    return isHistoryLong(this.policy.historyEventLimit);
  }

  /** Continues as new when the history is long enough. Only called where the snapshot alone says what comes next. */
  async rollOverIfNeeded(): Promise<void> {
    const { tenant, policy, snapshot } = this;
    await continueIfHistoryIsLong(policy.historyEventLimit, () => [{ ...tenant, policy, snapshot }]);
  }
}
