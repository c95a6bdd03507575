import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { DevAwsClients } from '../aws-clients.ts';
import { EMULATED_REGION } from '../emulated-account.ts';
import type { HeadNodeSpec } from '../head-node/head-node-spec.ts';
import { mergedTags, parseClusterConfiguration } from './cluster-configuration.ts';
import type { UpdateReport } from '../pcluster-update-judge.ts';
import { createClusterStack, deleteClusterStack, stackExists, stackTags } from './cluster-stack.ts';
import { planHeadNode, type StorageFolders } from './head-node-plan.ts';
import { flatten } from './response.ts';
import type { JudgeUpdate, ValidateConfiguration } from './schema-validation.ts';

/** The ParallelCluster release whose provider is played. */
const VERSION = '3.16.1';

/** Starts and stops real Slurm head nodes. */
export interface HeadNodePort {
  /** Returns once Slurm answers and every custom action has succeeded. */
  start(spec: HeadNodeSpec): Promise<{ address: string }>;
  /** Puts other queues and settings of Slurm into force while jobs run. */
  update(spec: HeadNodeSpec): Promise<void>;
  /** Returns once nothing of the node is left. A node that is not there is no error. */
  stop(clusterName: string): Promise<void>;
}

/** What clusters are made with. */
export interface ClustersOptions {
  readonly clients: DevAwsClients;
  readonly headNodes: HeadNodePort;
  readonly storage: StorageFolders;
  readonly validate: ValidateConfiguration;
  readonly judgeUpdate: JudgeUpdate;
  readonly logger: Logger;
  /** Where the operator finds what went wrong; takes the place of the provider's log group in messages. */
  readonly logFile: string;
}

/** A configuration to be put into force, and the stack that asks for it. */
export interface ClusterRequest {
  readonly clusterName: string;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly outerStackId: string;
}

interface Cluster {
  /** What the running head node was made from. */
  readonly spec: HeadNodeSpec;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly attributes: Readonly<Record<string, string>>;
  readonly stackArn: string;
}

/** The clusters that the stand-in runs: what `pcluster` does on AWS, with real head nodes on this machine. */
export class Clusters {
  readonly #options: ClustersOptions;
  readonly #clusters = new Map<string, Cluster>();

  constructor(options: ClustersOptions) {
    this.#options = options;
  }

  /** @throws Error in the words of the official provider. Nothing of a failed creation stays. */
  async create(request: ClusterRequest): Promise<Readonly<Record<string, string>>> {
    const { clusterName } = request;
    if (await stackExists(this.#options.clients.cloudFormation, clusterName)) {
      throw apiError(`Bad Request: Cluster ${clusterName} already exists.`);
    }
    const { spec, tags, instanceType } = await this.#plan(request);
    const stackArn = await createClusterStack(this.#options.clients.cloudFormation, clusterName, tags);
    const { configuration } = request;
    const incomplete = { spec, configuration, stackArn, attributes: {} };
    this.#clusters.set(clusterName, incomplete);
    try {
      const address = await this.#startHeadNode(spec);
      await this.#assertStillWanted(request);
      const attributes = describeCluster({ clusterName, stackArn, instanceType, address });
      this.#clusters.set(clusterName, { ...incomplete, attributes });
      return attributes;
    } catch (error) {
      await this.delete(clusterName);
      throw error;
    }
  }

  /**
   * Puts another configuration into force, as far as ParallelCluster's update policies allow it while nodes may run. Jobs go
   * on.
   */
  async update(request: ClusterRequest): Promise<Readonly<Record<string, string>>> {
    const { clusterName, configuration } = request;
    const before = this.#clusters.get(clusterName);
    if (before === undefined) throw apiError(`Not Found: Cluster ${clusterName} does not exist.`);
    const { spec } = await this.#plan(request);
    const report = await this.#options.judgeUpdate(before.configuration, configuration);
    if (!report.allowed)
      throw apiError('Update failure', { update_validation_errors: refusedChanges(report) });
    if (!isDeepStrictEqual(spec, before.spec)) await this.#options.headNodes.update(spec);
    const attributes = {
      ...before.attributes,
      clusterStatus: 'UPDATE_COMPLETE',
      cloudFormationStackStatus: 'UPDATE_COMPLETE',
      lastUpdatedTime: new Date().toISOString(),
    };
    this.#clusters.set(clusterName, { ...before, spec, configuration, attributes });
    return attributes;
  }

  /** Takes a cluster down with its stack. One that is not there is no error, as for the official provider. */
  async delete(clusterName: string): Promise<void> {
    const cluster = this.#clusters.get(clusterName);
    if (cluster === undefined) return;
    await this.#options.headNodes.stop(clusterName);
    await deleteClusterStack(this.#options.clients.cloudFormation, cluster.stackArn);
    this.#clusters.delete(clusterName);
  }

  /** Stops all head nodes, when the stack ends. */
  async close(): Promise<void> {
    const names = [...this.#clusters.keys()];
    this.#clusters.clear();
    await Promise.all(names.map(async (name) => this.#options.headNodes.stop(name)));
  }

  /** CloudFormation sends a Delete for a resource whose creation it calls off; the emulator does not. */
  async #assertStillWanted({ clusterName, outerStackId }: ClusterRequest): Promise<void> {
    if (await stackExists(this.#options.clients.cloudFormation, outerStackId)) return;
    throw new Error(`${clusterName}: its stack was deleted while it was being created`);
  }

  async #plan(
    request: ClusterRequest,
  ): Promise<{ spec: HeadNodeSpec; tags: { Key: string; Value: string }[]; instanceType: string }> {
    const { clients, validate, storage } = this.#options;
    const { clusterName } = request;
    const tags = mergedTags(
      await stackTags(clients.cloudFormation, request.outerStackId),
      request.configuration,
    );
    const configuration = { ...request.configuration, Tags: tags };
    const findings = await validate(clusterName, configuration);
    if (findings.length > 0) {
      throw apiError('Invalid cluster configuration.', { configuration_validation_errors: findings });
    }
    const parsed = parseClusterConfiguration(configuration);
    const spec = await planHeadNode(clients, clusterName, parsed, storage);
    return { spec, tags, instanceType: parsed.HeadNode.InstanceType };
  }

  async #startHeadNode(spec: HeadNodeSpec): Promise<string> {
    try {
      const { address } = await this.#options.headNodes.start(spec);
      return address;
    } catch (error) {
      const { logger, logFile } = this.#options;
      logger.error({ clusterName: spec.clusterName, err: error }, 'head node did not start');
      await this.#options.headNodes.stop(spec.clusterName);
      // The official provider tells no more than the failure code and where its log is.
      const message = `${spec.clusterName}: HeadNodeBootstrapFailure (LogGroup: ${logFile})`;
      throw new Error(message, { cause: error });
    }
  }
}

/** In the words of ParallelCluster's API (`UpdateClusterBadRequest`). */
function refusedChanges({ changes }: UpdateReport): object[] {
  return changes
    .filter(({ check }) => check !== 'SUCCEEDED')
    .map(({ parameter, currentValue, requestedValue, reason }) => ({
      parameter,
      current_value: currentValue,
      requested_value: requestedValue,
      message: reason,
    }));
}

/** An error of ParallelCluster's API as the official provider writes it: as JSON, the message last. */
function apiError(message: string, details: object = {}): Error {
  return new Error(JSON.stringify({ ...details, message }));
}

/** `DescribeCluster` of ParallelCluster's API without the parts that the official provider drops. */
function describeCluster(cluster: {
  clusterName: string;
  stackArn: string;
  instanceType: string;
  address: string;
}): Record<string, string> {
  const now = new Date().toISOString();
  const digest = createHash('sha256').update(cluster.stackArn).digest('hex');
  const described = {
    clusterName: cluster.clusterName,
    clusterStatus: 'CREATE_COMPLETE',
    cloudFormationStackStatus: 'CREATE_COMPLETE',
    cloudformationStackArn: cluster.stackArn,
    computeFleetStatus: 'RUNNING',
    creationTime: now,
    lastUpdatedTime: now,
    version: VERSION,
    region: EMULATED_REGION,
    headNode: {
      instanceId: `i-${digest.slice(0, 17)}`,
      instanceType: cluster.instanceType,
      launchTime: now,
      privateIpAddress: cluster.address,
      state: 'running',
    },
  };
  return { ...flatten(described), validationMessages: '[]' };
}
