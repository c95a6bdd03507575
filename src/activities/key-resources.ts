import { CreateKeyPairCommand, DeleteKeyPairCommand, DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import type { EC2Client } from '@aws-sdk/client-ec2';
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
import { publicKeyOf, withoutComment } from '../clients/openssh-key.ts';
import { putSecretPolicy } from '../clients/secrets.ts';
import { keyPairName, keySecretName } from '../domain/cluster-name.ts';
import type { Deployment, KeyRole } from '../domain/deployment.ts';
import { KnownFailure } from '../domain/failures.ts';
import { keyPolicy, type KeyReaders } from '../domain/key-policy.ts';
import { keyTags, tagKeys, tagValue, toTagList } from '../domain/resource-tags.ts';

export interface KeyResourcesDeps {
  readonly ec2: EC2Client;
  readonly secretsManager: SecretsManagerClient;
  /** Who may read private keys. Without it secrets have no policy of their own: IAM alone decides. */
  readonly keyReaders?: KeyReaders | undefined;
  /** Whose everything is that is made: see `installationName`. */
  readonly installation?: string;
}

type TagList = readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[];

/** The EC2 half of a key pair as it is now. */
export interface PublicHalf {
  readonly publicKey: string;
}

/** The Secrets Manager half as it is now. The private key itself is looked at and dropped. */
export interface PrivateHalf {
  readonly arn: string;
  /** Undefined while the secret has no value, or none that is a private key. */
  readonly publicKey: string | undefined;
  readonly isScheduledForDeletion: boolean;
}

/** The two resources that make up one key pair of a deployment: an EC2 key pair and a secret. */
export class KeyResources {
  readonly keyName: string;
  readonly secretName: string;
  readonly #deps: KeyResourcesDeps;
  readonly #epoch: string;
  readonly #tags: { Key: string; Value: string }[];
  readonly #role: KeyRole;

  constructor(deps: KeyResourcesDeps, deployment: Deployment, role: KeyRole) {
    this.#deps = deps;
    this.#epoch = deployment.epoch;
    this.#role = role;
    this.#tags = toTagList(keyTags(deployment, role, deps.installation));
    this.keyName = keyPairName(deployment, role);
    this.secretName = keySecretName(deployment, role);
  }

  /** The EC2 key pair, or undefined. KeyPairConflict if one of that name is not ours. */
  async findPublicHalf(): Promise<PublicHalf | undefined> {
    // By filter rather than by name: a name that does not exist is then an empty list and not an error.
    const { KeyPairs = [] } = await this.#deps.ec2.send(
      new DescribeKeyPairsCommand({
        Filters: [{ Name: 'key-name', Values: [this.keyName] }],
        IncludePublicKey: true,
      }),
    );
    const found = KeyPairs.find(({ KeyName }) => KeyName === this.keyName);
    if (!found) return undefined;
    this.#refuseForeign(found.Tags, `key pair ${this.keyName}`);
    return { publicKey: withoutComment(found.PublicKey ?? '') };
  }

  /** The secret, or undefined. KeyPairConflict if one of that name is not ours. */
  async findPrivateHalf(): Promise<PrivateHalf | undefined> {
    const { secretsManager } = this.#deps;
    try {
      const found = await secretsManager.send(new DescribeSecretCommand({ SecretId: this.secretName }));
      this.#refuseForeign(found.Tags, `secret ${this.secretName}`);
      const isScheduledForDeletion = found.DeletedDate !== undefined;
      const publicKey = isScheduledForDeletion ? undefined : await this.#readPublicKey();
      return { arn: found.ARN ?? this.secretName, publicKey, isScheduledForDeletion };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Makes the EC2 key pair and returns its private half; undefined if one of that name appeared meanwhile. */
  async createPair(): Promise<string | undefined> {
    try {
      const { KeyMaterial } = await this.#deps.ec2.send(
        new CreateKeyPairCommand({
          KeyName: this.keyName,
          KeyType: 'ed25519',
          KeyFormat: 'pem',
          TagSpecifications: [{ ResourceType: 'key-pair', Tags: this.#tags }],
        }),
      );
      return KeyMaterial;
    } catch (error) {
      if (isAlreadyExists(error)) return undefined;
      throw error;
    }
  }

  /** Makes or restores the secret, as yet without the private half, and lets only those read it who may. */
  async prepareSecret(existing: PrivateHalf | undefined): Promise<void> {
    const { secretsManager } = this.#deps;
    if (existing?.isScheduledForDeletion) {
      await secretsManager.send(new RestoreSecretCommand({ SecretId: this.secretName }));
    }
    if (!existing) {
      try {
        const Description = `Private key of role ${this.#role}, deployment ${this.#epoch}`;
        await secretsManager.send(
          new CreateSecretCommand({ Name: this.secretName, Description, Tags: this.#tags }),
        );
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        // It appeared meanwhile: whose it is must be known before anything is written into it.
        await this.findPrivateHalf();
      }
    }
    await this.protectSecret();
  }

  /** Lets only those read the secret who may. It must exist and not be scheduled for deletion. */
  async protectSecret(): Promise<void> {
    const { secretsManager, keyReaders } = this.#deps;
    if (keyReaders) await putSecretPolicy(secretsManager, this.secretName, keyPolicy(this.#role, keyReaders));
  }

  /** Puts the private half into the secret, which must have been prepared. */
  async storePrivateKey(privateKey: string): Promise<void> {
    await this.#deps.secretsManager.send(
      new PutSecretValueCommand({ SecretId: this.secretName, SecretString: privateKey }),
    );
  }

  /** Deletes the EC2 key pair; an absent one is fine. Its owner must have been looked at before. */
  async deletePublicHalf(): Promise<void> {
    await this.#deps.ec2.send(new DeleteKeyPairCommand({ KeyName: this.keyName }));
  }

  /** Deletes the secret at once, without recovery window; an absent one is fine. */
  async deletePrivateHalf(): Promise<void> {
    try {
      await this.#deps.secretsManager.send(
        new DeleteSecretCommand({ SecretId: this.secretName, ForceDeleteWithoutRecovery: true }),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #readPublicKey(): Promise<string | undefined> {
    try {
      const { SecretString = '' } = await this.#deps.secretsManager.send(
        new GetSecretValueCommand({ SecretId: this.secretName }),
      );
      return publicKeyOf(SecretString);
    } catch (error) {
      // A secret without a value yet, or one whose deletion began meanwhile.
      if (isNotFound(error) || isInvalidSecretState(error)) return undefined;
      throw error;
    }
  }

  #refuseForeign(tags: TagList | undefined, resource: string): void {
    if (tagValue(tags, tagKeys.epoch) === this.#epoch && tagValue(tags, tagKeys.role) === this.#role) return;
    throw new KnownFailure('KeyPairConflict', `The ${resource} exists without the tags of ${this.#epoch}`, {
      resource,
    });
  }
}
