import type { JobListingStore } from '../clients/job-listing-store.ts';
import type { SlurmGateway } from '../clients/slurm-gateway.ts';
import { epochStartSeconds } from '../domain/ids.ts';
import { listingOf } from '../domain/job-listing.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';

export interface JobListingDeps {
  readonly gateway: Pick<SlurmGateway, 'observe'>;
  readonly jobListingStore: Pick<JobListingStore, 'put'>;
}

/** Brings the list of all Slurm jobs of a cluster to where the API reads it. */
export function createJobListingActivities({
  gateway,
  jobListingStore,
}: JobListingDeps): Pick<Activities, 'listSlurmJobs'> {
  return {
    async listSlurmJobs({ virtualLabId, projectId, epoch, access }) {
      const observedAt = new Date().toISOString();
      const { facts } = await withHeartbeat(async ({ signal }) =>
        gateway.observe({ epoch, access }, { sinceSeconds: epochStartSeconds(epoch) }, { signal }),
      );
      await jobListingStore.put({ virtualLabId, projectId }, listingOf(facts, { epoch, observedAt }));
      return { epoch, observedAt };
    },
  };
}
