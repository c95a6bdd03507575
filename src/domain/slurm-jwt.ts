import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { z } from 'zod';

/**
 * How long a token of ours is good. Slurm checks a token when a request arrives, so minutes are enough; clocks of the
 * worker and of the head node may differ by less than that.
 */
export const TOKEN_LIFETIME_SECONDS = 900;
/** A token is renewed when less than this is left of it: a batch of submissions ends well within. */
const RENEWAL_SECONDS = 300;

/** What a token says. Slurm checks the signature, `exp` and the user, and nothing else: neither audience nor issuer. */
export interface SlurmTokenClaims {
  readonly iat: number;
  readonly exp: number;
  /** Slurm's own claim, the only one that 22.05 knows. */
  readonly sun: string;
  /** Keycloak's claim, which Slurm reads in the place of `sun` where `userclaimfield` names it (since 23.02). */
  readonly preferred_username: string;
}

/** The claims of a token for one user of a cluster; times in seconds since 1970. */
export function slurmTokenClaims(user: string, nowSeconds: number): SlurmTokenClaims {
  const iat = Math.floor(nowSeconds);
  return { iat, exp: iat + TOKEN_LIFETIME_SECONDS, sun: user, preferred_username: user };
}

export function needsRenewal({ exp }: Pick<SlurmTokenClaims, 'exp'>, nowSeconds: number): boolean {
  return exp - nowSeconds < RENEWAL_SECONDS;
}

/** The public half of a signing key as Slurm wants it: RSA, and `kid` is required (auth_jwt.c, `_build_jwks_keys`). */
export interface SlurmJwk {
  readonly kty: 'RSA';
  readonly use: 'sig';
  readonly alg: 'RS256';
  readonly kid: string;
  readonly n: string;
  readonly e: string;
}

const rsaKeySchema = z.object({ kty: z.literal('RSA'), n: z.string().min(1), e: z.string().min(1) });

/**
 * The JWK of a public key of ours. Its `kid` is its thumbprint (RFC 7638), so it needs to be kept nowhere.
 * @throws ZodError unless it is an RSA key
 */
export function slurmJwk(publicKey: unknown): SlurmJwk {
  const { kty, n, e } = rsaKeySchema.parse(publicKey);
  const digest = sha256(utf8ToBytes(JSON.stringify({ e, kty, n })));
  const kid = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { kty, use: 'sig', alg: 'RS256', kid, n, e };
}

const providerKeySchema = rsaKeySchema.extend({
  kid: z.string().min(1),
  use: z.literal('sig').optional(),
  alg: z.literal('RS256').optional(),
});
const providerJwksSchema = z.object({ keys: z.array(z.unknown()) });

/**
 * The keys of an identity provider that Slurm can check tokens with. Others in its set, such as Keycloak's key for
 * encryption, would keep slurmctld from starting. Sorted by id, so that the same keys in another order are no news.
 * @throws RangeError when there is none
 */
export function providerKeys(jwks: unknown): SlurmJwk[] {
  const set = providerJwksSchema.safeParse(jwks);
  const keys = (set.data?.keys ?? []).flatMap((key) => {
    const { data } = providerKeySchema.safeParse(key);
    return data === undefined ? [] : [{ ...data, use: 'sig', alg: 'RS256' } as const];
  });
  if (keys.length === 0) throw new RangeError('the JWKS holds no RS256 key with a kid for signatures');
  return keys.toSorted((a, b) => (a.kid < b.kid ? -1 : 1));
}

/** The JWKS that a head node is given. */
export function renderJwks(keys: readonly SlurmJwk[]): string {
  return `${JSON.stringify({ keys })}\n`;
}
