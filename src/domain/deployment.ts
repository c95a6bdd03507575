import type { Tenant } from './ids.ts';
import type { SlurmJwk } from './slurm-jwt.ts';

/** One deployment of a tenant's cluster: what everything that is made or deleted for it is keyed by. */
export interface Deployment extends Tenant {
  readonly epoch: string;
  readonly clusterName: string;
}

export type KeyRole = 'admin' | 'job-user';

/** An EC2 key pair whose private half lies in Secrets Manager and never travels. */
export interface KeyPair {
  readonly role: KeyRole;
  readonly keyName: string;
  readonly privateKeySecretArn: string;
  /** OpenSSH form, `ssh-ed25519 AAAA…`. */
  readonly publicKey: string;
}

/** Whom a secret's private key is for: a key pair of EC2, or the tokens for Slurm's REST API. */
export type SecretRole = KeyRole | 'slurm-api';

/** The key that signs a deployment's tokens for Slurm; its private half never travels. */
export interface SigningKey {
  readonly privateKeySecretArn: string;
  readonly jwk: SlurmJwk;
}

/** A subnet that the pool gave to a deployment. */
export interface SubnetLease {
  readonly subnetId: string;
  readonly availabilityZone: string;
}

/** What CloudFormation answered when the deployment's stack was complete. */
export interface CreatedStack {
  readonly stackId: string;
  readonly headNodeAddress: string;
}
