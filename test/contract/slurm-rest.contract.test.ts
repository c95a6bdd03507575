import { afterAll, beforeAll } from 'vitest';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SlurmRest } from '../../src/clients/slurm-rest.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newSigningKey } from '../support/slurm-rest.ts';
import { restRig, withRestAccess } from '../support/slurm-rigs.ts';
import { describeSlurmGateway } from './slurm-gateway.contract.ts';

let cluster: SlurmCluster;
let head: HeadNode;
let gateway: SlurmRest;

beforeAll(async () => {
  const signingKey = newSigningKey();
  cluster = await startSlurmCluster({
    suite: 'trixie',
    restApi: { trust: 'epoch-key', signingKeys: [signingKey] },
  });
  head = await withRestAccess(cluster, 'epoch-key');
  gateway = new SlurmRest({ loadSigningKey: async () => Promise.resolve(signingKey) });
});
afterAll(async () => {
  gateway?.close();
  await cluster?.close();
});

describeSlurmGateway('over slurmrestd of a real head node', async () => restRig(cluster, head, gateway));
