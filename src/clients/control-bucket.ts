import { GetObjectCommand, paginateListObjectsV2, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { isNotFound } from './aws-errors.ts';

/** The bucket of the service itself, encrypted at rest. */
export interface ControlBucket {
  readonly s3: S3Client;
  readonly bucket: string;
  /** KMS key of the control bucket; S3's own encryption (AES-256) if none is given. */
  readonly kmsKeyId?: string;
}

/** Writes a text, JSON unless said otherwise, replacing what was there. */
export async function writeObject(
  { s3, bucket, kmsKeyId }: ControlBucket,
  key: string,
  text: string,
  contentType = 'application/json',
): Promise<void> {
  const encryption = kmsKeyId
    ? ({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId } as const)
    : ({ ServerSideEncryption: 'AES256' } as const);
  await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: text,
      ContentType: contentType,
      ...encryption,
    }),
  );
}

/** All objects whose keys begin like this, with their sizes. */
export async function* listObjects(
  { s3, bucket }: Pick<ControlBucket, 's3' | 'bucket'>,
  prefix: string,
): AsyncGenerator<{ readonly key: string; readonly bytes: number }> {
  const pages = paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix });
  for await (const { Contents = [] } of pages)
    for (const { Key: key = '', Size: bytes = 0 } of Contents) yield { key, bytes };
}

/** The text of an object, or undefined if there is none. */
export async function readObject(
  { s3, bucket }: Pick<ControlBucket, 's3' | 'bucket'>,
  key: string,
): Promise<string | undefined> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return await Body?.transformToString('utf-8');
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
