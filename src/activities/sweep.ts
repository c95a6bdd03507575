import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { S3Client } from '@aws-sdk/client-s3';
import { listObjects } from '../clients/control-bucket.ts';
import type { CostStore } from '../clients/cost-store.ts';
import type { CurrentPrices } from '../clients/current-prices.ts';
import type { DeploymentStore } from '../clients/deployment-store.ts';
import { unjudgeable, withBonds } from '../domain/bound-resources.ts';
import type { Deployment } from '../domain/deployment.ts';
import { pricesIn } from '../domain/estimate.ts';
import { pricedOrphan } from '../domain/orphan-prices.ts';
import { deploymentsOf, findOrphans, type Orphan, type TaggedResource } from '../domain/orphans.ts';
import type { RegionPrices } from '../domain/prices.ts';
import { type KeptRecords, RecordCount, recordFolders } from '../domain/records.ts';
import { tagKeys, tellingKeys } from '../domain/resource-tags.ts';
import { type DescribeWorkflow, isAttended } from './attendance.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';
import { removeRemnant, surveyLogGroups } from './remnants.ts';
import { listInterfaces } from './subnet-interfaces.ts';
import { reasonFor, SweepFailures } from './sweep-failures.ts';
import { type SweepListDeps, sweepLists } from './sweep-lists.ts';

export interface SweepDeps extends SweepListDeps {
  readonly logs: CloudWatchLogsClient;
  readonly s3: S3Client;
  readonly controlBucket: string;
  readonly region: string;
  readonly costStore: Pick<CostStore, 'getDeployment'>;
  readonly currentPrices: CurrentPrices;
  readonly deploymentStore: Pick<DeploymentStore, 'isAbandoned'>;
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
    async surveyOrphans({ claim: claimed = [] } = {}) {
      return withHeartbeat(async ({ report }) => {
        const nowSeconds = deps.now() / 1000;
        const prices = pricesIn(await deps.currentPrices(), deps.region);
        const { installation } = deps;
        const failures = new SweepFailures();
        const resources = await surveyResources(deps, failures, report);
        const attended = new Set<string>();
        for (const deployment of deploymentsOf(resources, installation))
          if (await isAttended(deps, deployment)) attended.add(keyOf(deployment));
        const found = findOrphans(resources, {
          isAttended: (deployment) => attended.has(keyOf(deployment)),
          nowSeconds,
          installation,
          claimed,
        });
        const orphans: Orphan[] = [];
        for (const orphan of found.orphans) orphans.push(await priced(deps, orphan, prices, nowSeconds));
        const logGroups = await failures.unlessRefused('log-group', async () =>
          surveyLogGroups(deps, report),
        );
        const records = await failures.unlessRefused('records', async () =>
          countRecords(deps, resources, prices, report),
        );
        return {
          ...found,
          orphans,
          lookAlikes: [...found.lookAlikes, ...(logGroups?.lookAlikes ?? [])],
          remnants: [...found.remnants, ...(logGroups?.remnants ?? [])].slice(0, MAX_REMNANTS),
          ...(records && { records }),
          ...(failures.unlisted.length > 0 && { unlisted: failures.unlisted }),
        };
      });
    },

    async removeRemnants({ remnants }) {
      return withHeartbeat(async ({ signal, report }) => {
        const outcomes: Awaited<ReturnType<Activities['removeRemnants']>> = [];
        for (const remnant of remnants) {
          signal.throwIfAborted();
          const outcome = await removeRemnant(deps, remnant).catch((error: unknown) => ({
            isRemoved: false,
            because: `It could not be removed: ${reasonFor(error)}`,
          }));
          outcomes.push({ ...remnant, ...outcome });
          report({ looked: outcomes.length });
        }
        return outcomes;
      });
    },
  };
}

const keyOf = ({ virtualLabId, projectId, epoch }: Deployment) => `${virtualLabId}/${projectId}/${epoch}`;

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** All that carries any tag of ours, but for what cannot be judged without a list that AWS refuses. */
async function surveyResources(
  deps: SweepDeps,
  failures: SweepFailures,
  report: (progress: unknown) => void,
): Promise<TaggedResource[]> {
  const all: TaggedResource[] = [];
  for (const { kind, list } of sweepLists) {
    const found = await failures.unlessRefused(kind, async () => collect(list(deps)));
    all.push(...(found ?? []));
    report({ resources: all.length });
  }
  const idsOf = (kind: TaggedResource['kind']) =>
    all.filter((each) => each.kind === kind).map(({ id }) => id);
  const interfaces = await failures.unlessRefused('network-interface', async () =>
    listInterfaces(deps.ec2, idsOf('subnet-lease')),
  );
  const unseen = new Set(failures.unlisted.map(({ what }) => what));
  const bound = withBonds(all, { interfaces: interfaces ?? [], fileSystemIds: new Set(idsOf('lustre')) });
  return bound.filter(({ kind, tags }) => !unjudgeable(kind, unseen) && tellingKeys.some((key) => tags[key]));
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
  // The report of everything else must not wait for one record that cannot be read: without it the list price counts.
  const kept = await costStore.getDeployment(orphan).catch((error: unknown) => void reasonFor(error));
  return pricedOrphan(orphan, { prices, region, kept, nowSeconds });
}
