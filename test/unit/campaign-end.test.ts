import { beforeEach, describe, expect, it } from 'vitest';
import { createCampaignEndActivities } from '../../src/activities/campaign-end.ts';
import { campaignWorkflowId } from '../../src/domain/ids.ts';
import { createMemoryCampaignStore, type MemoryCampaignStore } from '../fakes/memory-campaign-store.ts';

const tenant = { virtualLabId: 'lab', projectId: 'project' };
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';

let campaignStore: MemoryCampaignStore;
let running: Set<string>;

beforeEach(() => {
  campaignStore = createMemoryCampaignStore();
  running = new Set();
});

const readEnd = async () =>
  createCampaignEndActivities({
    isRunning: async (workflowId) => running.has(workflowId),
    campaignStore,
  }).readCampaignEnd({ ...tenant, campaignId });

async function writeManifest(): Promise<void> {
  const content = await campaignStore.put(tenant, { version: 1, campaignId, jobs: [] });
  await campaignStore.putManifest(content, { version: 1, campaignId, state: 'failed', jobs: [] });
}

describe('how a campaign ended', () => {
  it('is not known while it runs', async () => {
    running.add(campaignWorkflowId(tenant, campaignId));
    await expect(readEnd()).rejects.toMatchObject({ type: 'CampaignRunning' });
  });

  it('is what its manifest says, also in its last moments and when Temporal has forgotten it', async () => {
    await writeManifest();
    await expect(readEnd()).resolves.toBe('failed');
    running.add(campaignWorkflowId(tenant, campaignId));
    await expect(readEnd()).resolves.toBe('failed');
  });

  it('nobody knows of one whose workflow was ended from outside', async () => {
    await expect(readEnd()).rejects.toMatchObject({ type: 'CampaignUnattended' });
  });
});
