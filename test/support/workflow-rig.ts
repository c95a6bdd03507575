import { type Client, type WorkflowHandle, WithStartWorkflowOperation } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { PreflightRequest } from '../../src/domain/preflight.ts';
import type { PreflightReport } from '../../src/domain/preflight.ts';
import { createSubnetLeaseActivities } from '../../src/activities/subnet-lease.ts';
import type { CampaignView, JobView } from '../../src/domain/campaign-view.ts';
import {
  type ClusterPolicy,
  type ClusterSnapshot,
  defaultClusterPolicy,
} from '../../src/domain/cluster-snapshot.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec-input.ts';
import { type ClusterSpec } from '../../src/domain/cluster-spec.ts';
import type { CampaignDependency } from '../../src/domain/dependencies.ts';
import { CLUSTER_VIEW_MEMO, type ClusterState, type ClusterView } from '../../src/domain/cluster-view.ts';
import {
  campaignWorkflowId,
  clusterWorkflowId,
  preflightWorkflowId,
  subnetPoolWorkflowId,
  type Tenant,
} from '../../src/domain/ids.ts';
import { listLeases } from '../../src/dev/leftovers.ts';
import type { QueueDemand } from '../../src/domain/queue-demands.ts';
import type { SpecNotes } from '../../src/domain/spec-notes.ts';
import {
  campaignJob,
  campaignView,
  cancelCampaign,
  type CancelCampaignRequest,
  clusterView,
  type EnsureAnswer,
  ensureCluster,
  submitCampaign,
  type SubmitCampaignAnswer,
  type SubmitCampaignRequest,
  type SubnetPoolInput,
  teardownCluster,
} from '../../src/workflows/messages.ts';
import type { FakeSlurm } from '../fakes/fake-slurm.ts';
import { type FakeContentJob, FakeWorld } from '../fakes/fake-world.ts';
import { continuedRunIds, madeHistories, type MadeHistory, readingHistories } from './replay.ts';

export interface RigOptions {
  readonly subnets?: number;
  readonly policy?: Partial<ClusterPolicy>;
  /** Of the workflows. */
  readonly bundlePath: string;
  /**
   * Runs workflows in a thread, as in production, where a task that computes for more than 5 s fails. Starting the
   * thread takes longer than most tests do.
   */
  readonly workflowThread?: boolean;
}

let taskQueueCounter = 0;

/** One test's own world, task queue and VPC. */
export class WorkflowRig {
  readonly env: TestWorkflowEnvironment;
  readonly world: FakeWorld;
  readonly policy: ClusterPolicy;
  readonly taskQueue: string;
  readonly vpcId: string;
  private readonly workflowIds = new Set<string>();
  private readonly bundlePath: string;
  private readonly workflowThread: boolean;

  private constructor(env: TestWorkflowEnvironment, options: RigOptions) {
    const number = ++taskQueueCounter;
    this.env = env;
    this.world = new FakeWorld(async () => env.currentTimeMs(), options.subnets);
    this.policy = { ...defaultClusterPolicy, ...options.policy };
    this.taskQueue = `test-${number}`;
    this.vpcId = `vpc-${number}`;
    this.bundlePath = options.bundlePath;
    this.workflowThread = options.workflowThread ?? false;
  }

  /**
   * Runs a body beside a worker.
   *
   * @returns the histories of every workflow that it started.
   */
  static async run(
    env: TestWorkflowEnvironment,
    options: RigOptions,
    body: (rig: WorkflowRig) => Promise<void>,
  ): Promise<MadeHistory[]> {
    const rig = new WorkflowRig(env, options);
    const worker = await rig.createWorker();
    await worker.runUntil(async () => {
      try {
        await body(rig);
      } finally {
        await rig.terminateAll();
      }
    });
    return readingHistories(env.address, async (client) => madeHistories(client, rig.allWorkflowIds()));
  }

  get client(): Client {
    return this.env.client;
  }

  async createWorker(): Promise<Worker> {
    const lease = createSubnetLeaseActivities({
      client: this.client,
      taskQueue: this.taskQueue,
      vpcId: this.vpcId,
      whoLivesIn: async (subnetId) => this.world.inhabitants.get(subnetId),
    });
    return Worker.create({
      connection: this.env.nativeConnection,
      taskQueue: this.taskQueue,
      workflowBundle: { codePath: this.bundlePath },
      activities: this.world.activities(lease),
      maxConcurrentActivityTaskExecutions: 50,
      debugMode: !this.workflowThread,
    });
  }

  tenant(name: string): Tenant {
    return { virtualLabId: `lab${this.taskQueue.replace('test-', '')}`, projectId: name };
  }

  spec(values: Record<string, unknown> = {}): ClusterSpec {
    return resolveClusterSpec(
      clusterSpecInputSchema.parse({ tier: 'debug', idleTimeoutSeconds: 120, ...values }),
    );
  }

  cluster(tenant: Tenant): WorkflowHandle {
    return this.client.workflow.getHandle(clusterWorkflowId(tenant));
  }

  async ensure(tenant: Tenant, spec: ClusterSpec = this.spec(), notes?: SpecNotes): Promise<EnsureAnswer> {
    return this.client.workflow.executeUpdateWithStart(ensureCluster, {
      startWorkflowOperation: this.startOperation(tenant),
      args: [{ spec, ...(notes && { notes }) }],
    });
  }

  /** Submits jobs, given by their keys or with dependencies. */
  async submit(
    tenant: Tenant,
    campaignId: string,
    jobs: readonly (string | FakeContentJob)[],
    extra: {
      spec?: ClusterSpec;
      notes?: SpecNotes;
      sha256?: string;
      queues?: string[];
      demands?: readonly QueueDemand[];
      dependsOn?: readonly CampaignDependency[];
    } = {},
  ): Promise<SubmitCampaignAnswer> {
    this.workflowIds.add(campaignWorkflowId(tenant, campaignId));
    const { sha256 = 'a', queues = [], demands, spec, notes, dependsOn } = extra;
    const content = { bucket: 'control', key: `${campaignId}.json`, sha256 };
    const asked = { ...(spec && { spec }), ...(notes && { notes }), ...(demands && { demands }) };
    const request = { campaignId, content, jobCount: jobs.length, queues, ...asked };
    const args: [SubmitCampaignRequest] = [request];
    this.world.contents.set(
      content.key,
      jobs.map((job) => (typeof job === 'string' ? { key: job } : job)),
    );
    if (dependsOn) this.world.campaignDependencies.set(content.key, dependsOn);
    // As the API does it: without a specification there is nothing to start.
    if (!spec) return this.cluster(tenant).executeUpdate(submitCampaign, { args });
    return this.client.workflow.executeUpdateWithStart(submitCampaign, {
      startWorkflowOperation: this.startOperation(tenant),
      args,
    });
  }

  async cancel(tenant: Tenant, campaignId: string, request: CancelCampaignRequest): Promise<CampaignView> {
    return this.campaignHandle(tenant, campaignId).executeUpdate(cancelCampaign, { args: [request] });
  }

  campaignHandle(tenant: Tenant, campaignId: string): WorkflowHandle {
    return this.client.workflow.getHandle(campaignWorkflowId(tenant, campaignId));
  }

  /** A job of a campaign as it stands. */
  async job(tenant: Tenant, campaignId: string, jobKey: string): Promise<JobView | null> {
    return this.campaignHandle(tenant, campaignId).query(campaignJob, { jobKey });
  }

  async teardown(tenant: Tenant, reason = 'asked for'): Promise<ClusterView> {
    return this.cluster(tenant).executeUpdate(teardownCluster, { args: [{ reason }] });
  }

  async view(tenant: Tenant): Promise<ClusterView> {
    return this.cluster(tenant).query(clusterView);
  }

  /** What can be read of a cluster past its queries: the view in its memo, and the text that Temporal's UI shows. */
  async shown(tenant: Tenant): Promise<{ readonly memo: unknown; readonly details: string }> {
    const { memo } = await this.cluster(tenant).describe();
    const details = await this.detailsOf(clusterWorkflowId(tenant));
    return { memo: memo?.[CLUSTER_VIEW_MEMO], details };
  }

  /** The text that Temporal's UI shows of a workflow. */
  async detailsOf(workflowId: string): Promise<string> {
    const metadata = await this.client.workflow
      .getHandle(workflowId)
      .query<{ currentDetails: string }>('__temporal_workflow_metadata');
    return metadata.currentDetails;
  }

  async campaign(tenant: Tenant, campaignId: string): Promise<CampaignView> {
    return this.campaignHandle(tenant, campaignId).query(campaignView);
  }

  /** Starts the entity without a request, as a client does that dies in between, or where another run stopped. */
  async start(tenant: Tenant, snapshot?: ClusterSnapshot): Promise<WorkflowHandle> {
    this.workflowIds.add(clusterWorkflowId(tenant));
    return this.client.workflow.start('cluster', {
      workflowId: clusterWorkflowId(tenant),
      taskQueue: this.taskQueue,
      args: [{ ...tenant, policy: this.policy, ...(snapshot && { snapshot }) }],
    });
  }

  /** Runs a workflow to its end. */
  async runWorkflow<Result>(workflowType: string, workflowId: string, ...args: unknown[]): Promise<Result> {
    this.workflowIds.add(workflowId);
    return this.client.workflow.execute(workflowType, { workflowId, taskQueue: this.taskQueue, args });
  }

  /** Judges a cluster without asking for it, as the API does. */
  async dryRun(request: PreflightRequest): Promise<PreflightReport> {
    const workflowId = preflightWorkflowId(request, 'test');
    this.workflowIds.add(workflowId);
    return this.client.workflow.execute('preflight', {
      workflowId,
      taskQueue: this.taskQueue,
      args: [request],
    });
  }

  /** Waits until a workflow that another one started has ended. */
  async workflowResult(workflowId: string): Promise<void> {
    this.workflowIds.add(workflowId);
    await this.client.workflow.getHandle(workflowId).result();
  }

  /** The pool of the rig's VPC, which begins with the first request unless it was started before. */
  pool(): WorkflowHandle {
    return this.client.workflow.getHandle(subnetPoolWorkflowId(this.vpcId));
  }

  /** Starts the pool with another limit than its default. */
  async startPool(historyEventLimit?: number): Promise<void> {
    const input: SubnetPoolInput = { vpcId: this.vpcId, ...(historyEventLimit && { historyEventLimit }) };
    await this.client.workflow.start('subnetPool', {
      workflowId: subnetPoolWorkflowId(this.vpcId),
      taskQueue: this.taskQueue,
      args: [input],
    });
  }

  /** Who holds a subnet and who waits for one, as the pool itself has it. */
  async leases(): Promise<readonly string[]> {
    return listLeases(this.client, this.vpcId);
  }

  /** How often a workflow continued as new. */
  async continuedRuns(workflowId: string): Promise<number> {
    return readingHistories(
      this.env.address,
      async (client) => (await continuedRunIds(client, workflowId)).length,
    );
  }

  /** Lets virtual time pass. */
  async pass(seconds: number): Promise<void> {
    await this.env.sleep(seconds * 1000);
  }

  /** Lets virtual time pass until the cluster is seen in one of the states, see {@link looking}. */
  async until(
    tenant: Tenant,
    states: ClusterState | readonly ClusterState[],
    withinSeconds = 3600,
  ): Promise<ClusterView> {
    const wanted = typeof states === 'string' ? [states] : states;
    return this.untilView(tenant, ({ state }) => wanted.includes(state), withinSeconds);
  }

  /** Lets virtual time pass until the view of the cluster is as wanted, see {@link looking}. */
  async untilView(
    tenant: Tenant,
    isWanted: (view: ClusterView) => boolean,
    withinSeconds = 3600,
  ): Promise<ClusterView> {
    const view = await this.looking(async () => this.view(tenant), isWanted, withinSeconds);
    if (isWanted(view)) return view;
    throw new Error(`not within ${withinSeconds} s: ${JSON.stringify(view)}`);
  }

  /** Makes a cluster and waits until it is ready; answers its Slurm. */
  async readyCluster(tenant: Tenant, spec = this.spec()): Promise<FakeSlurm> {
    await this.ensure(tenant, spec);
    const { clusterName } = await this.until(tenant, 'ready');
    return this.world.slurmOf(clusterName);
  }

  async untilCampaignEnds(tenant: Tenant, campaignId: string, withinSeconds = 3600): Promise<CampaignView> {
    const view = await this.looking(
      async () => this.campaign(tenant, campaignId),
      ({ endedAt }) => endedAt !== undefined,
      withinSeconds,
    );
    if (view.endedAt) return view;
    throw new Error(`campaign still ${view.state} after ${withinSeconds} s: ${view.message}`);
  }

  /**
   * Looks until a view is as wanted or the time is over, at first every 5 s of virtual time, later after a quarter of what
   * has passed, a minute at most: a look costs milliseconds, however long the sleep before it.
   */
  private async looking<View>(
    look: () => Promise<View>,
    isWanted: (view: View) => boolean,
    withinSeconds: number,
  ): Promise<View> {
    let view = await look();
    for (let passed = 0; passed < withinSeconds && !isWanted(view); view = await look()) {
      const step = Math.min(Math.max(5, Math.min(60, passed / 4)), withinSeconds - passed);
      await this.pass(step);
      passed += step;
    }
    return view;
  }

  private startOperation(tenant: Tenant) {
    this.workflowIds.add(clusterWorkflowId(tenant));
    return new WithStartWorkflowOperation('cluster', {
      workflowId: clusterWorkflowId(tenant),
      taskQueue: this.taskQueue,
      args: [{ ...tenant, policy: this.policy }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  }

  /**
   * Workflows without a worker would keep the test server busy with tasks that time out. A second passes first, in
   * which running activities end: the server never skips time again after a workflow was terminated beside one.
   */
  private async terminateAll(): Promise<void> {
    await this.pass(1);
    for (const workflowId of this.allWorkflowIds()) {
      await this.client.workflow
        .getHandle(workflowId)
        .terminate('the test is over')
        // It has ended by itself, or never began.
        .catch(() => undefined);
    }
  }

  private allWorkflowIds(): string[] {
    return [...this.workflowIds, subnetPoolWorkflowId(this.vpcId)];
  }
}
