import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloudOptions } from '../../src/dev/head-node/cloud-options.ts';
import { startDatabaseNode } from '../../src/dev/head-node/database-node.ts';
import type { DatabaseNode } from '../../src/dev/head-node/database-node.ts';
import type { HeadNodeSpec } from '../../src/dev/head-node/head-node-spec.ts';
import { HeadNodes } from '../../src/dev/head-node/head-nodes.ts';
import { ensureRootImage, rootImageRecipes } from '../../src/dev/head-node/root-image.ts';
import type { RootImageSuite } from '../../src/dev/head-node/root-image.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';

/** Head nodes with the database that they share, in a temporary folder. */
export interface HeadNodeRig {
  headNodes: HeadNodes;
  database: DatabaseNode;
  /** Of the clusters; `database` is beside it. */
  stateDirectory: string;
  close(): Promise<void>;
}

export interface HeadNodeRigOptions {
  /** A temporary folder if none is given. */
  readonly baseDirectory?: string;
  /** Decides the generation of Slurm; the current one if none is given. */
  readonly suite?: RootImageSuite;
  readonly cloud?: Partial<CloudOptions>;
}

/** Starts the database; clusters are started by the tests. Builds the root image when the cache has none (70 s). */
export async function startHeadNodeRig({
  baseDirectory,
  suite = 'trixie',
  cloud = {},
}: HeadNodeRigOptions = {}): Promise<HeadNodeRig> {
  const image = await ensureRootImage({
    cacheDir: readDevEnvironment().cacheDirectory,
    onProgress: () => undefined,
    recipe: rootImageRecipes[suite],
  });
  const base = baseDirectory ?? (await mkdtemp(join(tmpdir(), 'head-nodes-')));
  const stateDirectory = join(base, 'clusters');
  await mkdir(stateDirectory, { recursive: true });
  const database = await startDatabaseNode({ image, stateDirectory: join(base, 'database') });
  const headNodes = new HeadNodes({ image, database, stateDirectory, cloud });
  return {
    headNodes,
    database,
    stateDirectory,
    async close() {
      await headNodes.close();
      await database.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

const CREATE_USER = `#!/bin/bash
set -eu
useradd --create-home --shell /bin/bash --password '*' "$1"
echo "created $1"
`;

/** A cluster of one queue with two nodes that always run, whose custom action creates the job user `sim`, as on the platform. */
export function smallCluster(clusterName: string, changes: Partial<HeadNodeSpec> = {}): HeadNodeSpec {
  return {
    clusterName,
    adminUser: 'ec2-user',
    adminPublicKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDm0ZVd6r0Y0s3nP1oD1n5i5m8mJtD0y6sX2f1Q0rB3x nobody',
    queues: [
      {
        name: 'debug',
        computeResources: [{ name: 't3', instanceType: 't3.micro', minCount: 2, maxCount: 2 }],
        maxTimeSeconds: 3600,
      },
    ],
    onNodeConfigured: [{ name: 'create-user.sh', content: Buffer.from(CREATE_USER), args: ['sim'] }],
    ...changes,
  };
}

/** Runs a command as the job user, in its home, with nothing but a PATH in its environment. */
export async function asJobUser(
  { headNodes }: HeadNodeRig,
  clusterName: string,
  argv: readonly string[],
  stdin?: string,
): Promise<string> {
  const environment = ['env', '-i', '-C', '/home/sim', 'PATH=/usr/bin:/bin', 'HOME=/home/sim'];
  const become = ['setpriv', '--reuid=sim', '--regid=sim', '--clear-groups', '--', ...environment];
  const result = await headNodes.exec(clusterName, [...become, ...argv], stdin);
  if (result.code !== 0) throw new Error(`${argv.join(' ')} answered ${result.code}: ${result.stderr}`);
  return result.stdout.trim();
}
