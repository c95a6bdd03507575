import type { Tenant } from '../domain/ids.ts';
import { type JobListing, jobListingSchema } from '../domain/job-listing.ts';
import { type ControlBucket, readObject, writeObject } from './control-bucket.ts';

/** The last listing of the Slurm jobs of each epoch: too large for a workflow's history. */
export interface JobListingStore {
  /** Stores a listing in the place of the epoch's last one. */
  put(tenant: Tenant, listing: JobListing): Promise<void>;
  /** The epoch's last listing, or undefined if none was ever made. */
  get(tenant: Tenant, epoch: string): Promise<JobListing | undefined>;
}

/** Where the listing of an epoch lies. Ids of tenants hold no slash. */
export function jobListingKey({ virtualLabId, projectId }: Tenant, epoch: string): string {
  return `jobs/${virtualLabId}/${projectId}/${epoch}.json`;
}

/** The store in the control bucket. */
export function createS3JobListingStore(control: ControlBucket): JobListingStore {
  return {
    async put(tenant, listing) {
      await writeObject(control, jobListingKey(tenant, listing.epoch), JSON.stringify(listing));
    },

    async get(tenant, epoch) {
      const text = await readObject(control, jobListingKey(tenant, epoch));
      return text === undefined ? undefined : jobListingSchema.parse(JSON.parse(text));
    },
  };
}
