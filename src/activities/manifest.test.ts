import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { expect, test } from 'vitest';
import { createMemoryCampaignStore } from '../../test/fakes/memory-campaign-store.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { createCampaignPlanActivities } from './campaign-plan.ts';
import { createManifestActivities } from './manifest.ts';

const tenant = { virtualLabId: 'lab', projectId: 'proj' };
const campaignId = 'mfrggzdfmztwq2lknnwg23tpoa';
const jobs: JobView[] = ['a', 'b', 'c'].map((key) => ({
  key,
  state: 'succeeded',
  reason: 'It ended.',
  logsComplete: true,
}));

async function someCampaign() {
  const campaignStore = createMemoryCampaignStore();
  const content = await campaignStore.put(tenant, { version: 1, campaignId, jobs: [] });
  // Without a place for logs nothing is sent.
  const logs = new CloudWatchLogsClient({ region: 'us-east-1' });
  return { campaignStore, content, activities: createManifestActivities({ campaignStore, logs }) };
}

test('the final state of every job lies beside the content of its campaign', async () => {
  const { campaignStore, content, activities } = await someCampaign();
  await activities.writeManifest({ content, campaignId, state: 'cancelled', jobs });
  expect(await campaignStore.getManifest(tenant, campaignId)).toEqual({
    version: 1,
    campaignId,
    state: 'cancelled',
    contentSha256: content.sha256,
    jobs,
  });
});

test('a manifest of parts has the jobs of all parts, in their order', async () => {
  const { campaignStore, content, activities } = await someCampaign();
  const parts = [
    await activities.writeManifestPart({ content, part: 0, jobs: jobs.slice(0, 2) }),
    await activities.writeManifestPart({ content, part: 1, jobs: jobs.slice(2) }),
  ];
  await activities.writeManifest({ content, campaignId, state: 'succeeded', parts });
  const manifest = await campaignStore.getManifest(tenant, campaignId);
  expect(manifest).toMatchObject({ version: 2, state: 'succeeded', parts });
  const kept = await Promise.all(parts.map(async (part) => campaignStore.getManifestPart(part)));
  expect(kept.flat()).toEqual(jobs);
});

test('a request of release 0.1.0 names no state: its jobs tell', async () => {
  const { campaignStore, content, activities } = await someCampaign();
  await activities.writeManifest({ content, campaignId, jobs });
  expect(await campaignStore.getManifest(tenant, campaignId)).toMatchObject({ state: 'succeeded' });
});

test('a plan is the keys and dependencies of the content, in the order of the caller', async () => {
  const campaignStore = createMemoryCampaignStore();
  const spec = { script: '#!/bin/sh', nodes: 1, tasks: 1, cpusPerTask: 1, environment: {}, modules: [] };
  const content = await campaignStore.put(tenant, {
    version: 1,
    campaignId,
    jobs: [
      { ...spec, key: 'b', dependsOn: [{ key: 'a', condition: 'afterany' }] },
      { ...spec, key: 'a', dependsOn: [] },
    ],
  });
  const { loadCampaign } = createCampaignPlanActivities({ campaignStore });
  expect(await loadCampaign({ content })).toEqual({
    requeueLimit: 10,
    jobs: [{ key: 'b', afterany: [1] }, { key: 'a' }],
  });
});
