import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PinnedHttps } from '../../src/clients/pinned-https.ts';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SlurmRest } from '../../src/clients/slurm-rest.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newSigningKey, tokenWith } from '../support/slurm-rest.ts';
import { atScale } from '../support/scale.ts';
import { restRig, withRestAccess } from '../support/slurm-rigs.ts';
import { describeJobClaim } from './job-claim.contract.ts';
import { describeSlurmGateway } from './slurm-gateway.contract.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';
import { describeSlurmTokens } from './slurm-tokens.contract.ts';

let cluster: SlurmCluster;
let head: HeadNode;
let signingKey: string;
let gateway: SlurmRest;

beforeAll(async () => {
  signingKey = newSigningKey();
  cluster = await startSlurmCluster({
    suite: 'trixie',
    restApi: { trust: 'epoch-key', signingKeys: [signingKey] },
  });
  head = await withRestAccess(cluster, 'epoch-key');
  gateway = new SlurmRest({
    loadSigningKey: async () => Promise.resolve(signingKey),
    overSsh: cluster.gateway,
  });
});
afterAll(async () => {
  gateway?.close();
  await cluster?.close();
});

describeSlurmGateway('over slurmrestd of a real head node', async () => restRig(cluster, head, gateway), {
  isThorough: atScale(false, true),
});
describeJobClaim('over slurmrestd', () => ({ cluster, gateway, head }));
describe('submissions over slurmrestd', () => {
  const submissionOf = (campaignId: string, ...keys: string[]) => ({
    campaignId,
    jobs: keys.map((key) => ({ spec: jobSpecSchema.parse({ key, command: ['sleep', '300'] }) })),
    defaultQueue: 'debug',
  });
  const statusOf = async (gatewayOf: SlurmRest, campaignId: string, key: string, isFirstAttempt: boolean) => {
    const [answer] = await gatewayOf.submit(head, submissionOf(campaignId, key), { isFirstAttempt });
    return answer?.status;
  };
  /** How often slurmctld was asked for all jobs since the last call. */
  const readings = async () => {
    const { stdout } = await cluster.asRoot('sdiag; sdiag --reset >/dev/null');
    return Number(/REQUEST_JOB_INFO\s.*count:(\d+)/.exec(stdout)?.[1] ?? 0);
  };
  afterEach(async () => gateway.cancel(head, {}));

  it('read the queue once for first attempts in a row, and for each repetition', async () => {
    const campaignId = newCampaignId();
    const other = new SlurmRest({
      loadSigningKey: async () => Promise.resolve(signingKey),
      overSsh: cluster.gateway,
    });
    await readings();
    // What an earlier test has read is not gone by.
    const statuses: unknown[] = [await statusOf(gateway, campaignId, 'z', false)];
    for (const key of ['a', 'b']) statuses.push(await statusOf(gateway, campaignId, key, true));
    expect([statuses, await readings()]).toEqual([['submitted', 'submitted', 'submitted'], 1]);
    expect(await statusOf(other, campaignId, 'd', true)).toBe('submitted');
    other.close();
    await readings();
    expect(await statusOf(gateway, campaignId, 'd', false)).toBe('adopted');
    expect(await readings()).toBe(1);
  });

  it(
    'make no job while slurmctld holds back from accounting how jobs ended',
    { timeout: 60_000 },
    async () => {
      const campaignId = newCampaignId();
      await cluster.asRoot('pkill -KILL ^slurmdbd; while pgrep ^slurmdbd >/dev/null; do sleep 0.05; done');
      try {
        await cluster.asSim('sbatch', '--wrap=true');
        await expect
          .poll(async () => (await cluster.asRoot('sdiag')).stdout, { timeout: 10_000 })
          .toMatch(/DBD Agent queue size: [1-9]/);
        await expect(gateway.submit(head, submissionOf(campaignId, 'a'))).rejects.toMatchObject({
          type: 'SlurmUnavailable',
          message: expect.stringContaining('holds back from accounting') as unknown,
        });
        const { facts } = await gateway.observe(head, {});
        expect(facts.filter(({ comment }) => comment.includes(campaignId))).toEqual([]);
      } finally {
        await cluster.asRoot(
          'setsid setpriv --reuid slurm --regid slurm --clear-groups slurmdbd -D </dev/null >/dev/null 2>&1 &',
        );
      }
      await expect
        .poll(async () => statusOf(gateway, campaignId, 'a', false).catch(String), { timeout: 30_000 })
        .toBe('submitted');
    },
  );
});

describe('a head node that is started again', () => {
  it('serves its REST API again, with the certificate that is pinned and the keys that it had', async () => {
    const spec = jobSpecSchema.parse({ key: 'before', command: ['true'] });
    const submission = { campaignId: newCampaignId(), jobs: [{ spec }], defaultQueue: 'debug' };
    const [before] = await gateway.submit(head, submission);
    // What it has not saved yet, a controller forgets that is killed.
    await cluster.rememberState(submission.campaignId);
    await cluster.restart();
    const { slurmApi } = head.access;
    expect(await cluster.gateway.readSlurmApiCertificate(head)).toBe(slurmApi?.certificateSha256);
    // It begins to listen after Slurm does.
    await expect.poll(async () => gateway.ping(head), { timeout: 30_000 }).toBeDefined();
    const [after] = await gateway.submit(head, submission);
    expect(after).toEqual({
      jobKey: 'before',
      status: 'adopted',
      jobId: before && 'jobId' in before && before.jobId,
    });
  });

  it('fails in words, never with "no jobs", while its REST API is down', async () => {
    await cluster.asRoot('pkill -STOP ^slurmrestd; pkill -KILL ^stunnel');
    const failure = { type: 'HeadNodeUnreachable' };
    await expect(gateway.observe(head, {})).rejects.toMatchObject(failure);
    await expect(gateway.cancel(head, {})).rejects.toMatchObject(failure);
    await cluster.asRoot('pkill -KILL ^slurmrestd; systemctl start-enabled');
    await expect.poll(async () => gateway.observe(head, {}), { timeout: 30_000 }).toBeDefined();
  });
});

describeSlurmTokens('24.11', () => ({ cluster, head, signingKey }));

describe('tokens of an identity provider, where the cluster trusts it', () => {
  let trusting: SlurmCluster;
  let ownKey: string;
  let providerKey: string;
  let https: PinnedHttps;
  let trustingHead: HeadNode;

  beforeAll(async () => {
    [ownKey, providerKey] = [newSigningKey(), newSigningKey()];
    const trust = 'epoch-key-and-keycloak';
    trusting = await startSlurmCluster({ restApi: { trust, signingKeys: [ownKey, providerKey] } });
    trustingHead = await withRestAccess(trusting, trust);
    const { address, slurmApi } = trustingHead.access;
    if (slurmApi === undefined) throw new Error('the cluster has no REST API');
    https = new PinnedHttps({ address, ...slurmApi });
  });
  afterAll(async () => {
    https?.close();
    await trusting?.close();
  });

  async function jobsSeenBy(user: string, claims: Readonly<Record<string, unknown>>) {
    const exp = Math.floor(Date.now() / 1000) + 300;
    const headers = {
      'x-slurm-user-name': user,
      'x-slurm-user-token': tokenWith(providerKey, { exp, ...claims }),
    };
    const path = '/slurm/v0.0.42/jobs/';
    const { status, body } = await https.call({ method: 'GET', path, headers, timeoutSeconds: 30 });
    return { status, comments: [...body.matchAll(/"comment": ?"([^"]+)"/g)].map(([, comment]) => comment) };
  }

  it('act for the user whom they name, beside the tokens of the service', async () => {
    const own = new SlurmRest({
      loadSigningKey: async () => Promise.resolve(ownKey),
      overSsh: trusting.gateway,
    });
    const spec = jobSpecSchema.parse({ key: 'seen', command: ['sleep', '100'] });
    const submission = { campaignId: newCampaignId(), jobs: [{ spec }], defaultQueue: 'debug' };
    await expect(own.submit(trustingHead, submission)).resolves.toMatchObject([{ status: 'submitted' }]);
    own.close();
    expect(await jobsSeenBy('sim', { preferred_username: 'sim' })).toMatchObject({
      status: 200,
      comments: [expect.stringContaining('/seen') as unknown],
    });
  });

  it('show nobody’s jobs to a user whom the cluster does not have', async () => {
    expect((await jobsSeenBy('stranger', { preferred_username: 'stranger' })).comments).toEqual([]);
  });

  it('act for nobody else than the user whom they name', async () => {
    expect((await jobsSeenBy('sim', { preferred_username: 'stranger' })).comments).toEqual([]);
  });

  it('act by Slurm’s own claim as well, which userclaimfield does not switch off', async () => {
    expect((await jobsSeenBy('sim', { sun: 'sim' })).comments).toHaveLength(1);
  });
});
