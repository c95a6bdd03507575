import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { SlurmControl } from '../clients/slurm-gateway.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { KeyReaders } from '../domain/key-policy.ts';
import { renderJwks } from '../domain/slurm-jwt.ts';
import { withHeartbeat } from './heartbeat.ts';
import { takeAway } from './poll.ts';
import type { Activities } from './port.ts';
import { SigningKeySecret } from './signing-key-secret.ts';

export interface SigningKeyDeps {
  readonly secretsManager: SecretsManagerClient;
  /** Who may read the private half. Without it the secret has no policy of its own. */
  readonly keyReaders?: KeyReaders | undefined;
  /** Whose everything is that is made: see `installationName`. */
  readonly installation?: string;
  readonly control: Pick<SlurmControl, 'replaceJwks'>;
}

/** Each repair loses only to another attempt, and there are never many of these. */
const MAX_ATTEMPTS = 5;

/**
 * The key that signs a deployment's tokens for Slurm. It is made here, because EC2 makes no RSA keys for signing. The
 * private half goes into Secrets Manager and nowhere else; what is returned is the public one.
 */
export function createSigningKeyActivities({
  secretsManager,
  keyReaders,
  installation,
  control,
}: SigningKeyDeps): Pick<Activities, 'ensureSigningKey' | 'rotateSigningKey' | 'deleteSigningKey'> {
  return {
    async ensureSigningKey(deployment) {
      const secret = new SigningKeySecret(secretsManager, deployment, keyReaders, installation);
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const found = await secret.find();
        if (found?.jwk) {
          await secret.protect();
          return { privateKeySecretArn: found.arn, jwk: found.jwk };
        }
        // What is stored in the end is read again: another attempt may have been faster.
        await secret.store(found);
      }
      throw new KnownFailure('KeyPairConflict', `The secret ${secret.name} never held the signing key`, {
        resource: secret.name,
      });
    },

    async rotateSigningKey({ rotationId, adminAccess, trusted, ...deployment }) {
      const secret = new SigningKeySecret(secretsManager, deployment, keyReaders, installation);
      const found = await secret.find();
      if (found === undefined)
        throw new KnownFailure('NotFound', `The secret ${secret.name} is gone`, { resource: secret.name });
      const jwk = await secret.stage(rotationId);
      const before = trusted.filter(({ kid }) => kid !== jwk.kid);
      const head = { epoch: deployment.epoch, access: adminAccess };
      await withHeartbeat(async ({ signal }) =>
        control.replaceJwks(head, renderJwks([jwk, ...before]), { signal }),
      );
      // Only now: a token of a key that Slurm does not know yet would be refused.
      await secret.activate(rotationId);
      return { privateKeySecretArn: found.arn, jwk };
    },

    async deleteSigningKey({ askedSecondsAgo, ...deployment }) {
      const secret = new SigningKeySecret(secretsManager, deployment, keyReaders, installation);
      const take = async () => {
        const found = await secret.find();
        if (found) await secret.delete();
        return found !== undefined;
      };
      try {
        await withHeartbeat(async ({ signal }) => takeAway(take, { askedSecondsAgo, signal }));
      } catch (error) {
        if (!(error instanceof KnownFailure) || error.type !== 'KeyPairConflict') throw error;
      }
    },
  };
}
