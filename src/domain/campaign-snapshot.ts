import type { CampaignJob } from './campaign-job.ts';
import type { CampaignState, JobView, LogLocation } from './campaign-view.ts';
import type { ClusterAccess } from './cluster-view.ts';
import type { CampaignDependency } from './dependencies.ts';
import type { Deployment } from './deployment.ts';
import type { Failure } from './failures.ts';
import { decodeJobs, encodeJobs, type JobChunk } from './job-chunks.ts';

/** What a campaign is beside its jobs. Times are ISO 8601. */
interface CampaignFrame {
  state: CampaignState;
  since: string;
  message: string;
  readonly acceptedAt: string;
  endedAt?: string;
  target?: {
    readonly deployment: Deployment;
    readonly access: ClusterAccess;
    readonly adminAccess?: ClusterAccess;
    readonly logs: LogLocation;
    readonly defaultQueue: string;
  };
  /** Campaigns that must have ended before the first job is submitted: those that are still to be waited for. */
  dependsOn?: readonly CampaignDependency[];
  /** Number of the last message of facts that was taken in. */
  sequence: number;
  failure?: Failure;
  /** Somebody cancelled the campaign as a whole. */
  cancellation?: { readonly reason: string; readonly requestedBy?: string };
}

/** State of a campaign workflow. */
export interface CampaignSnapshot extends CampaignFrame {
  /** In the order of submission. */
  jobs: CampaignJob[];
}

/**
 * The state as it is carried over continue-as-new, plain JSON: of version 2 without the jobs, which travel beside it in
 * chunks; of version 1, which release 0.1.0 wrote, with them.
 */
export type StoredCampaignSnapshot =
  | (CampaignFrame & { readonly version: 2 })
  | (CampaignFrame & { readonly version: 1; readonly jobs: JobView[] });

export function storeCampaignSnapshot({ jobs, ...frame }: CampaignSnapshot): {
  readonly stored: StoredCampaignSnapshot;
  readonly chunks: JobChunk[];
} {
  return { stored: { ...frame, version: 2 }, chunks: encodeJobs(jobs, frame.acceptedAt) };
}

export function readCampaignSnapshot(
  stored: StoredCampaignSnapshot,
  chunks: readonly JobChunk[],
): CampaignSnapshot {
  if (stored.version === 2) {
    const { version: _version, ...frame } = stored;
    return { ...frame, jobs: decodeJobs(chunks) };
  }
  const { version: _version, ...snapshot } = stored;
  return snapshot;
}
