import type { CampaignState, JobView, LogLocation } from './campaign-view.ts';
import type { ClusterAccess } from './cluster-view.ts';
import type { Deployment } from './deployment.ts';
import type { Failure } from './failures.ts';

/** State of a campaign workflow, carried over continue-as-new as plain JSON. Times are ISO 8601. */
export interface CampaignSnapshot {
  readonly version: 1;
  state: CampaignState;
  since: string;
  message: string;
  readonly acceptedAt: string;
  endedAt?: string;
  target?: {
    readonly deployment: Deployment;
    readonly access: ClusterAccess;
    readonly logs: LogLocation;
    readonly defaultQueue: string;
  };
  /** In the order of submission. */
  jobs: JobView[];
  /** Number of the last message of facts that was taken in. */
  sequence: number;
  failure?: Failure;
}
