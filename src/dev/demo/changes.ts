import type { JobView } from '../../domain/campaign-view.ts';
import type { ClusterView } from '../../domain/cluster-view.ts';
import type { JobState } from '../../domain/slurm-states.ts';

/** What the API showed at one moment. */
export interface Seen {
  readonly cluster: ClusterView;
  /** Of the campaign that is followed. */
  readonly jobs: readonly JobView[];
}

/** One line of the timeline. */
export interface Change {
  readonly subject: 'cluster' | 'jobs';
  /** The new state; empty when only the message is new. */
  readonly state: string;
  readonly text: string;
}

/** Job keys that one line names; more are counted. */
const MOST_KEYS = 3;

/** What is new since the last look: jobs that went into the same state share a line. */
export function changesBetween(before: Seen | undefined, now: Seen): readonly Change[] {
  return [...clusterChanges(before?.cluster, now.cluster), ...jobChanges(before?.jobs ?? [], now.jobs)];
}

function clusterChanges(before: ClusterView | undefined, now: ClusterView): Change[] {
  const isNewState = before?.state !== now.state;
  if (!isNewState && before?.message === now.message) return [];
  return [{ subject: 'cluster', state: isNewState ? now.state : '', text: shortTimes(now.message) }];
}

/** `2026-05-04T12:30:00.123Z` as `12:30:00 UTC`: the day is today. */
function shortTimes(message: string): string {
  return message.replaceAll(/\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(?:\.\d+)?Z/g, '$1 UTC');
}

function jobChanges(before: readonly JobView[], now: readonly JobView[]): Change[] {
  const known = new Map(before.map((job) => [job.key, job.state]));
  const byState = new Map<JobState, string[]>();
  for (const { key, state } of now) {
    if (known.get(key) !== state) byState.set(state, [...(byState.get(state) ?? []), key]);
  }
  return [...byState].map(([state, keys]) => ({ subject: 'jobs', state, text: listed(keys) }));
}

function listed(keys: readonly string[]): string {
  if (keys.length <= MOST_KEYS) return keys.join(', ');
  return `${keys.slice(0, MOST_KEYS - 1).join(', ')} and ${keys.length - MOST_KEYS + 1} more`;
}
