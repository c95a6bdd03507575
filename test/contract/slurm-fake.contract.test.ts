import { KnownFailure } from '../../src/domain/failures.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';
import { describeSlurmGateway } from './slurm-gateway.contract.ts';

describeSlurmGateway('in memory', async () => {
  const gateway = new FakeSlurmGateway();
  return {
    gateway,
    head: {
      epoch: 'e1',
      access: {
        address: 'none',
        port: 22,
        user: 'sim',
        hostKey: gateway.hostKey,
        privateKeySecretArn: 'none',
      },
    },
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
