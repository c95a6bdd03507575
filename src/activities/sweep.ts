import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { S3Client } from '@aws-sdk/client-s3';
import { listObjects } from '../clients/control-bucket.ts';
import type { CostStore } from '../clients/cost-store.ts';
import type { CurrentPrices } from '../clients/current-prices.ts';
import { withBonds } from '../domain/bound-resources.ts';
import type { Deployment } from '../domain/deployment.ts';
import { pricesIn } from '../domain/estimate.ts';
import { pricedOrphan } from '../domain/orphan-prices.ts';
import { deploymentsOf, findOrphans, type Orphan, type TaggedResource } from '../domain/orphans.ts';
import type { RegionPrices } from '../domain/prices.ts';
import { type KeptRecords, RecordCount, recordFolders } from '../domain/records.ts';
import { tagKeys } from '../domain/resource-tags.ts';
import { type DescribeWorkflow, isAttended } from './attendance.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';
import { removeRemnant, surveyLogGroups } from './remnants.ts';
import { listInterfaces, type SweepListDeps, sweepLists } from './sweep-lists.ts';

export interface SweepDeps extends SweepListDeps {
  readonly logs: CloudWatchLogsClient;
  readonly s3: S3Client;
  readonly controlBucket: string;
  readonly region: string;
  readonly costStore: Pick<CostStore, 'getDeployment'>;
  readonly currentPrices: CurrentPrices;
  readonly describeWorkflow: DescribeWorkflow;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** So many a sweep: the next one finds the others. */
const MAX_REMNANTS = 200;

/**
 * Looks at everything in the account that says which deployment it belongs to, and at the workflows that could look after
 * it; says what costs how much.
 */
export function createSweepActivities(
  given: SweepDeps,
): Pick<Activities, 'surveyOrphans' | 'removeRemnants'> {
  const deps = { ...given, now: given.now ?? Date.now };
  return {
    async surveyOrphans() {
      return withHeartbeat(async ({ report }) => {
        const nowSeconds = deps.now() / 1000;
        const prices = pricesIn(await deps.currentPrices(), deps.region);
        const resources = await surveyResources(deps, report);
        const attended = new Set<string>();
        for (const deployment of deploymentsOf(resources))
          if (await isAttended(deps.describeWorkflow, deployment)) attended.add(keyOf(deployment));
        const found = findOrphans(resources, (deployment) => attended.has(keyOf(deployment)), nowSeconds);
        const orphans: Orphan[] = [];
        for (const orphan of found.orphans) orphans.push(await priced(deps, orphan, prices, nowSeconds));
        const logGroups = await surveyLogGroups(deps, report);
        return {
          ...found,
          orphans,
          lookAlikes: [...found.lookAlikes, ...logGroups.lookAlikes],
          remnants: [...found.remnants, ...logGroups.remnants].slice(0, MAX_REMNANTS),
          records: await countRecords(deps, resources, prices, report),
        };
      });
    },

    async removeRemnants({ remnants }) {
      return withHeartbeat(async ({ signal, report }) => {
        const outcomes: Awaited<ReturnType<Activities['removeRemnants']>> = [];
        for (const remnant of remnants) {
          signal.throwIfAborted();
          outcomes.push({ ...remnant, ...(await removeRemnant(deps, remnant)) });
          report({ looked: outcomes.length });
        }
        return outcomes;
      });
    },
  };
}

const keyOf = ({ virtualLabId, projectId, epoch }: Deployment) => `${virtualLabId}/${projectId}/${epoch}`;

async function surveyResources(
  deps: SweepDeps,
  report: (progress: unknown) => void,
): Promise<TaggedResource[]> {
  const all: TaggedResource[] = [];
  for (const list of sweepLists) {
    for await (const resource of list(deps)) all.push(resource);
    report({ resources: all.length });
  }
  const idsOf = (kind: TaggedResource['kind']) =>
    all.filter((each) => each.kind === kind).map(({ id }) => id);
  const interfaces = await listInterfaces(deps, idsOf('subnet-lease'));
  const bound = withBonds(all, { interfaces, fileSystemIds: new Set(idsOf('lustre')) });
  return bound.filter(({ tags }) => tags[tagKeys.epoch]);
}

async function countRecords(
  { s3, controlBucket: bucket }: SweepDeps,
  resources: readonly TaggedResource[],
  prices: RegionPrices | undefined,
  report: (progress: unknown) => void,
): Promise<KeptRecords> {
  const count = new RecordCount(new Set(resources.map(({ tags }) => tags[tagKeys.epoch] ?? '')));
  for (const folder of recordFolders) {
    for await (const object of listObjects({ s3, bucket }, folder)) count.add(object);
    report({ counted: folder });
  }
  return count.result(prices?.s3Standard.usdPerGibibyteMonth);
}

async function priced(
  { region, costStore }: Pick<SweepDeps, 'region' | 'costStore'>,
  orphan: Orphan,
  prices: RegionPrices | undefined,
  nowSeconds: number,
): Promise<Orphan> {
  const kept = await costStore.getDeployment(orphan);
  return pricedOrphan(orphan, { prices, region, kept, nowSeconds });
}
