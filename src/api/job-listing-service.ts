import type { JobListingStore } from '../clients/job-listing-store.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { Tenant } from '../domain/ids.ts';
import { compareJobs, type JobListing, type ListedJobPlace } from '../domain/job-listing.ts';
import { CONTROL_BUCKET } from './campaign-records.ts';
import { withinDeadline } from './deadline.ts';
import type { JobListingPage } from './job-listing-schemas.ts';
import { decodePageToken, encodePageToken } from './page-token.ts';
import type { Clusters } from './ports.ts';

interface PageRequest {
  /** Also jobs that came through nobody's campaign. */
  readonly all: boolean;
  readonly pageSize: number;
  readonly pageToken?: string | undefined;
}

/** The Slurm jobs of a cluster, page by page. The cluster has them listed; this reads the list. */
export class JobListingService {
  private readonly clusters: Pick<Clusters, 'listJobs'>;
  private readonly store: Pick<JobListingStore, 'get'>;

  constructor(clusters: Pick<Clusters, 'listJobs'>, store: Pick<JobListingStore, 'get'>) {
    this.clusters = clusters;
    this.store = store;
  }

  /**
   * A page in the order of Slurm's ids. A later page may be of a newer listing, and goes on behind the last job of the
   * one before. InvalidRequest for a token of another deployment, and what {@link Clusters.listJobs} fails with.
   */
  async page(tenant: Tenant, request: PageRequest, answerBy: Date): Promise<JobListingPage> {
    const { epoch, observedAt, omittedJobs, jobs } = await this.listing(tenant, answerBy);
    const after = request.pageToken === undefined ? undefined : decodePlace(request.pageToken, epoch);
    const rest = jobs.filter(
      (job) =>
        (request.all || job.campaignId !== undefined) && (after === undefined || compareJobs(job, after) > 0),
    );
    const page = rest.slice(0, request.pageSize);
    const last = page.at(-1);
    return {
      epoch,
      observedAt,
      jobs: page,
      ...(omittedJobs > 0 && { omittedJobs }),
      ...(last && page.length < rest.length && { nextPageToken: encodePlace(epoch, last) }),
    };
  }

  private async listing(tenant: Tenant, answerBy: Date): Promise<JobListing> {
    const answer = await this.clusters.listJobs(tenant, answerBy);
    if (answer.status === 'pending') {
      throw new KnownFailure(
        'SlurmUnavailable',
        `Slurm was asked for its jobs at ${answer.since} and has not answered yet. Repeat the request.`,
      );
    }
    const { epoch, observedAt } = answer;
    const listing = await withinDeadline(answerBy, CONTROL_BUCKET, async () => this.store.get(tenant, epoch));
    if (listing && listing.observedAt >= observedAt) return listing;
    throw new KnownFailure('AwsUnavailable', `${CONTROL_BUCKET} does not have the listing of ${observedAt}.`);
  }
}

function encodePlace(epoch: string, { slurmJobId, submittedAt = '' }: ListedJobPlace): string {
  return encodePageToken(Buffer.from([epoch, slurmJobId, submittedAt].join(' ')));
}

function decodePlace(token: string, epoch: string): ListedJobPlace {
  const [ofEpoch, slurmJobId = '', submittedAt = ''] = decodePageToken(token).toString().split(' ');
  if (ofEpoch === epoch) return { slurmJobId, submittedAt };
  const reason = 'is of an earlier deployment of the cluster: begin with the first page';
  throw new KnownFailure('InvalidRequest', `query pageToken: ${reason}`, {
    errors: [{ in: 'query', path: 'pageToken', reason }],
  });
}
