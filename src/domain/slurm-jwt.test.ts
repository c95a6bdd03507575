import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  needsRenewal,
  providerKeys,
  renderJwks,
  slurmJwk,
  slurmTokenClaims,
  TOKEN_LIFETIME_SECONDS,
} from './slurm-jwt.ts';

describe('a token', () => {
  it('names its user in the claims of every generation, and ends', () => {
    expect(slurmTokenClaims('sim', 1000.7)).toEqual({
      iat: 1000,
      exp: 1000 + TOKEN_LIFETIME_SECONDS,
      sun: 'sim',
      preferred_username: 'sim',
    });
  });

  it('is renewed some minutes before its end', () => {
    expect(needsRenewal({ exp: 1000 }, 699)).toBe(false);
    expect(needsRenewal({ exp: 1000 }, 701)).toBe(true);
    expect(needsRenewal({ exp: 1000 }, 2000)).toBe(true);
  });
});

describe('the key of a JWKS', () => {
  // The key and the thumbprint of RFC 7638, section 3.1, there in base64url.
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';

  it('is named by its thumbprint', () => {
    const { kid } = slurmJwk({ kty: 'RSA', n, e: 'AQAB' });
    expect(Buffer.from(kid, 'hex').toString('base64url')).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });

  it('is never another kind of key, and never a private half', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = slurmJwk(privateKey.export({ format: 'jwk' }));
    expect(jwk).toEqual(slurmJwk(publicKey.export({ format: 'jwk' })));
    expect(Object.keys(jwk).toSorted()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(() => slurmJwk({ kty: 'EC', crv: 'P-256', x: 'x', y: 'y' })).toThrow('RSA');
  });

  it('is taken from an identity provider only where Slurm can use it', () => {
    const usable = { kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'a', n, e: 'AQAB' };
    const keys = providerKeys({
      keys: [
        { ...usable, x5c: ['certificate'], x5t: 'thumbprint' },
        { ...usable, kid: 'b', use: 'enc', alg: 'RSA-OAEP' },
        { ...usable, kid: 'c', alg: 'RS512' },
        { kty: 'EC', kid: 'd', crv: 'P-256' },
      ],
    });
    expect(keys).toEqual([usable]);
    expect(JSON.parse(renderJwks(keys))).toEqual({ keys: [usable] });
    const other = { ...usable, kid: 'e' };
    expect(providerKeys({ keys: [other, usable] })).toEqual([usable, other]);
    expect(() => providerKeys({ keys: [] })).toThrow(RangeError);
    expect(() => providerKeys('none')).toThrow(RangeError);
  });
});
