import type { z } from 'zod';
import { type CampaignStore, encodeContent } from '../clients/campaign-store.ts';
import { jobsToRetry } from '../domain/campaign-retry.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { Tenant } from '../domain/ids.ts';
import type { CampaignContent, campaignSpecSchema, RetrySelection } from '../domain/job.ts';
import { demandsOf } from '../domain/queue-demands.ts';
import { countJobs } from '../domain/job-array.ts';
import { campaignIdFor } from './campaign-id.ts';
import { ALL, type CampaignRecord, type CampaignRecords, CONTROL_BUCKET } from './campaign-records.ts';
import { withinDeadline } from './deadline.ts';
import type { Clusters } from './ports.ts';
import { resolveAsked, type SpecGround } from './planning.ts';
import { refuseWhatIsMissing, unknownIn } from './request-validation.ts';
import type { CampaignReceipt } from './view-schemas.ts';

export interface CampaignIntakeDeps extends SpecGround {
  readonly clusters: Pick<Clusters, 'submit' | 'view'>;
  readonly store: Pick<CampaignStore, 'put' | 'get'>;
}

interface Accepted {
  readonly repeated: boolean;
  readonly receipt: CampaignReceipt;
}

/** Takes campaigns in. */
export class CampaignIntake {
  private readonly deps: CampaignIntakeDeps;
  private readonly records: CampaignRecords;

  constructor(deps: CampaignIntakeDeps, records: CampaignRecords) {
    this.deps = deps;
    this.records = records;
  }

  /**
   * Submits a campaign, or finds the one that the same key submitted before. The content is stored first: what the
   * workflow is given must exist. CampaignConflict if the key stands for other jobs, InvalidRequest.
   */
  async accept(
    tenant: Tenant,
    idempotencyKey: string,
    { jobs, dependsOn, cluster }: z.output<typeof campaignSpecSchema>,
    answerBy: Date,
  ): Promise<Accepted> {
    refuseWhatIsMissing(this.deps.installation, cluster, 'cluster.');
    const campaignId = campaignIdFor(tenant, idempotencyKey);
    const content: CampaignContent = { version: 1, campaignId, jobs, ...(dependsOn && { dependsOn }) };
    const earlier = await this.records.find(tenant, campaignId, answerBy);
    if (earlier) {
      if (!(await this.hasContent(tenant, earlier, content, answerBy))) throw otherContent(campaignId);
      return this.repeated(tenant, content, answerBy);
    }
    refuseMissedDeadlines(jobs, Date.now());
    await this.requireCampaigns(tenant, dependsOn, answerBy);
    return this.submit(tenant, content, cluster, answerBy);
  }

  /**
   * Submits a campaign of those jobs of another one that did not succeed, of arrays only such tasks; or finds the one that
   * the same key submitted before, whatever has become of the other one since. NotFound, RetryRefused; CampaignConflict if
   * the key stands for something else.
   */
  async retry(
    tenant: Tenant,
    campaignId: string,
    idempotencyKey: string,
    selection: RetrySelection,
    answerBy: Date,
  ): Promise<Accepted> {
    const retryId = campaignIdFor(tenant, idempotencyKey);
    const retryOf = { ...selection, campaignId };
    const record = await this.records.get(tenant, campaignId, answerBy);
    const earlier = await this.records.find(tenant, retryId, answerBy);
    if (earlier) return this.repeatedRetry(tenant, retryId, earlier, retryOf, answerBy);
    const [content, { jobs }] = await Promise.all([
      this.contentOf(tenant, campaignId, record, answerBy),
      this.records.jobs(tenant, campaignId, record, ALL, answerBy),
    ]);
    const chosen = jobsToRetry(content.jobs, jobs, selection);
    const retried: CampaignContent = { version: 1, campaignId: retryId, jobs: chosen, retryOf };
    const accepted = await this.submit(tenant, retried, undefined, answerBy);
    if (!accepted.repeated) return accepted;
    // The same request came a moment before, when perhaps other jobs had failed: that one counts.
    const first = await this.records.get(tenant, retryId, answerBy);
    return this.repeatedRetry(tenant, retryId, first, retryOf, answerBy);
  }

  private async repeatedRetry(
    tenant: Tenant,
    retryId: string,
    earlier: CampaignRecord,
    retryOf: CampaignContent['retryOf'],
    answerBy: Date,
  ): Promise<Accepted> {
    const content = await this.contentOf(tenant, retryId, earlier, answerBy);
    if (canonicalJson(content.retryOf ?? null) !== canonicalJson(retryOf)) throw otherContent(retryId);
    return this.repeated(tenant, content, answerBy);
  }

  private async repeated(tenant: Tenant, content: CampaignContent, answerBy: Date): Promise<Accepted> {
    const view = await this.deps.clusters.view(tenant, answerBy);
    const { sha256 } = encodeContent(content);
    return { repeated: true, receipt: receiptOf(tenant, content, sha256, view) };
  }

  private async contentOf(
    tenant: Tenant,
    campaignId: string,
    record: CampaignRecord,
    answerBy: Date,
  ): Promise<CampaignContent> {
    const reference = this.records.contentOf(tenant, campaignId, record);
    if (!reference) {
      const message = `Nobody remembers where the content of campaign ${campaignId} is.`;
      throw new KnownFailure('CampaignContentMissing', message);
    }
    return withinDeadline(answerBy, CONTROL_BUCKET, async () => this.deps.store.get(reference));
  }

  /** InvalidRequest, which names the place, if there is no such campaign. */
  private async requireCampaigns(
    tenant: Tenant,
    dependsOn: CampaignContent['dependsOn'] = [],
    answerBy: Date,
  ): Promise<void> {
    const found = await Promise.all(
      dependsOn.map(async ({ campaignId }) => this.records.find(tenant, campaignId, answerBy)),
    );
    const index = found.indexOf(undefined);
    const unknown = dependsOn[index];
    if (!unknown) return;
    throw unknownIn(`dependsOn.${index}.campaignId`, 'the project has no such campaign');
  }

  private async submit(
    tenant: Tenant,
    content: CampaignContent,
    cluster: z.output<typeof campaignSpecSchema>['cluster'],
    answerBy: Date,
  ): Promise<Accepted> {
    const { campaignId, jobs } = content;
    const reference = await withinDeadline(answerBy, CONTROL_BUCKET, async () =>
      this.deps.store.put(tenant, content),
    );
    const answer = await this.deps.clusters.submit(
      tenant,
      {
        campaignId,
        content: reference,
        jobCount: countJobs(jobs),
        queues: [...new Set(jobs.flatMap(({ queue }) => queue ?? []))],
        demands: demandsOf(jobs),
        ...(cluster && resolveAsked(cluster, await this.deps.planning(), 'cluster.')),
      },
      answerBy,
    );
    return {
      repeated: answer.outcome === 'repeated',
      receipt: receiptOf(tenant, content, reference.sha256, answer.cluster),
    };
  }

  /**
   * Whether a campaign was accepted with this content. Once Temporal has forgotten it, a manifest of version 0.1.0 has
   * no hash of it: the keys of its jobs are what is left to compare.
   */
  private async hasContent(
    tenant: Tenant,
    record: CampaignRecord,
    content: CampaignContent,
    answerBy: Date,
  ): Promise<boolean> {
    const { campaignId, jobs } = content;
    const { sha256 } = encodeContent(content);
    if (record.view) return record.view.content.sha256 === sha256;
    const { contentSha256 } = record.manifest;
    if (contentSha256 !== undefined) return contentSha256 === sha256;
    const kept = await this.records.jobs(tenant, campaignId, record, ALL, answerBy);
    const keys = new Set(kept.jobs.map(({ key }) => key));
    return keys.size === jobs.length && jobs.every(({ key }) => keys.has(key));
  }
}

/**
 * InvalidRequest for the first job that could not end by its deadline even if it started at once: Slurm would refuse it.
 * Only of a campaign that is new: one that was accepted before its deadlines stays so. `now` in milliseconds since 1970.
 */
function refuseMissedDeadlines(jobs: CampaignContent['jobs'], now: number): void {
  for (const [index, { deadline, timeLimitSeconds = 0 }] of jobs.entries()) {
    if (deadline === undefined) continue;
    const path = `jobs.${index}.deadline`;
    const end = Date.parse(deadline);
    if (end <= now) throw unknownIn(path, 'must be a moment in the future');
    if (end < now + timeLimitSeconds * 1000)
      throw unknownIn(path, `is sooner than the job’s timeLimitSeconds of ${timeLimitSeconds} allow`);
  }
}

function otherContent(campaignId: string): KnownFailure {
  return new KnownFailure(
    'CampaignConflict',
    `The Idempotency-Key stands for campaign ${campaignId}, which has other jobs.`,
    { campaignId },
  );
}

function receiptOf(
  tenant: Tenant,
  { campaignId, jobs }: CampaignContent,
  sha256: string,
  cluster: ClusterView | undefined,
): CampaignReceipt {
  const receipt = { ...tenant, campaignId, jobCount: countJobs(jobs), sha256 };
  if (!cluster) return receipt;
  const { state, since, message } = cluster;
  return { ...receipt, cluster: { state, since, message } };
}
