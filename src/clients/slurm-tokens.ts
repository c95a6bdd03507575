import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { needsRenewal, slurmJwk, slurmTokenClaims } from '../domain/slurm-jwt.ts';
import type { SlurmJwk } from '../domain/slurm-jwt.ts';

export interface SlurmTokensOptions {
  /** A signing key's private half as PEM (PKCS 8), e.g. from Secrets Manager. */
  readonly loadSigningKey: (secretArn: string) => Promise<string>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Whom a token is for, and what it is signed with. */
export interface TokenSubject {
  readonly epoch: string;
  readonly user: string;
  readonly signingKeySecretArn: string;
}

interface IssuedToken {
  readonly epoch: string;
  readonly token: string;
  readonly exp: number;
}

/** Tokens for Slurm, made when they are needed and renewed before they expire. The private key is not kept. */
export class SlurmTokens {
  readonly #options: Required<SlurmTokensOptions>;
  readonly #issued = new Map<string, Promise<IssuedToken>>();

  constructor({ loadSigningKey, now = Date.now }: SlurmTokensOptions) {
    this.#options = { loadSigningKey, now };
  }

  /** @throws what `loadSigningKey` throws; never an error that quotes the key */
  async tokenFor(subject: TokenSubject): Promise<string> {
    const key = JSON.stringify([subject.epoch, subject.user, subject.signingKeySecretArn]);
    const known = await this.#issued.get(key);
    if (known !== undefined && !needsRenewal(known, this.#options.now() / 1000)) return known.token;
    const issuing = this.#issue(subject);
    this.#issued.set(key, issuing);
    issuing.catch(() => this.#issued.delete(key));
    return (await issuing).token;
  }

  /** Forgets the tokens of an epoch: the next one is signed with what the secret then holds. */
  forget(epoch: string): void {
    for (const [key, issued] of this.#issued) {
      issued.then(
        (token) => token.epoch === epoch && this.#issued.delete(key),
        () => undefined,
      );
    }
  }

  async #issue({ epoch, user, signingKeySecretArn }: TokenSubject): Promise<IssuedToken> {
    const privateKey = privateKeyOf(await this.#options.loadSigningKey(signingKeySecretArn));
    const claims = slurmTokenClaims(user, this.#options.now() / 1000);
    const { kid } = publicJwkOf(privateKey);
    const head = base64Url(JSON.stringify({ alg: 'RS256', typ: 'JWT', kid }));
    const content = `${head}.${base64Url(JSON.stringify(claims))}`;
    const signature = sign('sha256', Buffer.from(content), privateKey).toString('base64url');
    return { epoch, token: `${content}.${signature}`, exp: claims.exp };
  }
}

/** The public half of a signing key, for a JWKS. @throws TypeError if the text is no private key */
export function publicHalfOf(privateKeyPem: string): SlurmJwk {
  return publicJwkOf(privateKeyOf(privateKeyPem));
}

function publicJwkOf(privateKey: KeyObject): SlurmJwk {
  return slurmJwk(createPublicKey(privateKey).export({ format: 'jwk' }));
}

/** The error of the parser could quote what it read. */
function privateKeyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new TypeError('the secret of the signing key holds no private key');
  }
}

function base64Url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
