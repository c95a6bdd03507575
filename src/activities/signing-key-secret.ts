import { createHash, generateKeyPair, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { isAlreadyExists, isInvalidSecretState, isNotFound } from '../clients/aws-errors.ts';
import { putSecretPolicy } from '../clients/secrets.ts';
import { publicHalfOf } from '../clients/slurm-tokens.ts';
import { keySecretName } from '../domain/cluster-name.ts';
import type { Deployment } from '../domain/deployment.ts';
import { KnownFailure } from '../domain/failures.ts';
import { keyPolicy, type KeyReaders } from '../domain/key-policy.ts';
import { keyTags, tagKeys, tagValue, toTagList } from '../domain/resource-tags.ts';
import type { SlurmJwk } from '../domain/slurm-jwt.ts';

/** Slurm's JWKS holds RSA keys only. */
const MODULUS_BITS = 2048;
const ROLE = 'slurm-api';
/** Staging label of the key that is to sign next. AWSPENDING is for rotations that Secrets Manager runs itself. */
const NEXT = 'NEXT';
/** Secrets Manager takes 32 to 64 characters (API reference, `ClientRequestToken`). */
const VERSION_ID_LENGTH = 36;

export interface FoundSigningKey {
  readonly arn: string;
  /** Undefined while the secret has no value, or none that is a private key. */
  readonly jwk: SlurmJwk | undefined;
  readonly isScheduledForDeletion: boolean;
}

/** The secret that holds a deployment's signing key. Its private halves are made here and go nowhere else. */
export class SigningKeySecret {
  readonly name: string;
  readonly #secretsManager: SecretsManagerClient;
  readonly #deployment: Deployment;
  /** Without it the secret has no policy of its own: IAM alone decides. */
  readonly #keyReaders: KeyReaders | undefined;
  readonly #installation: string | undefined;

  constructor(
    secretsManager: SecretsManagerClient,
    deployment: Deployment,
    keyReaders: KeyReaders | undefined,
    installation: string | undefined,
  ) {
    this.#installation = installation;
    this.#secretsManager = secretsManager;
    this.#deployment = deployment;
    this.#keyReaders = keyReaders;
    this.name = keySecretName(deployment, ROLE);
  }

  async find(): Promise<FoundSigningKey | undefined> {
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

  /** Makes a key, unless another attempt was faster. Who may read it is settled before it is there. */
  async store(existing: FoundSigningKey | undefined): Promise<void> {
    if (existing === undefined && !(await this.#create())) return;
    const isRestored = existing?.isScheduledForDeletion === true;
    if (isRestored) await this.#secretsManager.send(new RestoreSecretCommand({ SecretId: this.name }));
    await this.protect();
    if (await this.#put(isRestored ? randomUUID() : this.#firstVersionId())) return;
    // A version has that id: a faster attempt's, which counts, or something that is no key.
    if (!(await this.#readPublicHalf())) await this.#put(randomUUID());
  }

  /** Lets only those read the secret who may. It must exist and not be scheduled for deletion. */
  async protect(): Promise<void> {
    if (this.#keyReaders)
      await putSecretPolicy(this.#secretsManager, this.name, keyPolicy(ROLE, this.#keyReaders));
  }

  /**
   * Makes the key that is to sign next, as a version of its own beside the one that signs. The same version is the same
   * key, however often it is asked for.
   */
  async stage(versionId: string): Promise<SlurmJwk> {
    const known = await this.#readPublicHalf(versionId);
    if (known) return known;
    await this.#put(versionId, [NEXT]);
    const staged = await this.#readPublicHalf(versionId);
    if (staged) return staged;
    throw new KnownFailure('KeyPairConflict', `The secret ${this.name} did not keep its next key`, {
      resource: this.name,
    });
  }

  /** Lets a staged key sign from now on. Repeating it changes nothing. */
  async activate(versionId: string): Promise<void> {
    const current = await this.#currentVersion();
    if (current === versionId) return;
    try {
      await this.#secretsManager.send(
        new UpdateSecretVersionStageCommand({
          SecretId: this.name,
          VersionStage: 'AWSCURRENT',
          MoveToVersionId: versionId,
          RemoveFromVersionId: current,
        }),
      );
    } catch (error) {
      // Another attempt may have moved it meanwhile.
      if ((await this.#currentVersion()) !== versionId) throw error;
    }
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

  /** Makes the secret, as yet without a value. False when it appeared meanwhile: whose it is, the next look tells. */
  async #create(): Promise<boolean> {
    return unlessItExists(async () =>
      this.#secretsManager.send(
        new CreateSecretCommand({
          Name: this.name,
          Description: `Signs tokens for Slurm, deployment ${this.#deployment.epoch}`,
          Tags: toTagList(keyTags(this.#deployment, ROLE, this.#installation)),
        }),
      ),
    );
  }

  /** Puts a new key into the secret. False when it has a version of that id already. */
  async #put(versionId: string, VersionStages?: string[]): Promise<boolean> {
    const SecretString = await newPrivateKey();
    return unlessItExists(async () =>
      this.#secretsManager.send(
        new PutSecretValueCommand({
          SecretId: this.name,
          ClientRequestToken: versionId,
          SecretString,
          ...(VersionStages && { VersionStages }),
        }),
      ),
    );
  }

  /** The same in every attempt, so that of several that make the first key one succeeds. */
  #firstVersionId(): string {
    return createHash('sha256').update(`${this.name} first`).digest('hex').slice(0, VERSION_ID_LENGTH);
  }

  async #currentVersion(): Promise<string | undefined> {
    const command = new GetSecretValueCommand({ SecretId: this.name, VersionStage: 'AWSCURRENT' });
    return (await this.#secretsManager.send(command)).VersionId;
  }

  /** Of the version that signs unless one is named. */
  async #readPublicHalf(VersionId?: string): Promise<SlurmJwk | undefined> {
    try {
      const { SecretString = '' } = await this.#secretsManager.send(
        new GetSecretValueCommand({
          SecretId: this.name,
          ...(VersionId ? { VersionId } : { VersionStage: 'AWSCURRENT' }),
        }),
      );
      return publicHalfOf(SecretString);
    } catch (error) {
      if (isNotFound(error) || isInvalidSecretState(error) || error instanceof TypeError) return undefined;
      throw error;
    }
  }
}

/** Whether a call succeeded; false when what it makes is there already. */
async function unlessItExists(make: () => Promise<unknown>): Promise<boolean> {
  try {
    await make();
    return true;
  } catch (error) {
    if (isAlreadyExists(error)) return false;
    throw error;
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
