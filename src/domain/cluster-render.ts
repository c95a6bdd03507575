import type { ClusterSnapshot, Resources } from './cluster-snapshot.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Tenant } from './ids.ts';

/** The view of a cluster entity's state: what the memo carries and the API answers. */
export function renderClusterView(
  tenant: Tenant,
  clusterName: string,
  snapshot: ClusterSnapshot,
  observedAt: string,
): ClusterView {
  const { deployment, requested, activity, blindSince, idleSince, failure, state, campaigns } = snapshot;
  const open = Object.values(campaigns);
  const spec = deployment?.spec ?? requested;
  return {
    version: 1,
    virtualLabId: tenant.virtualLabId,
    projectId: tenant.projectId,
    clusterName,
    state,
    since: snapshot.since,
    message: snapshot.message,
    observedAt,
    ...(deployment && { epoch: deployment.epoch, ...resourceFields(deployment.resources) }),
    ...(spec && { spec }),
    ...(deployment?.logGroupName && { logGroupName: deployment.logGroupName }),
    ...(deployment?.access && { access: deployment.access }),
    ...(deployment?.readyAt && { readyAt: deployment.readyAt }),
    ...(activity && { activity }),
    ...(blindSince && { blindSince }),
    ...(idleSince && { idleSince }),
    ...teardownAt(snapshot),
    holds: snapshot.holds,
    openCampaigns: open.length,
    activeJobs: open.reduce((sum, { activeJobs }) => sum + activeJobs, 0),
    ...(failure && { failure }),
    ...(state === 'blocked' && { choices: ['retry', 'abandon'] }),
  };
}

function resourceFields({ lease, stack, adminKey }: Resources): Partial<ClusterView> {
  return {
    ...(typeof lease === 'object' && { subnetId: lease.subnetId }),
    ...(typeof stack === 'object' && { stackId: stack.stackId }),
    ...(typeof adminKey === 'object' && { adminPrivateKeySecretArn: adminKey.privateKeySecretArn }),
  };
}

function teardownAt({ state, deployment, idleSince }: ClusterSnapshot): Pick<ClusterView, 'teardownAt'> {
  if (state !== 'ready' || !deployment?.lifetimeEndsAt) return {};
  if (!idleSince) return { teardownAt: deployment.lifetimeEndsAt };
  const whenIdle = new Date(Date.parse(idleSince) + deployment.spec.idleTimeoutSeconds * 1000).toISOString();
  return { teardownAt: whenIdle < deployment.lifetimeEndsAt ? whenIdle : deployment.lifetimeEndsAt };
}

/** Whether two views say the same, leaving out when they were written and when Slurm was last seen saying so. */
export function sameView(a: ClusterView, b: ClusterView): boolean {
  return JSON.stringify(timeless(a)) === JSON.stringify(timeless(b));
}

function timeless(view: ClusterView): ClusterView {
  return { ...view, observedAt: '', ...(view.activity && { activity: { ...view.activity, at: '' } }) };
}
