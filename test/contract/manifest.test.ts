import { expect, test } from 'vitest';
import { createManifestActivities } from '../../src/activities/manifest.ts';
import { readDocument } from '../../src/clients/log-reader.ts';
import { ensureLogGroup } from '../../src/clients/log-streams.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import { createMemoryCampaignStore } from '../fakes/memory-campaign-store.ts';
import { runActivity } from '../support/activity.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const tenant = { virtualLabId: 'lab', projectId: 'proj' };
const campaignId = 'mfrggzdfmztwq2lknnwg23tpoa';
const logs = { logGroupName: '/parallelcluster-provisioner/lab/proj', epoch: '1k2m9x0aab12cd' };
const stream = { logGroupName: logs.logGroupName, logStreamName: `${logs.epoch}/${campaignId}/manifest` };
// Together more than one event can hold.
const jobs: JobView[] = Array.from({ length: 3000 }, (_, index) => ({
  key: `job-${index}`,
  state: index === 7 ? 'failed' : 'succeeded',
  reason: 'It ended with an exit code, which is said here at some length.',
  logsComplete: true,
}));

async function someCampaign() {
  const campaignStore = createMemoryCampaignStore();
  const content = await campaignStore.put(tenant, { version: 1, campaignId, jobs: [] });
  const activities = createManifestActivities({ campaignStore, logs: aws().clients.logs });
  return { campaignStore, content, activities };
}

test('the log group holds the manifest too, one line for each job, also when it was written twice', async () => {
  await ensureLogGroup(aws().clients.logs, { name: logs.logGroupName, retentionInDays: 90, tags: {} });
  const { content, activities } = await someCampaign();
  const parts = [
    await activities.writeManifestPart({ content, part: 0, jobs: jobs.slice(0, 2000) }),
    await activities.writeManifestPart({ content, part: 1, jobs: jobs.slice(2000) }),
  ];
  const request = { content, campaignId, logs, state: 'failed', parts } as const;
  await runActivity(activities.writeManifest, request);
  await runActivity(activities.writeManifest, request);
  const text = (await readDocument(aws().clients.logs, stream)).toString();
  const [head, ...lines] = text
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(head).toEqual({ campaignId, state: 'failed', jobCount: jobs.length });
  expect(lines).toEqual(jobs);
});

test('a manifest that cannot be copied to the log group is written all the same', async () => {
  const { campaignStore, content, activities } = await someCampaign();
  const elsewhere = { ...logs, logGroupName: '/parallelcluster-provisioner/lab/missing' };
  const request = { content, campaignId, logs: elsewhere, state: 'failed', jobs } as const;
  await runActivity(activities.writeManifest, request);
  expect(await campaignStore.getManifest(tenant, campaignId)).toMatchObject({ logs: elsewhere, jobs });
});
