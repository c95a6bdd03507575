import type { UsageStore, StoredUsage } from '../clients/usage-store.ts';
import { KnownFailure } from '../domain/failures.ts';
import { epochStartSeconds, type Tenant } from '../domain/ids.ts';
import { reportCampaignUsage, reportUsage, sumUsage, type Usage, type UsageRange } from '../domain/usage.ts';
import { snapshotOf, type UsageFile } from '../domain/usage-file.ts';
import { CONTROL_BUCKET } from './campaign-records.ts';
import { withinDeadline } from './deadline.ts';
import { decodeOffset, decodePageToken, encodeOffset, encodePageToken } from './page-token.ts';
import type { CampaignUsageView, UsageEpochPage, UsageReportView } from './usage-schemas.ts';

/** S3 gives no more in one answer (ListObjectsV2). */
const LIST_PAGE = 1000;
/** Campaigns that are told one by one. */
const MAX_CAMPAIGNS = 1000;
/** What can be read and added up within the time of a request: some 130,000 allocations in 500 epochs. */
const MAX_EPOCHS = 500;
const MAX_BYTES = 8 * 1024 * 1024;
/** How far the clock of a head node may be ahead of that of S3, which says when a record was written. */
const CLOCK_TOLERANCE_SECONDS = 3600;

const NOTHING_USED = { total: sumUsage([]), perJob: [] } as const;

/** Usage reports, from the control bucket alone: they need neither a worker nor a cluster. */
export class UsageService {
  private readonly store: UsageStore;

  constructor(store: UsageStore) {
    this.store = store;
  }

  /** What the tenant used within the range; nothing for a tenant that nobody knows. InvalidRequest if it is too much. */
  async report(tenant: Tenant, range: UsageRange, answerBy: Date): Promise<UsageReportView> {
    const files = await withinDeadline(answerBy, CONTROL_BUCKET, async () => this.read(tenant, range));
    const { total, perQueue, perCampaign } = reportUsage(files.map(snapshotOf), range);
    const further = perCampaign.slice(MAX_CAMPAIGNS);
    return {
      ...tenant,
      from: isoOf(range.fromSeconds),
      to: isoOf(range.toSeconds),
      total: inView(total),
      perQueue: perQueue.map(inView),
      perCampaign: perCampaign.slice(0, MAX_CAMPAIGNS).map(inView),
      ...(further.length > 0 && {
        furtherCampaigns: { campaigns: further.length, ...inView(sumUsage(further)) },
      }),
      epochs: files.map(epochInView),
    };
  }

  /** What a campaign used in the epoch that has its jobs, of which nothing is recorded as long as there is none. */
  async ofCampaign(
    tenant: Tenant,
    { campaignId, epoch }: { readonly campaignId: string; readonly epoch: string | undefined },
    { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken?: string | undefined },
    answerBy: Date,
  ): Promise<CampaignUsageView> {
    const offset = decodeOffset(pageToken);
    const file =
      epoch === undefined
        ? undefined
        : await withinDeadline(answerBy, CONTROL_BUCKET, async () => this.store.get(tenant, epoch));
    const { total, perJob } = file ? reportCampaignUsage(snapshotOf(file), campaignId) : NOTHING_USED;
    const next = offset + pageSize;
    return {
      ...tenant,
      campaignId,
      ...(file && { epoch: epochInView(file) }),
      total: inView(total),
      jobs: perJob.slice(offset, next).map(inView),
      ...(next < perJob.length && { nextPageToken: encodeOffset(next) }),
    };
  }

  /** A page of the tenant's epochs with usage. InvalidRequest for a token that is not ours. */
  async epochs(
    tenant: Tenant,
    { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken?: string | undefined },
    answerBy: Date,
  ): Promise<UsageEpochPage> {
    const after = pageToken === undefined ? undefined : decodePageToken(pageToken).toString();
    const page = await withinDeadline(answerBy, CONTROL_BUCKET, async () =>
      this.store.list(tenant, { limit: pageSize, ...(after !== undefined && { after }) }),
    );
    const last = page.at(-1);
    return {
      epochs: page.map(({ epoch, writtenAt, sizeBytes }) => ({
        epoch,
        startedAt: isoOf(epochStartSeconds(epoch)),
        recordedAt: writtenAt.toISOString(),
        sizeBytes,
      })),
      ...(last && page.length === pageSize && { nextPageToken: encodePageToken(Buffer.from(last.epoch)) }),
    };
  }

  private async read(tenant: Tenant, range: UsageRange): Promise<UsageFile[]> {
    const relevant = (await this.listAll(tenant)).filter((stored) => canHaveUsage(stored, range));
    const sizeBytes = relevant.reduce((sum, stored) => sum + stored.sizeBytes, 0);
    if (relevant.length > MAX_EPOCHS || sizeBytes > MAX_BYTES) throw tooMuch(relevant.length);
    const files = await Promise.all(relevant.map(async ({ epoch }) => this.store.get(tenant, epoch)));
    return files.filter((file) => file !== undefined);
  }

  private async listAll(tenant: Tenant): Promise<StoredUsage[]> {
    const all: StoredUsage[] = [];
    for (;;) {
      const after = all.at(-1)?.epoch;
      const page = await this.store.list(tenant, {
        limit: LIST_PAGE,
        ...(after !== undefined && { after }),
      });
      all.push(...page);
      if (page.length < LIST_PAGE) return all;
    }
  }
}

/** Nothing in a record is earlier than its epoch or later than when it was written. */
function canHaveUsage({ epoch, writtenAt }: StoredUsage, { fromSeconds, toSeconds }: UsageRange): boolean {
  const writtenSeconds = writtenAt.getTime() / 1000 + CLOCK_TOLERANCE_SECONDS;
  return epochStartSeconds(epoch) < toSeconds && writtenSeconds > fromSeconds;
}

function tooMuch(epochs: number): KnownFailure {
  const reason = `must be closer to \`to\`: the ${epochs} deployments in between are more than one report can hold`;
  return new KnownFailure('InvalidRequest', `query from: ${reason}`, {
    errors: [{ in: 'query', path: 'from', reason }],
  });
}

function epochInView({ epoch, asOfSeconds, final, prices }: UsageFile): UsageReportView['epochs'][number] {
  const { pricesAsOf, isUpperBound } = prices ?? {};
  return {
    epoch,
    startedAt: isoOf(epochStartSeconds(epoch)),
    asOf: isoOf(asOfSeconds),
    ...(pricesAsOf && { pricesAsOf }),
    ...(isUpperBound && { isUpperBound }),
    final,
  };
}

function inView<T extends Usage>(usage: T): T & { readonly cpuHours: number; readonly nodeHours: number } {
  const { cpuSeconds, nodeSeconds, costUsd } = usage;
  return {
    ...usage,
    cpuHours: rounded(cpuSeconds / 3600, 4),
    nodeHours: rounded(nodeSeconds / 3600, 4),
    // A second of the smallest node costs some millionths.
    ...(costUsd !== undefined && { costUsd: rounded(costUsd, 6) }),
  };
}

function rounded(figure: number, decimals: number): number {
  return Math.round(figure * 10 ** decimals) / 10 ** decimals;
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
