import { jobListingKey } from '../../src/clients/job-listing-store.ts';
import type { JobListingStore } from '../../src/clients/job-listing-store.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import { type JobListing, jobListingSchema } from '../../src/domain/job-listing.ts';

/** A store of listings that ends with the process. Held to the same contract as the one in S3. */
export class MemoryJobListingStore implements JobListingStore {
  readonly objects = new Map<string, string>();

  async put(tenant: Tenant, listing: JobListing): Promise<void> {
    this.objects.set(jobListingKey(tenant, listing.epoch), JSON.stringify(listing));
  }

  async get(tenant: Tenant, epoch: string): Promise<JobListing | undefined> {
    const text = this.objects.get(jobListingKey(tenant, epoch));
    return text === undefined ? undefined : jobListingSchema.parse(JSON.parse(text));
  }
}
