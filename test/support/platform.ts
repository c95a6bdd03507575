import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeSubnetsCommand } from '@aws-sdk/client-ec2';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { CampaignUsageView, UsageReportView } from '../../src/api/usage-schemas.ts';
import type { CampaignView, JobView } from '../../src/domain/campaign-view.ts';
import type { ClusterState, ClusterView } from '../../src/domain/cluster-view.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { type ClusterSnapshot, defaultClusterPolicy } from '../../src/domain/cluster-snapshot.ts';
import {
  clusterWorkflowId,
  reaperWorkflowId,
  subnetPoolWorkflowId,
  type Tenant,
} from '../../src/domain/ids.ts';
import type { CampaignSpecInput } from '../../src/domain/job.ts';
import type { CloudOptions } from '../../src/dev/head-node/cloud-options.ts';
import { listLeases, surveyAccount } from '../../src/dev/leftovers.ts';
import { type SlurmNodePool, startHeadNodePool } from '../../src/dev/head-node-pool.ts';
import type { ManagedProcess } from '../../src/dev/managed-process.ts';
import { type Product, startProduct } from '../../src/dev/product.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import type { PriceRefresh } from '../../src/domain/price-refresh.ts';
import type { ReconcileReport } from '../../src/domain/sweep-report.ts';
import { acquireLease, type AcquireRequest } from '../../src/workflows/messages.ts';
import type { reconcile } from '../../src/workflows/reconcile.workflow.ts';
import type { refreshPrices } from '../../src/workflows/refresh-prices.workflow.ts';
import { searchAttributes } from '../../src/workflows/search-attributes.ts';
import { replayServer } from './replay-server.ts';

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

type Variables = Readonly<Record<string, string>>;

/** What can be killed. */
export type Part = 'api' | 'worker' | 'temporal';

/** The whole product on the embedded stack, used as the Workflow Service uses it: over HTTP. */
export class Platform {
  readonly stack: Stack;
  readonly product: Product;
  private readonly connection: Connection;
  private readonly temporal: Client;
  private readonly directory: string;
  private readonly headNodes: SlurmNodePool;
  /** What the foundation itself consists of. */
  private foundation: readonly string[] = [];

  private constructor(stack: Stack, headNodes: SlurmNodePool, product: Product, directory: string) {
    this.stack = stack;
    this.headNodes = headNodes;
    this.product = product;
    this.connection = Connection.lazy({ address: product.env['TEMPORAL_ADDRESS'] ?? '' });
    this.temporal = new Client({ connection: this.connection });
    this.directory = directory;
  }

  /** Once in a test file; with further environment variables of the product, and nodes that behave otherwise. */
  static async start(
    variables: Variables | ((stack: Stack) => Promise<Variables>) = {},
    cloud: Partial<CloudOptions> = {},
  ): Promise<Platform> {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    const directory = await mkdtemp(join(tmpdir(), 'pcp-e2e-'));
    const pool = Promise.withResolvers<SlurmNodePool>();
    const headNodes = async (context: Parameters<typeof startHeadNodePool>[0]) => {
      const started = await startHeadNodePool({ ...context, cloud });
      pool.resolve(started);
      return started;
    };
    const stack = await startStack({ directory, headNodes, onProgress: () => {} });
    try {
      const platform = new Platform(
        stack,
        await pool.promise,
        await startProduct(stack, typeof variables === 'function' ? await variables(stack) : variables),
        directory,
      );
      platform.foundation = await platform.leftovers();
      return platform;
    } catch (error) {
      await stack.close();
      throw error;
    }
  }

  /** Stops everything; before, replays every workflow that the tests ran: what the code cannot replay fails them. */
  async close(): Promise<void> {
    try {
      await this.product.close();
      await replayServer(this.temporal);
    } finally {
      await this.connection.close();
      await this.stack.close();
      await rm(this.directory, { recursive: true });
    }
  }

  async request<T>(
    method: string,
    path: string,
    options: { body?: unknown; key?: string } = {},
  ): Promise<Answer<T>> {
    const { body, key } = options;
    const response = await fetch(this.product.apiUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${this.product.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key && { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }

  path({ virtualLabId, projectId }: Tenant): string {
    return `/v1/virtual-labs/${virtualLabId}/projects/${projectId}/cluster`;
  }

  /** Repeats a request while the service asks for it, as a caller should. */
  async persist<T>(send: () => Promise<Answer<T>>): Promise<Answer<T>> {
    for (let attempt = 0; ; attempt++) {
      const answer = await send();
      if (answer.status !== 503 || attempt >= 60) return answer;
      await sleep(500);
    }
  }

  async ensure(tenant: Tenant, spec: Record<string, unknown>): Promise<Answer<ClusterView>> {
    return this.persist(async () => this.request('PUT', this.path(tenant), { body: spec }));
  }

  async submit(tenant: Tenant, key: string, campaign: CampaignSpecInput): Promise<string> {
    const answer = await this.persist(async () =>
      this.request<{ campaignId: string }>('POST', `${this.path(tenant)}/campaigns`, { body: campaign, key }),
    );
    if (answer.status !== 202)
      throw new Error(`not accepted: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body.campaignId;
  }

  async cluster(tenant: Tenant): Promise<ClusterView> {
    return this.read(this.path(tenant));
  }

  /** What the project used in the last 30 days. */
  async usage(tenant: Tenant): Promise<UsageReportView> {
    return this.read(this.path(tenant).replace(/cluster$/, 'usage'));
  }

  async campaignUsage(tenant: Tenant, campaignId: string): Promise<CampaignUsageView> {
    return this.read(`${this.path(tenant)}/campaigns/${campaignId}/usage`);
  }

  async campaign(tenant: Tenant, campaignId: string): Promise<CampaignView & { readonly jobs: JobView[] }> {
    return this.read(`${this.path(tenant)}/campaigns/${campaignId}?pageSize=500`);
  }

  private async read<T>(path: string): Promise<T> {
    const answer = await this.persist(async () => this.request<T>('GET', path));
    if (answer.status !== 200)
      throw new Error(`GET ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async log(tenant: Tenant, campaignId: string, jobKey: string, kind: string): Promise<Answer<string>> {
    return this.request('GET', `${this.path(tenant)}/campaigns/${campaignId}/jobs/${jobKey}/logs/${kind}`);
  }

  async until(tenant: Tenant, states: readonly ClusterState[], withinSeconds = 90): Promise<ClusterView> {
    return eventually(
      () => this.cluster(tenant),
      ({ state }) => states.includes(state),
      withinSeconds,
    );
  }

  async untilCampaign(
    tenant: Tenant,
    campaignId: string,
    isReached: (view: CampaignView & { readonly jobs: readonly JobView[] }) => boolean = ({ endedAt }) =>
      endedAt !== undefined,
    withinSeconds = 90,
  ): Promise<CampaignView & { readonly jobs: JobView[] }> {
    return eventually(() => this.campaign(tenant, campaignId), isReached, withinSeconds);
  }

  /** Until CloudFormation has been asked for the tenant's stack. */
  async untilStackBegins(tenant: Tenant, withinSeconds = 30): Promise<void> {
    const { clusterName } = await this.cluster(tenant);
    await eventually(
      () => this.leftovers(),
      (names) => names.some((name) => name.startsWith('stack') && name.includes(clusterName)),
      withinSeconds,
    );
  }

  /** `kill -9`, as a machine that loses its power. */
  kill(part: Part): void {
    process.kill(this.processOf(part).pid, 'SIGKILL');
  }

  /** Starts a part again where it was, and waits until it is healthy. */
  async restart(part: Part): Promise<void> {
    await this.processOf(part).restart();
  }

  /** Lets all processes of these names on a tenant's head node stand still, or go on. */
  async signalHeadNode(
    tenant: Tenant,
    signal: 'STOP' | 'CONT',
    processNames: readonly string[],
  ): Promise<void> {
    await this.onHeadNode(tenant, ['pkill', `-${signal}`, `^(${processNames.join('|')})`]);
  }

  /** Runs a command as root on a tenant's head node and returns what it prints. */
  async onHeadNode(tenant: Tenant, argv: readonly string[]): Promise<string> {
    const { clusterName } = await this.cluster(tenant);
    const { code, stdout, stderr } = await this.headNodes.exec(clusterName, argv);
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** Sweeps at once, as the schedule does, and answers the report. */
  async sweep(): Promise<ReconcileReport> {
    const options = {
      taskQueue: 'parallelcluster-provisioner',
      workflowId: `sweep-${randomUUID()}`,
    };
    return this.temporal.workflow.execute<typeof reconcile>('reconcile', options);
  }

  /** How the refreshes of prices have ended that the Schedule has begun. */
  async priceRefreshes(): Promise<PriceRefresh[]> {
    const query = "WorkflowType = 'refreshPrices' AND ExecutionStatus = 'Completed'";
    const results: PriceRefresh[] = [];
    for await (const { workflowId, runId } of this.temporal.workflow.list({ query }))
      results.push(await this.temporal.workflow.getHandle<typeof refreshPrices>(workflowId, runId).result());
    return results;
  }

  /** Runs to its end what a sweep begins for an orphan. */
  async runReaper(orphan: Deployment, snapshot: ClusterSnapshot): Promise<void> {
    const { virtualLabId, projectId } = orphan;
    await this.temporal.workflow.execute('cluster', {
      taskQueue: 'parallelcluster-provisioner',
      workflowId: reaperWorkflowId(orphan),
      args: [{ virtualLabId, projectId, policy: defaultClusterPolicy, snapshot }],
    });
  }

  /** Leases a subnet to a deployment, as its workflow would. */
  async lease(deployment: Deployment): Promise<void> {
    const pool = this.temporal.workflow.getHandle(subnetPoolWorkflowId(this.product.env['VPC_ID'] ?? ''));
    const holderWorkflowId = clusterWorkflowId(deployment);
    const args: [AcquireRequest] = [{ epoch: deployment.epoch, holderWorkflowId }];
    const { status } = await pool.executeUpdate(acquireLease, { args });
    if (status !== 'leased') throw new Error(`${deployment.clusterName} got no subnet`);
  }

  async terminate(workflowId: string): Promise<void> {
    await this.temporal.workflow.getHandle(workflowId).terminate('a test');
  }

  /** What the search attribute says that a tenant's cluster costs an hour. */
  async hourlyCostUsd(tenant: Tenant): Promise<number | undefined> {
    const { typedSearchAttributes } = await this.temporal.workflow
      .getHandle(clusterWorkflowId(tenant))
      .describe();
    return typedSearchAttributes.get(searchAttributes.hourlyCostUsd);
  }

  /** A subnet of the pool. */
  async anySubnet(): Promise<string> {
    const { Subnets = [] } = await this.stack.aws.ec2.send(new DescribeSubnetsCommand({}));
    return Subnets[0]?.SubnetId ?? '';
  }

  processOf(part: Part): ManagedProcess {
    return part === 'temporal' ? this.stack.temporal : this.product[part];
  }

  /** Names of all that is left of any tenant's cluster in emulated AWS and in the subnet pool, leaving out logs. */
  async leftovers(): Promise<string[]> {
    const { env } = this.product;
    const survey = await surveyAccount(this.stack.aws, async () =>
      listLeases(this.temporal, env['VPC_ID'] ?? ''),
    );
    const names = [
      ...survey.stacks.map((name) => `stack ${name}`),
      ...survey.keyPairs.map((name) => `key pair ${name}`),
      ...survey.secrets.map((name) => `secret ${name}`),
      ...survey.accessPoints.map((name) => `access point ${name}`),
      ...survey.fileSystems.map((name) => `file system ${name}`),
      ...survey.leases.map((name) => `lease ${name}`),
    ];
    return names.filter((name) => !this.foundation.includes(name));
  }
}

/** Looks until it is so. */
export async function eventually<T>(
  look: () => Promise<T>,
  isReached: (seen: T) => boolean,
  withinSeconds: number,
): Promise<T> {
  const deadline = Date.now() + withinSeconds * 1000;
  for (;;) {
    const seen = await look();
    if (isReached(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`not within ${withinSeconds} s: ${JSON.stringify(seen)}`);
    await sleep(400);
  }
}
