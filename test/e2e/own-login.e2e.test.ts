import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobListingPage } from '../../src/api/job-listing-schemas.ts';
import { readPrivateKey } from '../../src/clients/secrets.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import { runDocumentedLogin } from '../support/documented-login.ts';
import { OpenSsh } from '../support/openssh.ts';
import { eventually, Platform } from '../support/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(async () => {
  await platform?.close();
});

const IDLE_TIMEOUT_SECONDS = 6;

async function jobs(tenant: Tenant, query = ''): Promise<JobListingPage['jobs']> {
  const answer = await platform.persist(async () =>
    platform.request<JobListingPage>('GET', `${platform.path(tenant)}/jobs${query}`),
  );
  expect(answer).toMatchObject({ status: 200 });
  return answer.body.jobs;
}

describe('a login of the Workflow Service itself', () => {
  it('is made as documented; its job is listed and its sessions keep the cluster', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'own-login' };
    const campaignId = await platform.submit(tenant, 'own-login', {
      jobs: [{ key: 'ours', command: ['true'] }],
      cluster: { tier: 'debug', idleTimeoutSeconds: IDLE_TIMEOUT_SECONDS },
    });
    // Nothing runs for a while on a cluster that goes soon: as a caller should, the test holds it meanwhile.
    const hold = { name: 'own-login', reason: 'is about to log in', durationSeconds: 600 };
    await platform.persist(async () =>
      platform.request('POST', `${platform.path(tenant)}/holds`, { body: hold }),
    );
    await platform.untilCampaign(tenant, campaignId);
    const { env, apiUrl, token } = platform.product;
    const login = { ...env, CLUSTER_URL: `${apiUrl}${platform.path(tenant)}`, API_TOKEN: token };
    const jobId = await runDocumentedLogin(login);
    expect(jobId).toMatch(/^\d+$/);

    const listed = await eventually(
      async () => (await jobs(tenant, '?all=true')).find(({ slurmJobId }) => slurmJobId === jobId),
      (job) => job?.state === 'succeeded',
      30,
    );
    expect(listed).toMatchObject({ user: 'sim', name: 'own', queue: 'debug' });
    expect(listed).not.toHaveProperty('campaignId');
    expect(await jobs(tenant)).toMatchObject([{ campaignId, jobKey: 'ours', state: 'succeeded' }]);
    const others = await platform.request('GET', `${platform.path({ ...tenant, projectId: 'other' })}/jobs`);
    expect(others.status).toBe(404);

    const { access } = await platform.cluster(tenant);
    if (!access) throw new Error('nothing is published');
    const privateKey = await readPrivateKey(platform.stack.aws.secretsManager, access.privateKeySecretArn);
    const ssh = await OpenSsh.prepare(access, privateKey);
    try {
      ssh.start('sftp', ssh.destination);
      await eventually(
        async () => platform.cluster(tenant),
        ({ activity }) => activity?.interactiveSessions === 1,
        30,
      );
      await platform.persist(async () =>
        platform.request('DELETE', `${platform.path(tenant)}/holds/own-login`),
      );
      await sleep(2 * IDLE_TIMEOUT_SECONDS * 1000);
      expect(await platform.cluster(tenant)).toMatchObject({
        state: 'ready',
        message: expect.stringContaining('1 interactive session') as unknown,
      });
    } finally {
      await ssh.close();
    }
    await platform.until(tenant, ['deleted']);
    expect(await platform.leftovers()).toEqual([]);
  });
});
