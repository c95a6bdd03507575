import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PinnedHttps } from '../../src/clients/pinned-https.ts';
import { publicHalfOf } from '../../src/clients/slurm-tokens.ts';
import type { ClusterView } from '../../src/domain/cluster-view.ts';
import { eventually, Platform } from '../support/platform.ts';
import { jwksOf, newSigningKey, tokenWith } from '../support/slurm-rest.ts';

const tenant = { virtualLabId: 'e2e', projectId: 'slurm-api' };
const trusting = { ...tenant, projectId: 'keycloak' };
const shell = (key: string, line: string) => ({ key, command: ['bash', '-c', line] });
const slurmApi = { trust: 'epoch-key', jobsOver: 'slurmrestd' } as const;

const keycloakKey = newSigningKey();

let platform: Platform;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurm-api-'));
  const realm = join(directory, 'jwks.json');
  await writeFile(realm, jwksOf([keycloakKey]));
  platform = await Platform.start({ KEYCLOAK_JWKS_URL: pathToFileURL(realm).href });
  await platform.ensure(tenant, { tier: 'debug', idleTimeoutSeconds: 5, slurmApi });
  await platform.ensure(trusting, { tier: 'debug', slurmApi: { trust: 'epoch-key-and-keycloak' } });
  await platform.request('POST', `${platform.path(tenant)}/holds`, {
    body: { name: 'test', reason: 'the tests', durationSeconds: 600 },
  });
  await platform.until(tenant, ['ready']);
});
afterAll(async () => {
  await platform?.close();
  if (directory) await rm(directory, { recursive: true });
});

async function asRoot(script: string): Promise<string> {
  return platform.onHeadNode(tenant, ['bash', '-c', script]);
}

describe('a cluster whose jobs go over slurmrestd', () => {
  it('runs, cancels and shows a campaign, with nobody calling sbatch or scancel on the head node', async () => {
    // Whoever does, leaves a trace.
    await asRoot(`for program in sbatch scancel; do
      mv /usr/bin/$program /usr/bin/$program.real
      printf '#!/bin/bash\\necho %s >>/tmp/called\\nexec /usr/bin/%s.real "$@"\\n' $program $program >/usr/bin/$program
      chmod 755 /usr/bin/$program
    done; install -m 666 /dev/null /tmp/called`);
    const campaignId = await platform.submit(tenant, 'over-rest', {
      jobs: [
        { ...shell('good', 'echo "$WHAT of $SLURM_JOB_ID"'), environment: { WHAT: 'output' } },
        shell('bad', 'echo oops >&2; exit 7'),
        shell('long', 'sleep 300'),
        { ...shell('after', 'true'), dependsOn: ['good'] },
      ],
    });
    await platform.untilCampaign(
      tenant,
      campaignId,
      ({ jobsByState: { succeeded = 0, failed = 0, running = 0 } }) => succeeded + failed + running === 4,
    );
    const long = `${platform.path(tenant)}/campaigns/${campaignId}/jobs/long`;
    expect((await platform.persist(async () => platform.request('DELETE', long))).status).toBe(202);
    const campaign = await platform.untilCampaign(tenant, campaignId);
    expect(Object.fromEntries(campaign.jobs.map(({ key, state }) => [key, state]))).toEqual({
      good: 'succeeded',
      bad: 'failed',
      long: 'cancelled',
      after: 'succeeded',
    });
    const good = campaign.jobs.find(({ key }) => key === 'good');
    expect((await platform.log(tenant, campaignId, 'good', 'stdout')).body).toBe(
      `output of ${good?.slurmJobId}\n`,
    );
    expect((await platform.log(tenant, campaignId, 'bad', 'stderr')).body).toBe('oops\n');
    expect(await asRoot('cat /tmp/called')).toBe('');
    expect((await platform.cluster(tenant)).access?.slurmApi).toMatchObject({ ...slurmApi, port: 6820 });
  });

  it('goes on with another signing key after a rotation, and the old one ends', async () => {
    const before = await platform.cluster(tenant);
    const rotation = { by: 'operator', reason: 'tested', overlapSeconds: 1 };
    const path = `${platform.path(tenant)}/signing-key/rotation`;
    const begun = await platform.persist(async () =>
      platform.request<ClusterView>('POST', path, { body: rotation }),
    );
    expect(begun).toMatchObject({ status: 202, body: { slurmKeys: { rotation: { by: 'operator' } } } });
    const { slurmKeys } = await eventually(
      async () => platform.cluster(tenant),
      (view) => view.slurmKeys?.rotation === undefined,
      60,
    );
    expect(slurmKeys?.ownKeyIds).toHaveLength(1);
    expect(slurmKeys?.ownKeyIds).not.toEqual(before.slurmKeys?.ownKeyIds);
    const jwks = await asRoot('cat /etc/parallelcluster-provisioner/jwks.json');
    expect([...jwks.matchAll(/"kid":"(\w+)"/g)].map(([, kid]) => kid)).toEqual(slurmKeys?.ownKeyIds);
    const campaignId = await platform.submit(tenant, 'after-rotation', { jobs: [shell('a', 'true')] });
    expect((await platform.untilCampaign(tenant, campaignId)).state).toBe('succeeded');
  });

  it('is found idle, although slurmrestd shows no terminals, and leaves nothing', async () => {
    await platform.request('DELETE', `${platform.path(tenant)}/holds/test`);
    const view = await platform.until(tenant, ['deleted']);
    expect(view.message).toMatch(/Nothing ran or could run/);
    expect((await platform.leftovers()).filter((name) => name.includes('slurm-api/'))).toEqual([]);
  });
});

describe('a cluster that trusts Keycloak', () => {
  it('takes its tokens, of nobody else, as the view says how', async () => {
    const { access, slurmKeys } = await platform.until(trusting, ['ready']);
    expect(slurmKeys?.keycloakKeyIds).toEqual([publicHalfOf(keycloakKey).kid]);
    const { slurmApi: api } = access ?? {};
    if (access === undefined || api === undefined) throw new Error('the view shows no REST API');
    const https = new PinnedHttps({ address: access.address, ...api });
    const statusFor = async (key: string) => {
      const exp = Math.floor(Date.now() / 1000) + 300;
      const token = tokenWith(key, { exp, preferred_username: 'sim' });
      const headers = { 'x-slurm-user-name': 'sim', 'x-slurm-user-token': token };
      const path = '/slurm/v0.0.42/jobs/';
      return (await https.call({ method: 'GET', path, headers, timeoutSeconds: 30 })).status;
    };
    expect([await statusFor(keycloakKey), await statusFor(newSigningKey())]).toEqual([200, 511]);
    https.close();
    await platform.request('DELETE', platform.path(trusting));
    await platform.until(trusting, ['deleted']);
    expect(await platform.leftovers()).toEqual([]);
  });
});
