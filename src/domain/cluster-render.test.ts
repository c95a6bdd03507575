import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways, specs } from '../../test/support/properties.ts';
import { renderClusterView, sameView } from './cluster-render.ts';
import { type ClusterSnapshot, newClusterSnapshot, type Resources } from './cluster-snapshot.ts';
import { type ClusterSpec } from './cluster-spec.ts';
import { type ClusterState, clusterStates, type ClusterView } from './cluster-view.ts';
import { failureOf } from './failures.ts';
import type { SpecNotes } from './spec-notes.ts';
import { tierNames } from './tiers.ts';
import {
  NOW,
  LATER,
  tenant,
  planNote,
  notes,
  secretArn,
  specOf,
  viewOf,
  deploymentOf,
} from '../../test/support/cluster-snapshots.ts';

const MEMO_BYTES = 8192;
const message = 'The resource could not be created: '.repeat(200);
const openCampaign = {
  content: { bucket: 'b', key: 'k', sha256: 's' },
  acceptedAt: NOW,
  unsubmittedJobs: 1,
  activeJobs: 1000,
  sequence: 3,
};

/** A cluster of which there is as much to say as there ever is. */
function largest(spec: ClusterSpec, state: 'blocked' | 'ready' = 'blocked'): ClusterView {
  const snapshot: ClusterSnapshot = {
    ...newClusterSnapshot(NOW),
    state,
    message,
    deployment: deploymentOf(spec),
    requested: spec,
    holds: [1, 2, 3].map((n) => ({
      name: `hold-${n}`,
      reason: 'results are being registered'.repeat(5),
      until: LATER,
    })),
    campaigns: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`campaign-${n}`, openCampaign])),
    activity: {
      running: 1000,
      pending: 1000,
      stuck: 1000,
      interactiveSessions: 10,
      unreadable: 100,
      at: NOW,
    },
    blindSince: NOW,
    blindBecause: failureOf('SlurmTokenRefused', message),
    idleSince: NOW,
    ...(state === 'blocked' && { failure: failureOf('StackDeleteFailed', message) }),
    placement: {
      tries: Array.from({ length: 8 }, (_, n) => ({
        epoch: `01k4x8m2tqa3f${n}`,
        subnetId: 'subnet-0123456789abcdef0',
        availabilityZone: 'ap-southeast-1a',
        tier: 'mixed-prod-mpi',
        startedAt: NOW,
        failedAt: LATER,
        failure: { type: 'InsufficientCapacity', message },
        supportBundle: `s3://${'b'.repeat(63)}/deployments/${'l'.repeat(63)}/${'p'.repeat(63)}/01k4x8m2tqa3f9/support/`,
      })),
    },
  };
  const longest = { virtualLabId: 'l'.repeat(63), projectId: 'p'.repeat(63) };
  return renderClusterView(longest, 'c'.repeat(40), snapshot, NOW);
}

const fiftyQueues = specOf({
  queues: Array.from({ length: 50 }, (_, index) => ({
    name: `queue-of-a-long-name-${String(index).padStart(4, '0')}`,
    computeResources: [
      { name: 'resource-of-a-long-name-1', instanceType: 'u7in-24tb.224xlarge', maxCount: 1000, efa: true },
    ],
    maxTimeSeconds: 365 * 86_400,
    maxNodesPerJob: 1000,
  })),
});

describe('a view fits into a memo', () => {
  it.each(tierNames)('with the whole specification of the tier %s', (tier) => {
    const view = largest(specOf({ tier }));
    expect(view.spec?.tier).toBe(tier);
    expect(view).not.toHaveProperty('specSummary');
    expect(Buffer.byteLength(JSON.stringify(view))).toBeLessThanOrEqual(MEMO_BYTES);
  });

  it('with the names of fifty queues, whose details alone would not', () => {
    expect(JSON.stringify(fiftyQueues).length).toBeGreaterThan(MEMO_BYTES);
    const view = largest(fiftyQueues);
    expect(view).not.toHaveProperty('spec');
    expect(view.specSummary).toMatchObject({ tier: 'custom', idleTimeoutSeconds: 1800 });
    expect(view.specSummary?.queueNames).toEqual(fiftyQueues.queues.map(({ name }) => name));
    expect(Buffer.byteLength(JSON.stringify(view))).toBeLessThanOrEqual(MEMO_BYTES);
  });

  it('whatever the specification is, which it always tells of', () => {
    expectAlways(
      fc.property(specs, (spec) => {
        const view = largest(spec);
        expect([view.spec, view.specSummary].filter(Boolean)).toHaveLength(1);
        expect(Buffer.byteLength(JSON.stringify(view))).toBeLessThanOrEqual(MEMO_BYTES);
      }),
    );
  });

  it('with the beginning of why Slurm does not answer', () => {
    const view = largest(specOf({ tier: 'prod-batch' }), 'ready');
    expect(view.blindBecause).toEqual({
      ...failureOf('SlurmTokenRefused', ''),
      message: message.slice(0, 300),
    });
    expect(Buffer.byteLength(JSON.stringify(view))).toBeLessThanOrEqual(MEMO_BYTES);
  });

  it('with all tries and where their support bundles are, the latest with more, where there is room', () => {
    const placement = {
      tries: Array.from({ length: 8 }, (_, n) => ({
        epoch: `01k4x8m2tqa3f${n}`,
        subnetId: 'subnet-0123456789abcdef0',
        availabilityZone: `us-east-1${n}`,
        tier: 'prod-mpi' as const,
        startedAt: NOW,
        failedAt: LATER,
        failure: { type: 'InsufficientCapacity' as const, message },
        supportBundle: `s3://control/deployments/lab/cortex/01k4x8m2tqa3f${n}/support/`,
      })),
    };
    const { tries = [] } = viewOf({
      placement,
      requested: specOf({ tier: 'prod-mpi' }),
      requestedNotes: notes,
    });
    expect(tries.map(({ supportBundle }) => supportBundle)).toEqual(
      placement.tries.map(({ supportBundle }) => supportBundle),
    );
    expect(tries.map(({ failure }) => (failure.message ?? '').length)).toEqual([
      0, 0, 0, 0, 0, 160, 160, 160,
    ]);
    // Rather less of the latest than fewer; rather the latest than the first.
    const besideHolds = Array.from({ length: 40 }, (_, count) => {
      const holds = Array.from({ length: count }, () => ({
        name: 'h',
        reason: 'r'.repeat(150),
        until: LATER,
      }));
      return viewOf({ placement, holds });
    });
    const bundles = placement.tries.map(({ supportBundle }) => supportBundle);
    for (const view of besideHolds) {
      const shown = (view.tries ?? []).map(({ supportBundle }) => supportBundle);
      expect(shown).toEqual(bundles.slice(bundles.length - shown.length));
      const bytes = Buffer.byteLength(JSON.stringify(view));
      expect(shown.length > 0 && bytes > MEMO_BYTES).toBe(false);
    }
    const shapes = besideHolds.map(({ tries: some = [] }) => [
      some.length,
      some.filter(({ failedAt }) => failedAt !== undefined).length,
    ]);
    expect(shapes).toContainEqual([8, 1]);
    expect(shapes.map(([count]) => count)).toEqual(expect.arrayContaining([8, 7, 6, 2, 0]));
  });

  it('with the beginning of a message that is very long', () => {
    const view = largest(specOf({ tier: 'debug' }));
    expect(view.message).toBe(`${message.slice(0, 1000)}…`);
    expect(view.failure?.message).toBe(`${message.slice(0, 1000)}…`);
  });
});

describe('a view', () => {
  it('of an entity that nobody asked anything says nothing about a deployment', () => {
    expect(viewOf({})).toEqual({
      version: 1,
      ...tenant,
      clusterName: 'pcluster-lab-cortex',
      state: 'requested',
      since: NOW,
      message: 'Not asked for yet.',
      observedAt: NOW,
      holds: [],
      openCampaigns: 0,
      activeJobs: 0,
    });
  });

  it('shows of a deployment what exists, not what was only begun', () => {
    const spec = specOf({ tier: 'debug' });
    const begun: Resources = { lease: 'requested', adminKey: 'requested', stack: 'requested' };
    const early = viewOf({ deployment: { epoch: 'e1', startedAt: NOW, spec, resources: begun } });
    expect(Object.keys(early)).not.toEqual(expect.arrayContaining(['subnetId']));
    for (const field of ['subnetId', 'stackId', 'adminPrivateKeySecretArn', 'access', 'readyAt'])
      expect(early).not.toHaveProperty(field);
    expect(viewOf({ deployment: deploymentOf(spec) })).toMatchObject({
      epoch: '01k4x8m2tqa3f9',
      spec,
      subnetId: 'subnet-0123456789abcdef0',
      stackId: expect.stringMatching(/^arn:aws:cloudformation/),
      adminPrivateKeySecretArn: secretArn('admin'),
      readyAt: NOW,
    });
  });

  it('shows the specification that exists before the one that is to follow', () => {
    const [present, next] = [specOf({ tier: 'debug' }), specOf({ tier: 'prod-mpi' })];
    expect(viewOf({ requested: next }).spec?.tier).toBe('prod-mpi');
    expect(viewOf({ requested: next, deployment: deploymentOf(present) }).spec?.tier).toBe('debug');
  });

  it('adds up the jobs of the open campaigns', () => {
    const campaigns = { a: openCampaign, b: { ...openCampaign, activeJobs: 5 } };
    expect(viewOf({ campaigns })).toMatchObject({ openCampaigns: 2, activeJobs: 1005 });
  });

  it.each(clusterStates)('offers an operator a choice when %s only if it is blocked', (state) => {
    expect(viewOf({ state }).choices).toEqual(state === 'blocked' ? ['retry', 'abandon'] : undefined);
  });
});

describe('what was said about a specification', () => {
  const spec = specOf({ tier: 'debug' });

  it('is shown as soon as it is asked for, and belongs to the deployment then', () => {
    expect(viewOf({ requested: spec, requestedNotes: notes })).toMatchObject({ estimate: notes.estimate });
    const other: SpecNotes = { estimate: { region: 'eu-west-1' } };
    const following = { requested: spec, requestedNotes: other, deployment: deploymentOf(spec) };
    expect(viewOf(following)).toMatchObject({ estimate: notes.estimate });
  });

  it('has the whole plan beside a specification of one queue, and what there is room for beside a larger one', () => {
    const explanation = Array.from({ length: 5 }, () => 'e'.repeat(200));
    const plan = { ...planNote, explanation };
    const sentences = (of: ClusterSpec) =>
      viewOf({ requested: of, requestedNotes: { plan } }).plan?.explanation.length;
    expect(sentences(spec)).toBe(5);
    const queues = fiftyQueues.queues.slice(0, 5);
    expect(sentences({ ...fiftyQueues, queues })).toBeLessThan(5);
  });
});

describe('when a cluster goes', () => {
  const at = (state: ClusterState, idleSince: string | undefined, idleTimeoutSeconds: number) =>
    viewOf({
      state,
      deployment: deploymentOf(specOf({ tier: 'debug', idleTimeoutSeconds })),
      ...(idleSince && { idleSince }),
    }).teardownAt;

  it.each<[string, string | undefined, number, string]>([
    ['its lifetime ends while it is busy', undefined, 600, LATER],
    ['its idle time is over', '2026-01-15T13:00:00.000Z', 600, '2026-01-15T13:10:00.000Z'],
    ['its lifetime ends first', '2026-01-16T11:55:00.000Z', 600, LATER],
  ])('is when %s', (_, idleSince, idleTimeoutSeconds, expected) => {
    expect(at('ready', idleSince, idleTimeoutSeconds)).toBe(expected);
  });

  it.each(clusterStates.filter((state) => state !== 'ready'))('is not said of one that is %s', (state) => {
    expect(at(state, NOW, 600)).toBeUndefined();
  });
});

describe('two views say the same', () => {
  const activity = { running: 1, pending: 0, stuck: 0, interactiveSessions: 0, at: NOW };

  it('if only the time differs at which they were written or Slurm was seen', () => {
    const before = viewOf({ activity });
    expect(sameView(before, viewOf({ activity: { ...activity, at: LATER } }, LATER))).toBe(true);
  });

  it.each<[string, Partial<ClusterSnapshot>]>([
    ['state', { state: 'ready' }],
    ['since', { since: LATER }],
    ['message', { message: 'other' }],
    ['activity', { activity: { ...activity, running: 2 } }],
    ['blindSince', { blindSince: NOW }],
    ['holds', { holds: [{ name: 'a', reason: 'b', until: LATER }] }],
    ['failure', { failure: failureOf('StackDeleteFailed', 'x') }],
  ])('unless %s differs', (_, change) => {
    expect(sameView(viewOf({ activity }), viewOf({ activity, ...change }))).toBe(false);
  });
});
