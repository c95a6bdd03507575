import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { KeyedMutex } from '../../clients/keyed-mutex.ts';
import { DevStackError, messageOf } from '../errors.ts';
import { writeClusterSeed } from './cluster-seed.ts';
import { defaultCloudOptions } from './cloud-options.ts';
import type { CloudOptions } from './cloud-options.ts';
import { type ComputeNodes, planComputeNodes } from './compute-nodes.ts';
import type { DatabaseNode } from './database-node.ts';
import { assertValidSpec } from './head-node-spec.ts';
import type { CustomAction, HeadNodeSpec } from './head-node-spec.ts';
import { claimLoopbackAddress, releaseLoopbackAddress } from './loopback-addresses.ts';
import { NodeProcess, NodeStartError, prepareNodeDirectory } from './node-process.ts';
import type { ExecResult } from './node-process.ts';
import {
  accountingDatabaseName,
  hostnameOf,
  renderHosts,
  renderSlurmConf,
  renderStaticNodes,
  slurmClusterName,
} from './slurm-config.ts';

/** A head node whose daemons answer and whose custom actions succeeded. */
export interface RunningHeadNode {
  clusterName: string;
  /** Its own loopback address, with Slurm's default ports. */
  address: string;
  sshPort: 22;
  /** Process 1 of the node, as this machine numbers it. */
  pid: number;
  /** All that is the node's own; logs in `log`. */
  directory: string;
}

export interface HeadNodesOptions {
  /** From `ensureRootImage`. */
  image: string;
  database: DatabaseNode;
  /** A folder for this process alone; what a dead process left in a cluster's folder is removed when it starts. */
  stateDirectory: string;
  /** Includes the custom actions. ParallelCluster itself allows a head node 1800 s. */
  startTimeoutSeconds?: number;
  cloud?: Partial<CloudOptions>;
}

/** What is kept of a cluster between its start and its stop. */
interface Cluster {
  spec: HeadNodeSpec;
  nodes: ComputeNodes[];
  address: string;
  directory: string;
  /** Absent while it starts for the first time. */
  node?: NodeProcess;
}

const DEFAULT_START_TIMEOUT_SECONDS = 600;
const RECONFIGURE = join(import.meta.dirname, 'reconfigure.sh');

/**
 * The real Slurm head nodes of the embedded stack, one for each cluster, several at a time. They share the network
 * of this machine, each on a loopback address of its own, and nothing else with it or each other. They end with
 * this process, however it ends.
 */
export class HeadNodes {
  readonly #options: HeadNodesOptions;
  readonly #clusters = new Map<string, Cluster>();
  /** The starts that are under way. */
  readonly #starts = new Map<string, AbortController>();
  readonly #turns = new KeyedMutex();
  /** Databases of all clusters that were ever started, each also the name of its only account. */
  readonly #accounting = new Set<string>();

  constructor(options: HeadNodesOptions) {
    this.#options = options;
  }

  /**
   * Starts a head node and waits until jobs can run on it. The running one is returned when it has the same spec.
   * One that was killed is started again as a machine is after a power failure: with its files, queue and
   * accounting, and without its custom actions.
   *
   * @throws HeadNodeSpecError for a spec that no node can be made from
   * @throws DevStackError when it runs with another spec, or cannot start; nothing is left of a first start then
   */
  async start(spec: HeadNodeSpec): Promise<RunningHeadNode> {
    assertValidSpec(spec);
    const { clusterName } = spec;
    return this.#turns.run(clusterName, async () => {
      const abort = new AbortController();
      this.#starts.set(clusterName, abort);
      try {
        const known = this.#clusters.get(clusterName);
        return known === undefined
          ? await this.#startNew(spec, abort.signal)
          : await this.#startKnown(known, spec, abort.signal);
      } finally {
        this.#starts.delete(clusterName);
      }
    });
  }

  /**
   * Puts other queues and settings of Slurm into force while jobs run. What else a spec says is as it was when the node
   * was started: ParallelCluster changes none of it, and runs no custom action again.
   *
   * @throws HeadNodeSpecError for a spec that no node can be made from
   * @throws DevStackError when the node does not run, or Slurm does not take the configuration: then it is as before
   */
  async update(spec: HeadNodeSpec): Promise<void> {
    assertValidSpec(spec);
    await this.#turns.run(spec.clusterName, async () => {
      const cluster = this.#clusters.get(spec.clusterName);
      if (cluster === undefined) throw notRunning(spec.clusterName);
      const { queues, customSlurmSettings } = spec;
      const { customSlurmSettings: _before, ...rest } = cluster.spec;
      const changed = { ...rest, queues, ...(customSlurmSettings && { customSlurmSettings }) };
      const nodes = planComputeNodes(queues, cluster.nodes);
      const outcome = await this.#reconfigure(cluster, changed, nodes);
      if (outcome.code !== 0) {
        await this.#reconfigure(cluster, cluster.spec, cluster.nodes);
        throw new DevStackError(partOf(spec), outcome.stderr.trim(), {
          nextStep: 'Correct what this output says, then update the cluster again',
        });
      }
      Object.assign(cluster, { spec: changed, nodes });
    });
  }

  /**
   * Ends the node gracefully, then removes its files and its address. Its accounting stays, as RDS outlives a cluster:
   * the next node of this name goes on with it. Safe to repeat. A start that is under way is given up: it rejects.
   */
  async stop(clusterName: string): Promise<void> {
    this.#starts.get(clusterName)?.abort();
    await this.#turns.run(clusterName, async () => {
      const cluster = this.#clusters.get(clusterName);
      if (cluster !== undefined) await this.#remove(cluster);
    });
  }

  /** As if the power of a running node failed: its files, queue and accounting stay. Safe to repeat. */
  async kill(clusterName: string): Promise<void> {
    await this.#clusters.get(clusterName)?.node?.kill();
  }

  /**
   * Runs a command inside a node as root, past ssh.
   *
   * @throws DevStackError when the node does not run
   */
  async exec(clusterName: string, argv: readonly string[], stdin?: string | Uint8Array): Promise<ExecResult> {
    const node = this.#clusters.get(clusterName)?.node;
    if (node?.isRunning !== true) throw notRunning(clusterName);
    return node.exec(argv, stdin);
  }

  /** The nodes that run now. */
  list(): RunningHeadNode[] {
    return [...this.#clusters.values()].flatMap((cluster) =>
      cluster.node?.isRunning === true ? [describe(cluster, cluster.node)] : [],
    );
  }

  /**
   * Stops all nodes and drops the accounting of every cluster that there was. MariaDB stays up: whoever started it
   * closes it, afterwards.
   */
  async close(): Promise<void> {
    const clusterNames = new Set([...this.#clusters.keys(), ...this.#starts.keys()]);
    await Promise.all([...clusterNames].map((clusterName) => this.stop(clusterName)));
    for (const name of this.#accounting) {
      await this.#options.database.dropDatabase(name, name);
      this.#accounting.delete(name);
    }
  }

  async #startKnown(known: Cluster, spec: HeadNodeSpec, signal: AbortSignal): Promise<RunningHeadNode> {
    if (!isDeepStrictEqual(known.spec, comparable(spec))) {
      throw new DevStackError(partOf(spec), 'it exists with another specification', {
        nextStep: 'Stop it first',
      });
    }
    if (known.node?.isRunning !== true) known.node = await this.#boot(known, signal);
    return describe(known, known.node);
  }

  async #startNew(spec: HeadNodeSpec, signal: AbortSignal): Promise<RunningHeadNode> {
    const directory = join(this.#options.stateDirectory, spec.clusterName);
    // Nobody of this process knows it, so its node died with the process that started it.
    await rm(directory, { recursive: true, force: true });
    const cluster: Cluster = {
      spec: structuredClone(spec),
      nodes: planComputeNodes(spec.queues),
      address: await claimLoopbackAddress(),
      directory,
    };
    this.#clusters.set(spec.clusterName, cluster);
    try {
      cluster.node = await this.#boot(cluster, signal);
      return describe(cluster, cluster.node);
    } catch (error) {
      await this.#remove(cluster);
      throw error;
    }
  }

  async #boot(cluster: Cluster, signal: AbortSignal): Promise<NodeProcess> {
    const { spec, nodes, address, directory } = cluster;
    const hostname = hostnameOf(address);
    const databaseName = accountingDatabaseName(spec.clusterName);
    this.#accounting.add(databaseName);
    const database = await this.#options.database.createDatabase(databaseName, databaseName);
    await prepareNodeDirectory(directory);
    const cloud = this.#cloud;
    const head = { address, hostname };
    await writeClusterSeed(join(directory, 'seed'), { spec, head, nodes, cloud, database });
    try {
      return await NodeProcess.start({
        role: 'cluster',
        image: this.#options.image,
        directory,
        address,
        hostname,
        env: { ADMIN_USER: spec.adminUser, SLURM_CLUSTER: slurmClusterName(spec.clusterName) },
        startTimeoutSeconds: this.#options.startTimeoutSeconds ?? DEFAULT_START_TIMEOUT_SECONDS,
        signal,
      });
    } catch (error) {
      throw new DevStackError(partOf(spec), await problemOf(cluster, error), {
        nextStep: 'Correct what this output says, then create the cluster again',
        cause: error,
      });
    }
  }

  get #cloud(): CloudOptions {
    return { ...defaultCloudOptions, ...this.#options.cloud };
  }

  async #reconfigure(
    { node, address }: Cluster,
    spec: HeadNodeSpec,
    nodes: readonly ComputeNodes[],
  ): Promise<ExecResult> {
    if (node?.isRunning !== true) throw notRunning(spec.clusterName);
    const head = { address, hostname: hostnameOf(address) };
    const files = [
      renderSlurmConf(spec, head, nodes, this.#cloud),
      renderHosts(head, nodes),
      renderStaticNodes(nodes),
    ];
    return node.exec(['bash', '-c', await readFile(RECONFIGURE, 'utf8')], files.join('--\n'));
  }

  /** Everything is tried, so that one failure leaves no more behind than it must. */
  async #remove(cluster: Cluster): Promise<void> {
    await cluster.node?.stop();
    const outcomes = await Promise.allSettled([
      releaseLoopbackAddress(cluster.address),
      rm(cluster.directory, { recursive: true, force: true }),
    ]);
    this.#clusters.delete(cluster.spec.clusterName);
    const problems = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    if (problems.length > 0) throw new AggregateError(problems, problems.map(messageOf).join('; '));
  }
}

const CUSTOM_ACTION_FAILURE = /^custom-action (on-node-start|on-node-configured) (\d+) (\d+)$/;

/** A failed custom action is told by its name and its own last lines instead of the node's log. */
async function problemOf(cluster: Cluster, error: unknown): Promise<string> {
  const [, stage, index, exitCode] =
    error instanceof NodeStartError ? (CUSTOM_ACTION_FAILURE.exec(error.reason) ?? []) : [];
  if (index === undefined) return messageOf(error);
  const { onNodeStart = [], onNodeConfigured } = cluster.spec;
  const isAtStart = stage === 'on-node-start';
  const action = (isAtStart ? onNodeStart : onNodeConfigured)[Number(index)];
  const log = join(cluster.directory, 'log', 'parallelcluster', `${stage}-${index}.log`);
  const output = (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-20).join('\n');
  return `${isAtStart ? 'OnNodeStart' : 'OnNodeConfigured'} script ${action?.name ?? index} ended with exit code ${exitCode}:\n${output}`;
}

/** The same type for the same bytes: a Buffer never equals a plain Uint8Array. */
function comparable(spec: HeadNodeSpec): HeadNodeSpec {
  const copies = (actions: readonly CustomAction[]) =>
    actions.map((action) => ({ ...action, content: Uint8Array.from(action.content) }));
  return {
    ...spec,
    ...(spec.onNodeStart && { onNodeStart: copies(spec.onNodeStart) }),
    onNodeConfigured: copies(spec.onNodeConfigured),
  };
}

function describe(cluster: Cluster, node: NodeProcess): RunningHeadNode {
  const { spec, address, directory } = cluster;
  return { clusterName: spec.clusterName, address, sshPort: 22, pid: node.pid, directory };
}

function notRunning(clusterName: string): DevStackError {
  return new DevStackError(`head node of ${clusterName}`, 'it does not run', { nextStep: 'Start it first' });
}

function partOf(spec: HeadNodeSpec): string {
  return `head node of ${spec.clusterName}`;
}
