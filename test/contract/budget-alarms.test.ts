import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { CreateTopicCommand, DeleteTopicCommand } from '@aws-sdk/client-sns';
import { beforeEach, expect, test } from 'vitest';
import { type BudgetAlarms, createSnsBudgetAlarms } from '../../src/clients/budget-alarms.ts';
import type { BudgetNotice } from '../../src/domain/budget-notice.ts';
import { useEmulatedAws } from '../support/aws.ts';
import { toldOn } from '../support/told-topics.ts';

const aws = useEmulatedAws();
let topicArn: string;
let bucket: string;
let alarms: BudgetAlarms;

const notice: BudgetNotice = {
  tenant: { virtualLabId: 'lab', projectId: 'proj' },
  clusterName: 'pcluster-lab-proj',
  budget: { limitUsd: 100, hardLimitUsd: 150, setAt: '2026-11-01T00:00:00.000Z' },
  standing: { month: '2026-11', spentUsd: 81.239, share: 0.81239, level: 'nearly-spent' },
};

beforeEach(async () => {
  const { s3, sns } = aws().clients;
  bucket = `control-${randomUUID()}`;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: `alarms-${randomUUID()}` }));
  topicArn = TopicArn;
  alarms = createSnsBudgetAlarms({ s3, sns, bucket, topicArn });
});

const messages = async () => toldOn(topicArn, aws().emulators.env.AWS_ENDPOINT_URL);

test('a level is told on the topic in words and as JSON, and can be filtered by level and project', async () => {
  await alarms.tell(notice);
  const [sent, ...others] = await messages();
  expect(others).toEqual([]);
  expect(sent?.subject).toBe('Budget nearly-spent: lab/proj');
  expect(sent?.attributes).toMatchObject({
    level: { Value: 'nearly-spent' },
    virtualLabId: { Value: 'lab' },
    projectId: { Value: 'proj' },
  });
  const [words, json = ''] = sent?.message.split('\n\n') ?? [];
  expect(words).toContain('has spent 81.24 of 100 USD (81 %, hard limit 150)');
  expect(JSON.parse(json)).toMatchObject({
    level: 'nearly-spent',
    spentUsd: 81.24,
    limitUsd: 100,
    share: 0.8124,
  });
});

test('a level is told once a month, another level, another month and another budget again', async () => {
  const { standing, budget } = notice;
  await alarms.tell(notice);
  await alarms.tell(notice);
  expect(await messages()).toHaveLength(1);
  await alarms.tell({ ...notice, standing: { ...standing, level: 'exhausted' } });
  await alarms.tell({ ...notice, standing: { ...standing, month: '2026-12' } });
  await alarms.tell({ ...notice, budget: { ...budget, setAt: '2026-11-02T00:00:00.000Z' } });
  await alarms.tell({ ...notice, tenant: { ...notice.tenant, projectId: 'proj-2' } });
  expect(await messages()).toHaveLength(5);
});

test('a message that did not go out is told the next time', async () => {
  const { sns, s3 } = aws().clients;
  const name = topicArn.split(':').at(-1) ?? '';
  await sns.send(new DeleteTopicCommand({ TopicArn: topicArn }));
  await expect(alarms.tell(notice)).rejects.toThrow('does not exist');
  const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  expect(KeyCount).toBe(0);
  await sns.send(new CreateTopicCommand({ Name: name }));
  await alarms.tell(notice);
  expect(await messages()).toHaveLength(1);
});

test('ids of projects that are too long for a subject are cut off there and whole in the message', async () => {
  const tenant = { virtualLabId: 'l'.repeat(64), projectId: 'p'.repeat(64) };
  await alarms.tell({ ...notice, tenant });
  const [sent] = await messages();
  expect(sent?.subject).toHaveLength(100);
  expect(sent?.message).toContain(tenant.projectId);
});
