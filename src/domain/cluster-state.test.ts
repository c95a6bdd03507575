import { describe, expect, it, test } from 'vitest';
import { canTransition, isLive, isRecallable } from './cluster-state.ts';
import { type ClusterState, clusterStates } from './cluster-view.ts';

function after(state: ClusterState): ClusterState[] {
  return clusterStates.filter((next) => canTransition(state, next));
}

function before(state: ClusterState): ClusterState[] {
  return clusterStates.filter((previous) => canTransition(previous, state));
}

/** Every state that can come after this one, at any distance, without passing through those of `avoiding`. */
function reachableFrom(state: ClusterState, ...avoiding: readonly ClusterState[]): Set<ClusterState> {
  const found = new Set<ClusterState>();
  const open = [state];
  for (let from = open.pop(); from; from = open.pop()) {
    const fresh = after(from).filter((next) => !avoiding.includes(next) && !found.has(next));
    for (const next of fresh) found.add(next);
    open.push(...fresh);
  }
  return found;
}

describe.each(clusterStates)('a cluster that is %s', (state) => {
  it('can have come there from an entity that was just started', () => {
    expect([...reachableFrom('requested'), 'requested']).toContain(state);
  });

  it('can still be deleted, and asked for again', () => {
    expect(reachableFrom(state)).toContain('deleted');
    expect(reachableFrom(state)).toContain('requested');
  });

  it('does not become what it is', () => {
    expect(canTransition(state, state)).toBe(false);
  });
});

test.each(['deleted', 'failed'] as const)('nothing leaves %s but by being asked for', (state) => {
  expect(after(state)).toEqual(['requested']);
});

test('whatever was deployed goes through `deleting`, unless an operator gives it up', () => {
  for (const state of ['provisioning', 'waiting-ready', 'ready', 'draining', 'exporting'] as const) {
    const otherwise = reachableFrom(state, 'deleting', 'blocked');
    for (const end of ['deleted', 'failed', 'requested'] as const) expect(otherwise).not.toContain(end);
  }
  expect(before('deleted')).toEqual(['requested', 'deleting']);
  expect(before('failed')).toEqual(['deleting', 'blocked']);
});

test('a teardown is blocked by data or by a deletion, and an operator lets it go on or gives up', () => {
  expect(before('blocked')).toEqual(['exporting', 'deleting']);
  expect(after('blocked')).toEqual(['exporting', 'deleting', 'failed']);
});

test('a deletion that began ends or is blocked', () => {
  expect(after('deleting')).toEqual(['deleted', 'failed', 'blocked']);
});

test('jobs are reached only after readiness was seen', () => {
  expect(before('ready')).toEqual(['waiting-ready', 'draining', 'exporting']);
});

test('live are the states up to readiness, recallable those in which nothing was deleted yet', () => {
  expect(clusterStates.filter(isLive)).toEqual(['provisioning', 'waiting-ready', 'ready']);
  expect(clusterStates.filter(isRecallable)).toEqual(['draining', 'exporting']);
  expect(clusterStates.filter(isRecallable).every((state) => canTransition(state, 'ready'))).toBe(true);
});
