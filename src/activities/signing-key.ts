import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { isAlreadyExists, isInvalidSecretState, isNotFound } from '../clients/aws-errors.ts';
import { publicHalfOf } from '../clients/slurm-tokens.ts';
import { keySecretName } from '../domain/cluster-name.ts';
import type { Deployment, SigningKey } from '../domain/deployment.ts';
import { KnownFailure } from '../domain/failures.ts';
import { keyTags, tagKeys, tagValue, toTagList } from '../domain/resource-tags.ts';
import type { SlurmJwk } from '../domain/slurm-jwt.ts';

/** Slurm's JWKS holds RSA keys only. */
const MODULUS_BITS = 2048;
const ROLE = 'slurm-api';
/** Each repair loses only to another attempt, and there are never many of these. */
const MAX_ATTEMPTS = 5;

/**
 * The key that signs a deployment's tokens for Slurm. It is made here, because EC2 makes no RSA keys for signing. The
 * private half goes into Secrets Manager and nowhere else; what is returned is the public one.
 */
export function createSigningKeyActivities({
  secretsManager,
}: {
  readonly secretsManager: SecretsManagerClient;
}): {
  /** Makes or repairs the key. KeyPairConflict if the secret's name belongs to somebody else. */
  ensureSigningKey(deployment: Deployment): Promise<SigningKey>;
  /** Deletes the key at once, without recovery window; an absent one is fine, a foreign one stays. */
  deleteSigningKey(deployment: Deployment): Promise<void>;
} {
  return {
    async ensureSigningKey(deployment) {
      const secret = new SigningKeySecret(secretsManager, deployment);
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const found = await secret.find();
        if (found?.jwk) return { privateKeySecretArn: found.arn, jwk: found.jwk };
        // What is stored in the end is read again: another attempt may have been faster.
        await secret.store(await newPrivateKey(), found);
      }
      throw new KnownFailure('KeyPairConflict', `The secret ${secret.name} never held the signing key`, {
        resource: secret.name,
      });
    },

    async deleteSigningKey(deployment) {
      const secret = new SigningKeySecret(secretsManager, deployment);
      try {
        if (await secret.find()) await secret.delete();
      } catch (error) {
        if (!(error instanceof KnownFailure) || error.type !== 'KeyPairConflict') throw error;
      }
    },
  };
}

interface FoundSecret {
  readonly arn: string;
  /** Undefined while the secret has no value, or none that is a private key. */
  readonly jwk: SlurmJwk | undefined;
  readonly isScheduledForDeletion: boolean;
}

class SigningKeySecret {
  readonly name: string;
  readonly #secretsManager: SecretsManagerClient;
  readonly #deployment: Deployment;

  constructor(secretsManager: SecretsManagerClient, deployment: Deployment) {
    this.#secretsManager = secretsManager;
    this.#deployment = deployment;
    this.name = keySecretName(deployment, ROLE);
  }

  async find(): Promise<FoundSecret | undefined> {
    try {
      const found = await this.#secretsManager.send(new DescribeSecretCommand({ SecretId: this.name }));
      if (tagValue(found.Tags, tagKeys.epoch) !== this.#deployment.epoch) {
        throw new KnownFailure(
          'KeyPairConflict',
          `The secret ${this.name} exists without the tags of ${this.#deployment.epoch}`,
          { resource: this.name },
        );
      }
      const isScheduledForDeletion = found.DeletedDate !== undefined;
      const jwk = isScheduledForDeletion ? undefined : await this.#readPublicHalf();
      return { arn: found.ARN ?? this.name, jwk, isScheduledForDeletion };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async store(privateKey: string, existing: FoundSecret | undefined): Promise<void> {
    const SecretId = this.name;
    if (existing === undefined) {
      await this.#create(privateKey);
      return;
    }
    if (existing.isScheduledForDeletion)
      await this.#secretsManager.send(new RestoreSecretCommand({ SecretId }));
    await this.#secretsManager.send(new PutSecretValueCommand({ SecretId, SecretString: privateKey }));
  }

  async delete(): Promise<void> {
    try {
      await this.#secretsManager.send(
        new DeleteSecretCommand({ SecretId: this.name, ForceDeleteWithoutRecovery: true }),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #create(privateKey: string): Promise<void> {
    try {
      await this.#secretsManager.send(
        new CreateSecretCommand({
          Name: this.name,
          Description: `Signs tokens for Slurm, deployment ${this.#deployment.epoch}`,
          SecretString: privateKey,
          Tags: toTagList(keyTags(this.#deployment, ROLE)),
        }),
      );
    } catch (error) {
      // It appeared meanwhile; whose it is, the next look tells.
      if (!isAlreadyExists(error)) throw error;
    }
  }

  async #readPublicHalf(): Promise<SlurmJwk | undefined> {
    try {
      const { SecretString = '' } = await this.#secretsManager.send(
        new GetSecretValueCommand({ SecretId: this.name }),
      );
      return publicHalfOf(SecretString);
    } catch (error) {
      if (isNotFound(error) || isInvalidSecretState(error) || error instanceof TypeError) return undefined;
      throw error;
    }
  }
}

async function newPrivateKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: MODULUS_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}
