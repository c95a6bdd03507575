import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { log } from '@temporalio/activity';
import type { CampaignStore } from '../clients/campaign-store.ts';
import type { CampaignManifest } from '../domain/campaign-manifest.ts';
import { outcome } from '../domain/campaign.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { manifestStreamName } from '../domain/log-events.ts';
import { writeDocument } from './job-log-copy.ts';
import type { Activities, ManifestRequest } from './port.ts';

export interface ManifestDeps {
  readonly campaignStore: Pick<CampaignStore, 'putManifest' | 'putManifestPart' | 'getManifestPart'>;
  readonly logs: CloudWatchLogsClient;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Writes how campaigns ended, for the time when Temporal has forgotten them. */
export function createManifestActivities(
  deps: ManifestDeps,
): Pick<Activities, 'writeManifestPart' | 'writeManifest'> {
  return {
    writeManifestPart: async ({ content, part, jobs }) =>
      deps.campaignStore.putManifestPart(content, part, jobs),

    async writeManifest(request) {
      const manifest = manifestOf(request);
      await deps.campaignStore.putManifest(request.content, manifest);
      await copyToLogGroup(deps, manifest);
    },
  };
}

function manifestOf({ content, campaignId, logs, jobs = [], ...rest }: ManifestRequest): CampaignManifest {
  const { state = outcome(jobs), parts } = rest;
  const common = { campaignId, state, contentSha256: content.sha256, ...(logs && { logs }) };
  return parts ? { version: 2, ...common, parts: [...parts] } : { version: 1, ...common, jobs: [...jobs] };
}

/** A line of JSON about the campaign, then one for each job. The API does not need it: a failure ends nothing. */
async function copyToLogGroup(deps: ManifestDeps, manifest: CampaignManifest): Promise<void> {
  const { campaignId, state, logs } = manifest;
  if (!logs) return;
  const { logGroupName, epoch } = logs;
  const stream = { logGroupName, logStreamName: manifestStreamName({ epoch, campaignId }) };
  try {
    const jobs = await jobsOf(deps, manifest);
    const lines = [{ campaignId, state, jobCount: jobs.length }, ...jobs].map(canonicalJson);
    await writeDocument(deps.logs, stream, Buffer.from(`${lines.join('\n')}\n`), (deps.now ?? Date.now)());
  } catch (error) {
    log.warn('The manifest could not be copied to the log group', { campaignId, error });
  }
}

async function jobsOf(
  { campaignStore }: ManifestDeps,
  manifest: CampaignManifest,
): Promise<readonly JobView[]> {
  if (manifest.version === 1) return manifest.jobs;
  const jobs: JobView[] = [];
  for (const part of manifest.parts) jobs.push(...(await campaignStore.getManifestPart(part)));
  return jobs;
}
