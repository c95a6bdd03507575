import { CreateKeyPairCommand } from '@aws-sdk/client-ec2';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import type { DescribeWorkflow } from '../../src/activities/attendance.ts';
import { createSweepActivities } from '../../src/activities/sweep.ts';
import { createS3DeploymentStore } from '../../src/clients/deployment-store.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { clusterName, keyPairName } from '../../src/domain/cluster-name.ts';
import { clusterWorkflowId, newEpochId, reaperWorkflowId } from '../../src/domain/ids.ts';
import { priceTable } from '../../src/domain/prices.ts';
import { keyTags, toTagList } from '../../src/domain/resource-tags.ts';
import { runActivity } from '../support/activity.ts';
import { useEmulatedAws } from '../support/aws.ts';

/* Who looks after a deployment, as its workflows say: the same key pair, and another answer of Temporal each time. */
const aws = useEmulatedAws();
const tenant = { virtualLabId: 'lab', projectId: 'proj' };
const epochAt = (msAgo: number) => newEpochId(Date.now() - msAgo, '0123456789abcdef');
const deployment = { ...tenant, clusterName: clusterName(tenant), epoch: epochAt(3_600_000) };
const INSTALLATION = 'vpc-1/pool';
const store = () => createS3DeploymentStore({ s3: aws().clients.s3, bucket: 'control' });
const entity = clusterWorkflowId(tenant);
const reaper = reaperWorkflowId(deployment);
type Workflows = Readonly<Record<string, Awaited<ReturnType<DescribeWorkflow>>>>;

beforeAll(async () => {
  await aws().clients.s3.send(new CreateBucketCommand({ Bucket: 'control' }));
  await aws().clients.ec2.send(
    new CreateKeyPairCommand({
      KeyName: keyPairName(deployment, 'admin'),
      KeyType: 'ed25519',
      TagSpecifications: [
        { ResourceType: 'key-pair', Tags: toTagList(keyTags(deployment, 'admin', INSTALLATION)) },
      ],
    }),
  );
});

const sweep = async (describeWorkflow: DescribeWorkflow, installation = INSTALLATION) => {
  const { surveyOrphans } = createSweepActivities({
    ...aws().clients,
    controlBucket: 'control',
    installation,
    deploymentStore: store(),
    listLeases: async () => [],
    region: EMULATED_REGION,
    costStore: { getDeployment: async () => undefined },
    currentPrices: async () => priceTable,
    describeWorkflow,
  });
  return runActivity(async () => surveyOrphans(), undefined);
};
const among = async (workflows: Workflows) => sweep(async (workflowId) => workflows[workflowId]);

describe('a sweep of a deployment', () => {
  test.each<[string, Workflows]>([
    [
      'its entity runs and has its epoch',
      { [entity]: { isRunning: true, view: { epoch: deployment.epoch } } },
    ],
    ['something gives it back already', { [reaper]: { isRunning: true } }],
    [
      'its entity gave it up',
      { [entity]: { isRunning: true, view: { abandonedEpochs: [deployment.epoch] } } },
    ],
    [
      'an ended entity gave it up',
      { [entity]: { isRunning: false, view: { abandonedEpochs: [deployment.epoch] } } },
    ],
    [
      'what gave it back gave it up',
      { [reaper]: { isRunning: false, view: { abandonedEpochs: [deployment.epoch] } } },
    ],
  ])('leaves it alone when %s', async (_why, workflows) => {
    expect(await among(workflows)).toMatchObject({ orphans: [], lookAlikes: [], attended: 1 });
  });

  test.each<[string, Workflows]>([
    ['there is no workflow', {}],
    ['its entity was terminated', { [entity]: { isRunning: false, view: { epoch: deployment.epoch } } }],
    [
      'its entity has gone on to another epoch',
      { [entity]: { isRunning: true, view: { epoch: epochAt(0) } } },
    ],
    ['its entity has none', { [entity]: { isRunning: true, view: {} } }],
    ['what gave it back has ended', { [reaper]: { isRunning: false } }],
  ])('finds it when %s', async (_why, workflows) => {
    expect((await among(workflows)).orphans).toMatchObject([{ epoch: deployment.epoch }]);
  });

  test('leaves it alone when another installation has made it', async () => {
    const { orphans, lookAlikes, deployments } = await sweep(async () => undefined, 'vpc-2/pool');
    expect({ orphans, deployments }).toEqual({ orphans: [], deployments: 0 });
    expect(lookAlikes).toMatchObject([
      { kind: 'key-pair', because: 'It is of the installation vpc-1/pool.' },
    ]);
  });

  test('fails when Temporal does not answer', async () => {
    const unavailable = async () => Promise.reject(new Error('Temporal does not answer'));
    await expect(sweep(unavailable)).rejects.toThrow('Temporal does not answer');
  });

  // The last one: it is so for good.
  test('leaves it alone when it was given up, although no workflow knows of that any more', async () => {
    expect((await among({})).orphans).toHaveLength(1);
    await store().putAbandonment(deployment, { by: 'alex', reason: 'support', at: new Date().toISOString() });
    expect(await among({})).toMatchObject({ orphans: [], lookAlikes: [], attended: 1 });
  });
});
