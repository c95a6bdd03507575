/** An object, or a prefix, in S3. */
export interface S3Location {
  readonly bucket: string;
  /** Empty for the bucket as a whole. */
  readonly key: string;
}

/**
 * Bucket and key of `s3://bucket/key`.
 *
 * @throws RangeError for any other address.
 */
export function parseS3Uri(uri: string): S3Location {
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri) ?? [];
  if (bucket === undefined) throw new RangeError(`${uri} is not an s3://bucket/key address`);
  return { bucket, key };
}

/** As {@link parseS3Uri}, of an address that must name an object. */
export function parseS3ObjectUri(uri: string): S3Location {
  const location = parseS3Uri(uri);
  if (location.key === '') throw new RangeError(`${uri} is not an s3://bucket/key address`);
  return location;
}
