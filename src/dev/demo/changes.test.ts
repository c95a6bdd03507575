import { describe, expect, it } from 'vitest';
import type { JobView } from '../../domain/campaign-view.ts';
import type { ClusterView } from '../../domain/cluster-view.ts';
import { changesBetween } from './changes.ts';

const cluster = (changes: Partial<ClusterView>): ClusterView => ({
  version: 1,
  virtualLabId: 'lab',
  projectId: 'project',
  clusterName: 'pcluster-lab-project',
  state: 'ready',
  since: '2026-05-04T12:00:00.000Z',
  message: 'Slurm runs jobs.',
  observedAt: '2026-05-04T12:00:00.000Z',
  holds: [],
  openCampaigns: 0,
  activeJobs: 0,
  ...changes,
});
const jobs = (state: JobView['state'], ...keys: string[]): JobView[] =>
  keys.map((key) => ({ key, state, reason: '', logsComplete: false }));

describe('changesBetween', () => {
  it('tells everything at the first look', () => {
    expect(changesBetween(undefined, { cluster: cluster({}), jobs: jobs('waiting', 'a') })).toEqual([
      { subject: 'cluster', state: 'ready', text: 'Slurm runs jobs.' },
      { subject: 'jobs', state: 'waiting', text: 'a' },
    ]);
  });

  it('tells nothing when only times moved on', () => {
    const before = { cluster: cluster({}), jobs: jobs('running', 'a') };
    const now = { ...before, cluster: cluster({ observedAt: '2026-05-04T12:01:00.000Z', activeJobs: 1 }) };
    expect(changesBetween(before, now)).toEqual([]);
  });

  it('leaves the state out where only the message is new, and shortens times', () => {
    const before = { cluster: cluster({}), jobs: [] };
    const now = { cluster: cluster({ message: 'Idle; goes at 2026-05-04T12:00:15.123Z.' }), jobs: [] };
    expect(changesBetween(before, now)).toEqual([
      { subject: 'cluster', state: '', text: 'Idle; goes at 12:00:15 UTC.' },
    ]);
  });

  it('gives jobs that went into the same state one line, and counts those that it does not name', () => {
    const before = { cluster: cluster({}), jobs: jobs('running', 'a', 'b', 'c', 'd', 'e') };
    const now = {
      cluster: cluster({}),
      jobs: [...jobs('succeeded', 'a', 'b', 'c', 'd'), ...jobs('failed', 'e')],
    };
    expect(changesBetween(before, now)).toEqual([
      { subject: 'jobs', state: 'succeeded', text: 'a, b and 2 more' },
      { subject: 'jobs', state: 'failed', text: 'e' },
    ]);
  });
});
