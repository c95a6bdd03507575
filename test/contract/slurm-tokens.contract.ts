import { afterAll, describe, expect, it } from 'vitest';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SlurmRest } from '../../src/clients/slurm-rest.ts';
import type { SlurmTokensOptions } from '../../src/clients/slurm-tokens.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { jwksOf, newSigningKey } from '../support/slurm-rest.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

/** A cluster whose REST API goes by one key. */
export interface SlurmTokensRig {
  readonly cluster: SlurmCluster;
  readonly head: HeadNode;
  readonly signingKey: string;
}

/** What Slurm and the gateway must do with tokens. Last on its cluster: afterwards Slurm goes by other keys. */
export function describeSlurmTokens(name: string, rigOf: () => SlurmTokensRig): void {
  describe(`tokens of Slurm ${name}`, () => {
    const gateways: SlurmRest[] = [];
    afterAll(() => gateways.forEach((gateway) => gateway.close()));

    const gatewayOf = (options: SlurmTokensOptions) => {
      const gateway = new SlurmRest({ ...options, overSsh: rigOf().cluster.gateway });
      gateways.push(gateway);
      return gateway;
    };
    const signedBy = (key: string) => gatewayOf({ loadSigningKey: async () => Promise.resolve(key) });
    const refused = { type: 'SlurmTokenRefused' };

    it('are refused in every verb, never answered by "no jobs", when another key signed them', async () => {
      const { head } = rigOf();
      const gateway = signedBy(newSigningKey());
      const spec = jobSpecSchema.parse({ key: 'a', command: ['true'] });
      const submission = { campaignId: newCampaignId(), jobs: [{ spec }], defaultQueue: 'debug' };
      await expect(gateway.ping(head)).rejects.toMatchObject(refused);
      await expect(gateway.observe(head, {})).rejects.toMatchObject(refused);
      await expect(gateway.observe(head, { sinceSeconds: 0 })).rejects.toMatchObject(refused);
      await expect(gateway.submit(head, submission)).rejects.toMatchObject(refused);
      await expect(gateway.cancel(head, {})).rejects.toMatchObject(refused);
    });

    it('are refused when they have expired, and made anew', async () => {
      const { head, signingKey } = rigOf();
      let now = Date.now() - 3_600_000;
      const gateway = gatewayOf({ loadSigningKey: async () => Promise.resolve(signingKey), now: () => now });
      await expect(gateway.observe(head, {})).rejects.toMatchObject(refused);
      now = Date.now();
      await expect(gateway.observe(head, {})).resolves.toBeDefined();
    });

    it('go on while their key is replaced, and end with the old one', { timeout: 180_000 }, async () => {
      const { cluster, head, signingKey } = rigOf();
      const admin = { ...head, access: { ...head.access, user: 'ec2-user' } };
      const nextKey = newSigningKey();
      const spec = jobSpecSchema.parse({ key: 'runs-on', command: ['sleep', '300'] });
      const campaignId = newCampaignId();
      const before = signedBy(signingKey);
      await before.submit(head, { campaignId, jobs: [{ spec }], defaultQueue: 'debug' });

      await cluster.gateway.replaceJwks(admin, jwksOf([signingKey, nextKey]));
      const after = signedBy(nextKey);
      await expect(before.observe(head, { sinceSeconds: 0 })).resolves.toBeDefined();
      await expect(after.observe(head, { sinceSeconds: 0 })).resolves.toBeDefined();

      await cluster.gateway.replaceJwks(admin, jwksOf([nextKey]));
      await expect(before.observe(head, {})).rejects.toMatchObject(refused);
      const { facts } = await after.observe(head, {});
      expect(facts.find(({ comment }) => comment.includes(campaignId))?.state).not.toBe('CANCELLED');
      await expect.poll(async () => after.cancel(head, {}), { timeout: 30_000 }).toEqual({ remaining: 0 });
    });

    it('never end because of something that is no JWKS', async () => {
      const { cluster, head } = rigOf();
      const admin = { ...head, access: { ...head.access, user: 'ec2-user' } };
      await expect(cluster.gateway.replaceJwks(admin, '{"keys":')).rejects.toMatchObject({
        type: 'SlurmUnavailable',
        message: expect.stringContaining('no JWKS') as unknown,
      });
      await expect(cluster.gateway.ping(head)).resolves.toBeDefined();
    });

    it('of the job user do not replace keys', async () => {
      const { cluster, head } = rigOf();
      await expect(cluster.gateway.replaceJwks(head, jwksOf([newSigningKey()]))).rejects.toMatchObject({
        type: 'SlurmUnavailable',
      });
    });
  });
}
