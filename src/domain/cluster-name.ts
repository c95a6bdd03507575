import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { Deployment, KeyRole, SecretRole } from './deployment.ts';
import type { Tenant } from './ids.ts';

/**
 * ParallelCluster's limit for clusters with Slurm accounting (aws-parallelcluster 3.16, `ClusterNameValidator`);
 * without accounting it is 60.
 */
export const MAX_CLUSTER_NAME_LENGTH = 40;

const PREFIX = 'pcluster-';
/** Sixteen characters of base 32 are 80 bits: nobody finds two tenants with the same by trying. */
const HASH_CHARACTERS = 16;
/** What is left of 40 for the two ids, joined by a hyphen. */
const READABLE_CHARACTERS = (MAX_CLUSTER_NAME_LENGTH - PREFIX.length - '--'.length - HASH_CHARACTERS - 1) / 2;

/**
 * The name of a tenant's cluster, the same in every deployment; it is also the name of the cluster's own
 * CloudFormation stack. No two tenants share one.
 *
 * `pcluster-<virtual lab>-<project>` when that fits and can only be read in one way, which it can when the virtual
 * lab has no hyphen. Otherwise the beginnings of both ids and, after two hyphens, a hash of the whole ids. Two
 * hyphens in a row are what the plain form never has, so that no tenant's plain name is another one's hashed name.
 */
export function clusterName(tenant: Tenant): string {
  const { virtualLabId, projectId } = tenant;
  const plain = `${PREFIX}${virtualLabId}-${projectId}`;
  const unambiguous = !virtualLabId.includes('-') && !plain.includes('--');
  if (unambiguous && plain.length <= MAX_CLUSTER_NAME_LENGTH) return plain;
  return `${PREFIX}${beginningOf(virtualLabId)}-${beginningOf(projectId)}--${tenantHash(tenant)}`;
}

function beginningOf(id: string): string {
  return id.slice(0, READABLE_CHARACTERS).replaceAll(/-+/g, '-').replace(/-$/, '');
}

/** A slash separates the ids because it cannot be part of one. */
function tenantHash({ virtualLabId, projectId }: Tenant): string {
  return base32(sha256(utf8ToBytes(`${virtualLabId}/${projectId}`))).slice(0, HASH_CHARACTERS);
}

/** RFC 4648 base 32 in lower case; the last, incomplete group of five bits is left out. */
function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    bitCount += 8;
    for (; bitCount >= 5; bitCount -= 5)
      text += 'abcdefghijklmnopqrstuvwxyz234567'[(bits >> (bitCount - 5)) & 31];
    bits &= 0b1111;
  }
  return text;
}

/**
 * The name of the stack that holds the cluster as its one resource. It must not be a possible cluster name, because
 * the cluster is a stack as well: no cluster name begins like this. At most 52 of the 128 characters that
 * CloudFormation allows.
 */
export function outerStackName(name: string): string {
  return `provisioner-${name}`;
}

/** EC2 name of a deployment's key pair (at most 255 characters). New in every epoch, like the key itself. */
export function keyPairName({ clusterName, epoch }: Deployment, role: KeyRole): string {
  return `${clusterName}-${epoch}-${role}`;
}

/**
 * Secrets Manager name of the private half of a key pair. It carries the epoch because the name of a deleted secret
 * stays reserved, and both ids in full so that an IAM policy can name one tenant's secrets. At most 180 of 512
 * characters.
 */
export function keySecretName({ virtualLabId, projectId, epoch }: Deployment, role: SecretRole): string {
  return `parallelcluster-provisioner/${virtualLabId}/${projectId}/${epoch}/${role}`;
}

/** CloudWatch log group of a tenant's jobs. One for all epochs: it outlives every deployment. */
export function logGroupName({ virtualLabId, projectId }: Tenant): string {
  return `/parallelcluster-provisioner/${virtualLabId}/${projectId}`;
}
