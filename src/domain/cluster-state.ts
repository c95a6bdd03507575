import type { ClusterState } from './cluster-view.ts';

/**
 * The state machine of a cluster entity. `deleted` and `failed` rest until the cluster is asked for again;
 * `draining` and `exporting` can be called back to `ready` because nothing was deleted yet; a failed provisioning
 * goes through `deleting`, since whatever it made must go.
 */
const next: Readonly<Record<ClusterState, readonly ClusterState[]>> = {
  requested: ['provisioning', 'deleted'],
  provisioning: ['waiting-ready', 'deleting'],
  'waiting-ready': ['ready', 'deleting'],
  ready: ['draining'],
  draining: ['exporting', 'ready'],
  exporting: ['deleting', 'ready', 'blocked'],
  deleting: ['deleted', 'failed', 'blocked'],
  blocked: ['exporting', 'deleting', 'failed'],
  deleted: ['requested'],
  failed: ['requested'],
};

export function canTransition(from: ClusterState, to: ClusterState): boolean {
  return next[from].includes(to);
}

/** States in which a deployment exists and is not on its way out. */
export function isLive(state: ClusterState): boolean {
  return state === 'provisioning' || state === 'waiting-ready' || state === 'ready';
}

/** States in which a teardown began but nothing was deleted yet. */
export function isRecallable(state: ClusterState): boolean {
  return state === 'draining' || state === 'exporting';
}
