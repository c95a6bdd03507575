import type { ClusterSpec } from './cluster-spec.ts';
import type { Failure } from './failures.ts';
import type { SpecNotes } from './spec-notes.ts';
import type { UpdateMode } from './spec-update.ts';
import { clipped } from './wording.ts';

/** A change of a cluster's specification that was asked for; the last one stays after its end. */
export interface SpecUpdate {
  readonly id: string;
  readonly mode: Exclude<UpdateMode, 'refused'>;
  /** What the cluster is to become. */
  readonly spec: ClusterSpec;
  readonly notes?: SpecNotes;
  /** Paths of what changes, at most {@link MAX_CHANGES}. */
  readonly changes: readonly string[];
  /** Who or what asked for it, in plain words. */
  readonly reason: string;
  /** What a campaign needs and the cluster lacks: who asked for the cluster without it still means this one. */
  readonly isGrowth?: true;
  readonly askedAt: string;
  /** Absent while it is under way or waits. */
  readonly endedAt?: string;
  /** Of one that did not succeed: the cluster is as it was. */
  readonly failure?: Failure;
}

/** An update in a view. */
export interface SpecUpdateView {
  readonly mode: SpecUpdate['mode'];
  readonly state: 'under-way' | 'waits-for-campaigns' | 'done' | 'failed';
  readonly reason: string;
  readonly askedAt: string;
  readonly endedAt?: string;
  readonly changes: readonly string[];
  readonly failure?: Failure;
}

/** What a view has room for. */
export const MAX_CHANGES = 10;
const MAX_MESSAGE_CHARACTERS = 300;

export function viewOfUpdate(update: SpecUpdate, isReady: boolean): SpecUpdateView {
  const { mode, reason, askedAt, endedAt, changes, failure } = update;
  const waits = mode === 'after-drain' && isReady;
  return {
    mode,
    state: failure ? 'failed' : endedAt ? 'done' : waits ? 'waits-for-campaigns' : 'under-way',
    reason,
    askedAt,
    ...(endedAt && { endedAt }),
    changes,
    ...(failure && { failure: { ...failure, message: clipped(failure.message, MAX_MESSAGE_CHARACTERS) } }),
  };
}

/** The update that has not ended, if there is one. */
export function pendingUpdate(update: SpecUpdate | undefined): SpecUpdate | undefined {
  return update?.endedAt === undefined ? update : undefined;
}
