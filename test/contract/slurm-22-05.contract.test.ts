import { afterAll, beforeAll } from 'vitest';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SlurmRest } from '../../src/clients/slurm-rest.ts';
import { atScale } from '../support/scale.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newSigningKey } from '../support/slurm-rest.ts';
import { restRig, sshRig, withRestAccess } from '../support/slurm-rigs.ts';
import { describeHeadNodeFiles } from './head-node-files.contract.ts';
import { describeJobClaim } from './job-claim.contract.ts';
import { describeSlurmGateway } from './slurm-gateway.contract.ts';
import { describeSlurmTokens } from './slurm-tokens.contract.ts';

/* The oldest generation of Slurm: both transports on head nodes of Debian bookworm. */
let cluster: SlurmCluster;
let head: HeadNode;
let signingKey: string;
let rest: SlurmRest;

beforeAll(async () => {
  signingKey = newSigningKey();
  const restApi = { trust: 'epoch-key', signingKeys: [signingKey] } as const;
  cluster = await startSlurmCluster({ suite: 'bookworm', restApi });
  head = await withRestAccess(cluster, 'epoch-key');
  rest = new SlurmRest({
    loadSigningKey: async () => Promise.resolve(signingKey),
    overSsh: cluster.gateway,
  });
});
afterAll(async () => {
  rest?.close();
  await cluster?.close();
});

const options = { isThorough: atScale(false, true) };
describeSlurmGateway(
  'over SSH to Slurm 22.05',
  async () => {
    // A head node of its own: a controller that was killed uses ids again, and slurmd refuses and holds such jobs.
    const own = await startSlurmCluster({ suite: 'bookworm' });
    return { ...sshRig(own), close: async () => own.close() };
  },
  options,
);
describeSlurmGateway('over slurmrestd of Slurm 22.05', async () => restRig(cluster, head, rest), options);
describeHeadNodeFiles('of Slurm 22.05', async () => ({
  files: cluster.gateway,
  gateway: cluster.gateway,
  head: cluster.head,
  close: async () => Promise.resolve(),
}));
describeJobClaim('over SSH to Slurm 22.05', () => ({ cluster, gateway: cluster.gateway, head }));
describeSlurmTokens('22.05', () => ({ cluster, head, signingKey }));
