import { afterEach, expect, it, vi } from 'vitest';
import { jobComment } from '../domain/ids.ts';
import { SlurmRestApi } from './slurm-rest-api.ts';
import { SlurmRest } from './slurm-rest.ts';

/* What it asks slurmrestd for; what real ones answer is for the contract suite. */

const epoch = '01k4x8m2tqa3f9';
const campaignId = 'a'.repeat(26);
const slurmApi = {
  port: 6820,
  certificateSha256: 'ab'.repeat(32),
  trust: 'epoch-key',
  jobsOver: 'slurmrestd',
  signingKeySecretArn: 'arn:signing',
} as const;
const head = {
  epoch,
  access: {
    address: '10.0.0.1',
    port: 22,
    user: 'sim',
    hostKey: 'k',
    privateKeySecretArn: 'arn:key',
    slurmApi,
  },
};

afterEach(() => vi.restoreAllMocks());

function job(id: number, changes: Readonly<Record<string, unknown>> = {}) {
  const comment = jobComment({ epoch, campaignId, jobKey: `job-${id}` });
  return { job_id: id, job_state: ['RUNNING'], user_name: 'sim', comment, ...changes };
}

it('cancels the job user’s jobs of the campaign, and none of another user who gave his the same comment', async () => {
  const jobs = [
    job(1),
    job(2, { user_name: 'ec2-user' }),
    job(3, { job_state: ['COMPLETED'] }),
    job(4, { comment: jobComment({ epoch, campaignId: 'b'.repeat(26), jobKey: 'x' }) }),
    job(5, { comment: jobComment({ epoch: '01k4x8m2tqa3f0', campaignId, jobKey: 'x' }) }),
  ];
  vi.spyOn(SlurmRestApi.prototype, 'get').mockImplementation(async () => Promise.resolve({ jobs }));
  const cancelled: string[] = [];
  vi.spyOn(SlurmRestApi.prototype, 'cancelJob').mockImplementation(async (jobId) => {
    cancelled.push(jobId);
    return Promise.resolve();
  });
  const gateway = new SlurmRest({
    loadSigningKey: async () => Promise.reject(new Error('is not asked for')),
    overSsh: { cancel: async () => Promise.reject(new Error('is not asked for')) },
  });
  await gateway.cancel(head, { campaignId });
  gateway.close();
  expect(cancelled).toEqual(['1']);
});
