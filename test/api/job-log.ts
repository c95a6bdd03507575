import { campaignIdFor } from '../../src/api/campaign-id.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { clusterUrl, clusterView, jobView, tenant } from './fakes.ts';
import { type Harness, harness } from './support.ts';

const KEY = 'campaign';
export const campaignId = campaignIdFor(tenant, KEY);
export const campaignUrl = `${clusterUrl()}/campaigns/${campaignId}`;
export const location = { logGroupName: '/pcp/lab-1', epoch: 'e1' };

export const running = { key: 'sim-1', state: 'running', slurmJobId: '7' } as const;
export const succeeded = { ...running, state: 'succeeded', exitCode: 0, logsComplete: true } as const;

export function logUrl(kind = 'stdout', key = 'sim-1'): string {
  return `${campaignUrl}/jobs/${key}/logs/${kind}`;
}

/** An API with a campaign that has these jobs, and the place of their logs. */
export async function withJobs(
  ...jobs: readonly (Partial<JobView> & { readonly key: string })[]
): Promise<Harness> {
  const api = harness();
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
  await api.request('POST', `${clusterUrl()}/campaigns`, {
    body: { jobs: jobs.map(({ key }) => ({ key, command: ['/bin/true'] })) },
    headers: { 'idempotency-key': KEY },
  });
  setJobs(api, ...jobs);
  return api;
}

/** What the jobs are from now on. */
export function setJobs(
  api: Harness,
  ...jobs: readonly (Partial<JobView> & { readonly key: string })[]
): void {
  const campaign = api.campaigns.at(tenant, campaignId);
  campaign.view = { ...campaign.view, logs: location };
  campaign.jobs = jobs.map(jobView);
}
