import { beforeAll, describe, expect, it } from 'vitest';
import { nodePolicy } from '../../src/domain/node-policy.ts';
import { configurationOf, deployment } from '../support/cluster-configuration.ts';
import { makeFoundation, policyOf } from '../support/foundation.ts';
import { anything, type IamRequest, isAllowed } from '../support/iam-simulation.ts';

const buckets = { scratch: 'b-scratch', projectPublic: 'b-public', projectPrivate: 'b-private' };
const script = 's3://operators-scripts/licences.sh';
const configuration = configurationOf({ tier: 'debug', customActions: [{ nodes: 'head-node', script }] });
const policy = nodePolicy(deployment, configuration, buckets, 'aws');

const to = (action: string, path: string): IamRequest => ({
  action: `s3:${action}`,
  resource: `arn:aws:s3:::${path}`,
});
const listing = (bucket: string, prefix?: string): IamRequest => ({
  ...to('ListBucket', bucket),
  ...(prefix !== undefined && { context: { 's3:prefix': prefix } }),
});
const inWords = ({ action, resource, context }: IamRequest): string =>
  `${action} ${resource.replace('arn:aws:s3:::', '')} ${context ? `with prefix ${context['s3:prefix']}` : ''}`;
const named = (requests: readonly IamRequest[]) =>
  requests.map((request) => [inWords(request), request] as const);

const allowed: readonly IamRequest[] = [
  ...['b-private', 'b-scratch'].flatMap((bucket) => [
    to('GetObject', `${bucket}/lab1/cortex/a/b.h5`),
    to('PutObject', `${bucket}/lab1/cortex/a/b.h5`),
    to('DeleteObject', `${bucket}/lab1/cortex/a/b.h5`),
    to('AbortMultipartUpload', `${bucket}/lab1/cortex/a`),
    to('ListMultipartUploadParts', `${bucket}/lab1/cortex/a`),
    listing(bucket, 'lab1/cortex/'),
    listing(bucket, 'lab1/cortex/a/'),
  ]),
  to('GetObject', 'provisioner-control/assets/create-job-user.sh'),
  to('GetObject', 'operators-scripts/licences.sh'),
  to('GetObject', 'b-public/models/a'),
  listing('b-public'),
  listing('b-public', 'models/'),
];

const denied: readonly IamRequest[] = [
  ...['b-private', 'b-scratch'].flatMap((bucket) => [
    // Another tenant's, and what begins like one's own.
    ...[
      'lab2/cortex/x',
      'lab1/hippocampus/x',
      'lab1/cortex2/x',
      'lab10/cortex/x',
      'lab1/cortex',
      'x',
    ].flatMap((key) => [
      to('GetObject', `${bucket}/${key}`),
      to('PutObject', `${bucket}/${key}`),
      to('DeleteObject', `${bucket}/${key}`),
      to('AbortMultipartUpload', `${bucket}/${key}`),
    ]),
    ...['', 'lab1/', 'lab1', 'lab1/cortex', 'lab1/cortex2/', 'lab10/cortex/', 'lab2/'].map((prefix) =>
      listing(bucket, prefix),
    ),
    listing(bucket),
    // What was overwritten or deleted can be had back.
    to('DeleteObjectVersion', `${bucket}/lab1/cortex/a`),
    to('ListBucketVersions', bucket),
    to('PutBucketPolicy', bucket),
    to('PutLifecycleConfiguration', bucket),
    to('DeleteBucket', bucket),
  ]),
  to('PutObject', 'b-public/models/a'),
  to('DeleteObject', 'b-public/models/a'),
  to('GetObject', 'provisioner-control/campaigns/x'),
  to('GetObject', 'provisioner-control/assets/storage-folders.sh'),
  to('PutObject', 'provisioner-control/assets/create-job-user.sh'),
  to('GetObject', 'operators-scripts/others.sh'),
  listing('provisioner-control'),
  { action: 's3:ListAllMyBuckets', resource: '*' },
];

describe('in S3, a node of a tenant’s cluster', () => {
  let boundary: unknown;
  beforeAll(async () => {
    const foundation = await makeFoundation({
      PublicAssetsBucket: buckets.projectPublic,
      PrivateAssetsBucket: buckets.projectPrivate,
      ScratchBucket: buckets.scratch,
      ControlBucket: 'provisioner-control',
      CustomActionsBucket: 'operators-scripts',
    });
    boundary = policyOf(foundation, 'provider', 'ClusterBoundary');
  });

  it.each(named(allowed))('may %s', async (_, request) => {
    await expect(isAllowed(request, { identity: [policy], boundary })).resolves.toBe(true);
  });

  it.each(named(denied))('may not %s', async (_, request) => {
    await expect(isAllowed(request, { identity: [policy], boundary })).resolves.toBe(false);
  });

  it('may not delete versions or change buckets, whatever its policy says: the boundary does not allow it', async () => {
    for (const request of [
      to('DeleteObjectVersion', 'b-private/lab1/cortex/a'),
      to('PutBucketPolicy', 'b-scratch'),
      to('PutObject', 'b-public/models/a'),
      to('PutObject', 'provisioner-control/campaigns/x'),
    ])
      await expect(isAllowed(request, { identity: [anything], boundary }), inWords(request)).resolves.toBe(
        false,
      );
    const own = to('PutObject', 'b-private/lab1/cortex/a');
    await expect(isAllowed(own, { identity: [anything], boundary })).resolves.toBe(true);
  });
});
