import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';

const ASSETS = join(import.meta.dirname, '..', '..', 'assets');
/** Every queue names the key twice in a template of limited size; releases are few. */
const HASH_CHARACTERS = 12;

/**
 * Puts a script of `assets` where the nodes of a cluster fetch it, and returns its `s3://bucket/key` address.
 * The hash in the key keeps every release's script: nodes that start later get the one that their cluster was made
 * with.
 */
export async function uploadScript(
  s3: S3Client,
  bucket: string,
  name: 'create-job-user' | 'job-environment' | 's3-mounts' | 'slurm-rest-api' | 'storage-folders',
): Promise<string> {
  const script = await readFile(join(ASSETS, `${name}.sh`));
  const sha256 = createHash('sha256').update(script).digest('hex');
  const key = `assets/${name}-${sha256.slice(0, HASH_CHARACTERS)}.sh`;
  // Never the bucket's KMS key: nodes may read this object but hold no permission on keys.
  await s3.send(
    new PutObjectCommand({ Bucket: bucket, Key: key, Body: script, ServerSideEncryption: 'AES256' }),
  );
  return `s3://${bucket}/${key}`;
}
