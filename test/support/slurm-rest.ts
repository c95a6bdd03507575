import { generateKeyPairSync, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { publicHalfOf } from '../../src/clients/slurm-tokens.ts';
import { slurmApiSettings, SLURM_API_PORT } from '../../src/domain/slurm-api.ts';
import type { SlurmApiTrust } from '../../src/domain/slurm-api-spec.ts';
import type { CustomAction } from '../../src/dev/head-node/head-node-spec.ts';
import { renderJwks } from '../../src/domain/slurm-jwt.ts';

/** Whose tokens a test's cluster accepts. */
export interface SlurmRestTrust {
  readonly trust: SlurmApiTrust;
  /** Private keys as PEM, whose public halves are the JWKS. */
  readonly signingKeys: readonly string[];
}

/** A signing key as the service makes them, as PEM. */
export function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function jwksOf(signingKeys: readonly string[]): string {
  return renderJwks(signingKeys.map(publicHalfOf));
}

/** What the cluster configuration does for the REST API, on a head node. */
export async function slurmRestActions({ trust, signingKeys }: SlurmRestTrust): Promise<{
  settings: Readonly<Record<string, string>>;
  onNodeStart: CustomAction;
  onNodeConfigured: CustomAction;
}> {
  const content = await readFile(new URL('../../assets/slurm-rest-api.sh', import.meta.url));
  const name = 'slurm-rest-api.sh';
  const jwks = Buffer.from(jwksOf(signingKeys)).toString('base64');
  return {
    settings: Object.fromEntries(slurmApiSettings(trust).flatMap((setting) => Object.entries(setting))),
    onNodeStart: { name, content, args: ['trust', jwks] },
    onNodeConfigured: { name, content, args: ['serve', String(SLURM_API_PORT)] },
  };
}

/** A token with any claims, as an identity provider could make it. */
export function tokenWith(signingKey: string, claims: Readonly<Record<string, unknown>>): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const content = `${encode({ alg: 'RS256', typ: 'JWT', kid: publicHalfOf(signingKey).kid })}.${encode(claims)}`;
  return `${content}.${sign('sha256', Buffer.from(content), signingKey).toString('base64url')}`;
}
