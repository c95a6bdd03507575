import { expect, test } from 'vitest';
import { createMemoryCampaignStore } from '../../test/fakes/memory-campaign-store.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { createManifestActivities } from './manifest.ts';

test('the final state of every job lies beside the content of its campaign', async () => {
  const campaignStore = createMemoryCampaignStore();
  const tenant = { virtualLabId: 'lab', projectId: 'proj' };
  const campaignId = 'mfrggzdfmztwq2lknnwg23tpoa';
  const content = await campaignStore.put(tenant, { version: 1, campaignId, jobs: [] });
  const job: JobView = { key: 'a', state: 'succeeded', reason: 'It ended.', logsComplete: true };
  const logs = { logGroupName: '/group', epoch: '1k2m9x0aab12cd' };
  await createManifestActivities({ campaignStore }).writeManifest({ content, campaignId, logs, jobs: [job] });
  expect(await campaignStore.getManifest(tenant, campaignId)).toEqual({
    version: 1,
    campaignId,
    logs,
    jobs: [job],
  });
});
