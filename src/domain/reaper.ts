import type { ClusterSnapshot } from './cluster-snapshot.ts';
import type { KeptDeployment } from './kept-deployment.ts';
import type { Findings, Orphan } from './orphans.ts';

/*
 * How what no workflow looks after is given back: as the teardown of its own workflow would have, as far as what is kept of it
 * says how.
 */

/** So long a head node that runs may not answer before what is being written counts as lost: a day, as any step of a teardown has. */
const GIVE_UP_AFTER_SECONDS = 86_400;

export interface ReaperPlan {
  /** What begins with it: `draining` where the head node can be asked, else `deleting`. */
  readonly snapshot: ClusterSnapshot;
  /** What differs from the teardown of a cluster that is looked after; undefined where nothing does. */
  readonly caveat?: string;
}

/** Why an orphan waits for a later sweep; undefined when it can go. */
export function whyHeldBack(
  { unlisted = [] }: Pick<Findings, 'unlisted'>,
  kept: KeptDeployment | undefined,
): string | undefined {
  const refused = unlisted.find(({ what }) => what === 'lustre');
  if (!refused || (kept && !kept.spec.lustre)) return undefined;
  return `It may have Lustre, and file systems could not be listed: ${refused.because}`;
}

/**
 * An entity in the middle of a teardown that ends when everything is gone. What is there is asked of AWS by the epoch.
 *
 * @param now ISO 8601
 */
export function planReaper(orphan: Orphan, kept: KeptDeployment | undefined, now: string): ReaperPlan {
  const { epoch, resources } = orphan;
  const of = (kind: Orphan['resources'][number]['kind']) => resources.find((each) => each.kind === kind);
  const lustre = of('lustre');
  const home = of('access-point');
  const runs = resources.some(({ billed }) => billed?.as === 'instance' && billed.isRunning);
  const hasNodes = runs || of('stack') !== undefined;
  const reason = 'The sweep found it in AWS, and no workflow looked after it.';
  const snapshot: ClusterSnapshot = {
    version: 1,
    state: kept && hasNodes ? 'draining' : 'deleting',
    since: now,
    message: reason,
    cancelled: true,
    teardown: { kind: 'requested', reason },
    holds: [],
    campaigns: {},
    deployment: {
      epoch,
      startedAt: kept?.startedAt ?? now,
      spec: kept?.spec ?? { tier: 'custom', queues: [], idleTimeoutSeconds: 0, maxLifetimeSeconds: 0 },
      ...(kept?.rates && { notes: { rates: kept.rates } }),
      ...(kept?.readyAt && { readyAt: kept.readyAt }),
      ...(kept && hasNodes && { access: kept.access }),
      orphan: { giveUpAfterSeconds: runs ? GIVE_UP_AFTER_SECONDS : 0 },
      resources: {
        // Only one of which the survey has seen that nobody else lives in its subnet.
        ...(of('subnet-lease') && { lease: 'requested' }),
        adminKey: 'requested',
        jobUserKey: 'requested',
        signingKey: 'requested',
        stack: 'requested',
        home: home?.fileSystemId ? { fileSystemId: home.fileSystemId, accessPointId: home.id } : 'requested',
        ...(lustre && { lustre: { fileSystemId: lustre.id } }),
      },
      ...(!(kept && hasNodes) && { deletionBegan: true }),
      // Nobody knows what was written into it.
      ...(lustre && { lustreExport: { isAutomaticOff: false } }),
    },
  };
  const caveat = caveatOf({ isKept: kept !== undefined, hasNodes, runs });
  return { snapshot, ...(caveat !== undefined && { caveat }) };
}

function caveatOf({
  isKept,
  hasNodes,
  runs,
}: Record<'isKept' | 'hasNodes' | 'runs', boolean>): string | undefined {
  if (!hasNodes) return undefined;
  if (!isKept)
    return 'Nothing is kept of how its head node is reached: what runs there is cut off, without its last logs. It was never ready, or a release before 0.3.0 made it.';
  if (!runs)
    return 'EC2 shows no node of it that runs: if the head node does not answer, nothing more is waited for.';
  return undefined;
}
