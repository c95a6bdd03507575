import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { GetObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import type { Tenant } from '../../src/domain/ids.ts';

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

/** Of the files below a folder, by path. */
export async function fileChecksums(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    found.set(relative(folder, file), sha256(await readFile(file)));
  }
  return found;
}

/** Of a tenant's objects but reports of exports, by their key below its prefix. */
export async function objectChecksums(
  s3: S3Client,
  bucket: string,
  { virtualLabId, projectId }: Tenant,
): Promise<Map<string, string>> {
  const Prefix = `${virtualLabId}/${projectId}/`;
  const found = new Map<string, string>();
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix })) {
    for (const { Key = '' } of Contents) {
      const name = Key.slice(Prefix.length);
      if (name.endsWith('/') || name.startsWith('export-reports/')) continue;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
      found.set(name, sha256((await Body?.transformToByteArray()) ?? new Uint8Array()));
    }
  }
  return found;
}
