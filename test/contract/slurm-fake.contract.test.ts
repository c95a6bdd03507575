import { KnownFailure } from '../../src/domain/failures.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';
import { describeHeadNodeFiles } from './head-node-files.contract.ts';
import { describeSlurmGateway } from './slurm-gateway.contract.ts';

function headOf({ hostKey }: FakeSlurmGateway) {
  const access = { address: 'none', port: 22, user: 'sim', hostKey, privateKeySecretArn: 'none' };
  return { epoch: 'e1', access };
}

describeSlurmGateway('in memory', async () => {
  const gateway = new FakeSlurmGateway();
  const head = headOf(gateway);
  return {
    gateway,
    head,
    impostor: { ...head, access: { ...head.access, hostKey: 'ssh-ed25519 AAAAanother' } },
    async stopController() {
      gateway.outage = new KnownFailure('SlurmUnavailable', 'the controller is down');
    },
    async startController() {
      gateway.outage = undefined;
    },
    async hold(jobId) {
      gateway.change(jobId, { state: 'PENDING', reason: 'JobHeldUser' });
    },
    async purge(jobId) {
      gateway.purge(jobId);
    },
    async reachTimeLimit(jobId) {
      gateway.change(jobId, { state: 'TIMEOUT', endTime: 2_000_000 });
    },
    async close() {
      gateway.close();
    },
  };
});

describeHeadNodeFiles('in memory', async () => {
  const gateway = new FakeSlurmGateway();
  return { files: gateway, gateway, head: headOf(gateway), close: async () => gateway.close() };
});
