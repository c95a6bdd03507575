import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, expect, test } from 'vitest';
import {
  createS3DeploymentStore,
  deploymentFolder,
  type DeploymentStore,
} from '../../src/clients/deployment-store.ts';
import type { ExportProof } from '../../src/domain/export-proof.ts';
import type { KeptDeployment } from '../../src/domain/kept-deployment.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec-input.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const bucket = 'control';
const deployment = {
  virtualLabId: 'lab',
  projectId: 'proj',
  clusterName: 'pcluster-lab-proj',
  epoch: 'epoch1',
};
const problems = [{ kind: 'task-hangs', message: 'The export task did not end in time.' }] as const;
const proof: ExportProof = {
  version: 1,
  fileSystemId: 'fs-1',
  provenAt: '2026-11-26T00:00:00.000Z',
  taskId: 'task-1',
  exportedPaths: ['/scratch'],
  files: { total: 1, succeeded: 1, failed: 0 },
  oldestQueuedSeconds: null,
  sample: null,
};
let store: DeploymentStore;

beforeAll(async () => {
  const { s3 } = aws().clients;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  store = createS3DeploymentStore({ s3, bucket });
});

async function objects(): Promise<Record<string, unknown>> {
  const { s3 } = aws().clients;
  const Prefix = deploymentFolder(deployment);
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix }));
  const found: Record<string, unknown> = {};
  for (const { Key = '' } of Contents) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    found[Key.slice(Prefix.length)] = JSON.parse((await Body?.transformToString()) ?? '');
  }
  return found;
}

test('keeps every export, the proof once there is one, and who gave data up', async () => {
  await store.putExport(deployment, { requestId: 'first', status: 'unproven', problems });
  expect(await objects()).toEqual({ 'exports/first.json': { status: 'unproven', problems } });
  await store.putExport(deployment, { requestId: 'second', status: 'proven', proof });
  const discard = { by: 'Ada', reason: 'the lab has it', at: '2026-11-26T01:00:00.000Z' };
  await store.putDiscard(deployment, discard);
  expect(await objects()).toEqual({
    'exports/first.json': { status: 'unproven', problems },
    'exports/second.json': { status: 'proven', proof },
    'export-proof.json': proof,
    'discards/2026-11-26T01:00:00.000Z.json': {
      version: 1,
      clusterName: 'pcluster-lab-proj',
      epoch: 'epoch1',
      ...discard,
    },
  });
});

test('keeps what a deployment is, and that somebody took it over', async () => {
  const of = { ...deployment, epoch: 'epoch2' };
  expect(await store.getRecord(of)).toBeUndefined();
  expect(await store.isAbandoned(of)).toBe(false);
  const record: KeptDeployment = {
    spec: resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug', s3Mounts: true })),
    access: {
      address: '10.0.0.1',
      port: 22,
      user: 'sim',
      hostKey: 'ssh-ed25519 AAAA',
      privateKeySecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:key',
    },
    startedAt: '2026-11-26T00:00:00.000Z',
    readyAt: '2026-11-26T00:20:00.000Z',
  };
  await store.putRecord(of, record);
  expect(await store.getRecord(of)).toEqual(record);
  await store.putAbandonment(of, { by: 'Ada', reason: 'support has it', at: '2026-11-26T01:00:00.000Z' });
  expect(await store.isAbandoned(of)).toBe(true);
});
