import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { publicHalfOf, SlurmTokens } from './slurm-tokens.ts';

function newKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const subject = { epoch: 'e1', user: 'sim', signingKeySecretArn: 'arn:key' };
const decoded = (part: string | undefined): unknown =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'));

describe('tokens for Slurm', () => {
  it('are signed so that the public half proves them, and name that half', async () => {
    const pem = newKey();
    const tokens = new SlurmTokens({ loadSigningKey: async () => pem, now: () => 5_000_000 });
    const [head, claims, signature] = (await tokens.tokenFor(subject)).split('.');
    expect(decoded(head)).toEqual({ alg: 'RS256', typ: 'JWT', kid: publicHalfOf(pem).kid });
    expect(decoded(claims)).toMatchObject({ sun: 'sim', preferred_username: 'sim', exp: 5900 });
    const content = Buffer.from(`${head}.${claims}`);
    expect(verify('sha256', content, createPublicKey(pem), Buffer.from(signature ?? '', 'base64url'))).toBe(
      true,
    );
  });

  it('are used until shortly before their end, then made anew with what the secret holds', async () => {
    let loads = 0;
    let now = 0;
    const pem = newKey();
    const loadSigningKey = async () => {
      loads += 1;
      return pem;
    };
    const tokens = new SlurmTokens({ loadSigningKey, now: () => now });
    const first = await tokens.tokenFor(subject);
    now = 500_000;
    expect(await tokens.tokenFor(subject)).toBe(first);
    now = 700_000;
    const second = await tokens.tokenFor(subject);
    expect(second).not.toBe(first);
    expect(loads).toBe(2);
  });

  it('are forgotten by epoch, and after a key that could not be read', async () => {
    let pem = 'no key';
    const tokens = new SlurmTokens({ loadSigningKey: async () => pem });
    await expect(tokens.tokenFor(subject)).rejects.toThrow('holds no private key');
    pem = newKey();
    const first = await tokens.tokenFor(subject);
    pem = newKey();
    tokens.forget('another');
    await Promise.resolve();
    expect(await tokens.tokenFor(subject)).toBe(first);
    tokens.forget('e1');
    await Promise.resolve();
    expect(await tokens.tokenFor(subject)).not.toBe(first);
  });

  it('never quote a key in an error', async () => {
    const tokens = new SlurmTokens({ loadSigningKey: async () => '-----BEGIN PRIVATE KEY-----\nplanted' });
    const error: unknown = await tokens.tokenFor(subject).catch((reason: unknown) => reason);
    expect(String(error)).not.toContain('planted');
  });
});
