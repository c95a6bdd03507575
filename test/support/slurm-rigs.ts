import { X509Certificate } from 'node:crypto';
import { SLURM_API_PORT } from '../../src/domain/slurm-api.ts';
import type { SlurmApiTrust } from '../../src/domain/slurm-api-spec.ts';
import { expect } from 'vitest';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import type { SlurmRest } from '../../src/clients/slurm-rest.ts';
import type { SlurmGatewayRig } from '../contract/slurm-gateway-jobs.ts';
import type { SlurmCluster } from './slurm-cluster.ts';

/** Another key than any head node has. */
const FOREIGN_HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnother';

/** What the suite of the gateways needs of a real cluster, over SSH. The cluster stays open. */
export function sshRig(cluster: SlurmCluster): SlurmGatewayRig {
  const { head, gateway } = cluster;
  return {
    ...operatorOf(cluster),
    gateway,
    head,
    impostor: { ...head, access: { ...head.access, hostKey: FOREIGN_HOST_KEY } },
  };
}

/** The same over slurmrestd. */
export function restRig(cluster: SlurmCluster, head: HeadNode, gateway: SlurmRest): SlurmGatewayRig {
  const { slurmApi } = head.access;
  if (slurmApi === undefined) throw new Error('the cluster has no REST API');
  const foreign = { ...slurmApi, certificateSha256: 'ab'.repeat(32) };
  return {
    ...operatorOf(cluster),
    gateway,
    head,
    impostor: { ...head, access: { ...head.access, slurmApi: foreign } },
  };
}

/** The head node with the access that the service keeps of its REST API. */
export async function withRestAccess(cluster: SlurmCluster, trust: SlurmApiTrust): Promise<HeadNode> {
  const { stdout } = await cluster.asRoot('cat /etc/parallelcluster-provisioner/slurm-rest-api.crt');
  const certificateSha256 = new X509Certificate(stdout).fingerprint256.replaceAll(':', '').toLowerCase();
  const { head } = cluster;
  const slurmApi = {
    port: SLURM_API_PORT,
    certificateSha256,
    trust,
    jobsOver: 'slurmrestd' as const,
    signingKeySecretArn: 'arn:of-the-signing-key',
  };
  return { ...head, access: { ...head.access, slurmApi } };
}

/** The means of an operator on the head node. */
function operatorOf(cluster: SlurmCluster): Omit<SlurmGatewayRig, 'gateway' | 'head' | 'impostor'> {
  return {
    stopController: async () => cluster.killController(),
    startController: async () => cluster.startController(),
    async hold(jobId) {
      await cluster.asSim('scontrol', 'hold', jobId);
    },
    async purge(jobId) {
      // Slurm 24.11 looks for jobs to forget every 30 s; the shortest MinJobAge is 2 s.
      await cluster.setMinJobAge(2);
      await expect
        .poll(async () => cluster.asSim('squeue', '--noheader', '--states=all', '--format=%i'), {
          timeout: 90_000,
        })
        .not.toMatch(new RegExp(`^${jobId}(_.*)?$`, 'm'));
      await cluster.setMinJobAge(300);
    },
    async reachTimeLimit(jobId) {
      await cluster.asSim('scontrol', 'update', `JobId=${jobId}`, 'TimeLimit=0');
    },
    close: async () => Promise.resolve(),
  };
}
