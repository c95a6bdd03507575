import { randomBytes } from 'node:crypto';
import { access, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CloudOptions } from './cloud-options.ts';
import type { ComputeNodes } from './compute-nodes.ts';
import type { BindMount, CustomAction, HeadNodeSpec } from './head-node-spec.ts';
import {
  renderCfnConfig,
  renderEc2Settings,
  renderHosts,
  renderSlurmConf,
  renderSlurmdbdConf,
  renderSshdConfig,
  renderStaticNodes,
} from './slurm-config.ts';
import type { AccountingDatabase, HeadNodeAddress } from './slurm-config.ts';

/** What a cluster's configuration is rendered from. */
export interface ClusterSeed {
  spec: HeadNodeSpec;
  head: HeadNodeAddress;
  nodes: readonly ComputeNodes[];
  cloud: CloudOptions;
  database: AccountingDatabase;
}

/** Length of the keys that `mungekey` makes, in bytes. */
const MUNGE_KEY_BYTES = 128;
const SCRIPTS = [
  'compute-node.sh',
  'cloud-nodes.sh',
  'mount-s3.sh',
  'nodes-up-prolog.sh',
  'slurm-power.sh',
  'systemctl.sh',
];

/**
 * Writes everything that the init script installs into the node. Values reach the node only as files, never as
 * shell code. Repeated for a node's second start: all is written anew but the munge key.
 */
export async function writeClusterSeed(seedDirectory: string, seed: ClusterSeed): Promise<void> {
  const { spec, head, nodes, cloud, database } = seed;
  const files: Record<string, string> = {
    'slurm.conf': renderSlurmConf(spec, head, nodes, cloud),
    'slurmdbd.conf': renderSlurmdbdConf(head, database),
    'cgroup.conf': 'CgroupPlugin=disabled\n',
    sshd_config: renderSshdConfig(head),
    hosts: renderHosts(head, nodes),
    cfnconfig: renderCfnConfig(spec),
    'ec2-settings': renderEc2Settings(cloud),
    'static-nodes': renderStaticNodes(nodes),
    's3-endpoint': `${spec.s3EndpointUrl ?? ''}\n`,
    'admin.pub': `${spec.adminPublicKey.trim()}\n`,
    binds: nulTerminated((spec.binds ?? []).flatMap(bindFields)),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(seedDirectory, name), content, { mode: 0o600 });
  }
  for (const script of SCRIPTS) {
    await copyFile(fileURLToPath(new URL(script, import.meta.url)), join(seedDirectory, script));
  }
  await writeMungeKey(join(seedDirectory, 'munge.key'));
  await writeCustomActions(join(seedDirectory, 'on-node-start'), spec.onNodeStart ?? []);
  await writeCustomActions(join(seedDirectory, 'on-node-configured'), spec.onNodeConfigured);
}

async function writeMungeKey(path: string): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) await writeFile(path, randomBytes(MUNGE_KEY_BYTES), { mode: 0o600 });
}

async function writeCustomActions(directory: string, actions: readonly CustomAction[]): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  for (const [index, action] of actions.entries()) {
    const actionDirectory = join(directory, String(index));
    await mkdir(actionDirectory, { recursive: true });
    await writeFile(join(actionDirectory, 'script'), action.content, { mode: 0o700 });
    await writeFile(join(actionDirectory, 'args'), nulTerminated(action.args));
  }
}

function bindFields({ source, target, readOnly }: BindMount): string[] {
  return [source, target, readOnly ? 'ro' : 'rw'];
}

/** NUL is the one character that neither a path nor an argument can hold. */
function nulTerminated(fields: readonly string[]): string {
  return fields.map((field) => `${field}\0`).join('');
}
