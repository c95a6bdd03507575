import { join } from 'node:path';
import { startDatabaseNode } from './head-node/database-node.ts';
import type { HeadNodeSpec } from './head-node/head-node-spec.ts';
import { HeadNodes } from './head-node/head-nodes.ts';
import { ensureRootImage } from './head-node/root-image.ts';
import type { HeadNodePort } from './provider/clusters.ts';

/** Head nodes that can be stopped together. */
export interface HeadNodePool extends HeadNodePort {
  close(): Promise<void>;
}

/** Makes whatever starts head nodes. */
export type StartHeadNodes = (context: {
  /** State of this run. */
  readonly directory: string;
  /** Shared by all runs. */
  readonly cacheDirectory: string;
  readonly onProgress: (detail: string) => void;
}) => Promise<HeadNodePool>;

/**
 * Real Slurm head nodes with the MariaDB that their accounting shares, from one root image that is built when the
 * cache has none.
 *
 * @throws DevStackError when this process is not root, or the image or the database cannot be made.
 */
export const startHeadNodePool: StartHeadNodes = async ({ directory, cacheDirectory, onProgress }) => {
  const image = await ensureRootImage({ cacheDir: cacheDirectory, onProgress });
  const database = await startDatabaseNode({ image, stateDirectory: join(directory, 'database') });
  const headNodes = new HeadNodes({ image, database, stateDirectory: join(directory, 'clusters') });
  return {
    start: async (spec: HeadNodeSpec) => headNodes.start(spec),
    stop: async (clusterName) => headNodes.stop(clusterName),
    close: async () => {
      await headNodes.close();
      await database.close();
    },
  };
};
