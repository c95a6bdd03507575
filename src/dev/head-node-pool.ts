import { join } from 'node:path';
import type { CloudOptions } from './head-node/cloud-options.ts';
import { startDatabaseNode } from './head-node/database-node.ts';
import type { BindMount, HeadNodeSpec } from './head-node/head-node-spec.ts';
import type { ExecResult } from './head-node/node-process.ts';
import { HeadNodes } from './head-node/head-nodes.ts';
import { ensureRootImage } from './head-node/root-image.ts';
import type { HeadNodePort } from './provider/clusters.ts';
import { ensureWheelhouse, pythonVersionOf, WHEELS_MOUNT_POINT } from './wheelhouse.ts';

/** Head nodes that can be stopped together. */
export interface HeadNodePool extends HeadNodePort {
  close(): Promise<void>;
}

/** As {@link HeadNodePool}, of real nodes, which can be reached past the product, e.g. to break something there. */
export interface SlurmNodePool extends HeadNodePool {
  /** Runs a program on a running node as root. */
  exec(clusterName: string, argv: readonly string[]): Promise<ExecResult>;
}

interface HeadNodePoolContext {
  /** State of this run. */
  readonly directory: string;
  /** Shared by all runs. */
  readonly cacheDirectory: string;
  /** The interpreter of this machine that downloads are made with. */
  readonly python: string;
  readonly onProgress: (detail: string) => void;
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined;
  readonly cloud?: Partial<CloudOptions>;
}

/** Makes whatever starts head nodes. */
export type StartHeadNodes = (context: HeadNodePoolContext) => Promise<HeadNodePool>;

/**
 * Real Slurm head nodes with the MariaDB that their accounting shares, from one root image that is built when the
 * cache has none.
 *
 * @throws DevStackError when this process is not root, or the image or the database cannot be made; the reason of
 * `signal` when that is aborted.
 */
export const startHeadNodePool = async (context: HeadNodePoolContext): Promise<SlurmNodePool> =>
  startPool(context, async () => []);

/** As {@link startHeadNodePool}; every head node also has the wheels of NEURON, downloaded when the cache has none. */
export const startHeadNodePoolWithWheels: StartHeadNodes = async (context) =>
  startPool(context, async (image) => {
    const pythonVersion = await pythonVersionOf(image);
    const source = await ensureWheelhouse({ ...context, pythonVersion });
    return [{ source, target: WHEELS_MOUNT_POINT, readOnly: true }];
  });

async function startPool(
  context: HeadNodePoolContext,
  bindsFor: (image: string) => Promise<BindMount[]>,
): Promise<SlurmNodePool> {
  const { directory, cacheDirectory, onProgress, signal, cloud = {} } = context;
  const image = await ensureRootImage({ cacheDir: cacheDirectory, onProgress, signal });
  const binds = await bindsFor(image);
  const database = await startDatabaseNode({ image, stateDirectory: join(directory, 'database'), signal });
  const headNodes = new HeadNodes({ image, database, stateDirectory: join(directory, 'clusters'), cloud });
  return {
    start: async (spec: HeadNodeSpec) =>
      headNodes.start({ ...spec, binds: [...(spec.binds ?? []), ...binds] }),
    update: async (spec) => headNodes.update(spec),
    stop: async (clusterName) => headNodes.stop(clusterName),
    exec: async (clusterName, argv) => headNodes.exec(clusterName, argv),
    close: async () => {
      await headNodes.close();
      await database.close();
    },
  };
}
