import { describe, expect, it } from 'vitest';
import { parseS3ObjectUri, parseS3Uri } from './s3-uri.ts';

describe('an address in S3', () => {
  it.each([
    ['s3://bucket/a/b.sh', { bucket: 'bucket', key: 'a/b.sh' }],
    ['s3://bucket/', { bucket: 'bucket', key: '' }],
    ['s3://bucket', { bucket: 'bucket', key: '' }],
    ['s3://bucket/line\nbreak', { bucket: 'bucket', key: 'line\nbreak' }],
  ])('is read from %s', (uri, location) => {
    expect(parseS3Uri(uri)).toEqual(location);
  });

  it.each(['https://example.org/a.sh', 's3:///key', 'bucket/key'])('is not %s', (uri) => {
    expect(() => parseS3Uri(uri)).toThrow('not an s3://bucket/key address');
  });

  it('names an object only with a key', () => {
    expect(parseS3ObjectUri('s3://bucket/key').key).toBe('key');
    expect(() => parseS3ObjectUri('s3://bucket/')).toThrow(RangeError);
  });
});
