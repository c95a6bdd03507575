import { defaultClusterPolicy } from '../domain/cluster-snapshot.ts';
import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  makeContinueAsNewFunc,
  workflowInfo,
} from '@temporalio/workflow';
import type { JobChunk } from '../domain/job-chunks.ts';
import type { CampaignInput, ClusterInput, SubnetPoolInput } from './messages.ts';

/**
 * Events after which a workflow continues as new unless its input says otherwise; the same for all. Servers suggest it
 * at a limit of their own, by default 4,096 (`limit.historyCount.suggestContinueAsNew`), and end a run at 51,200
 * (`limit.historyCount.error`).
 */
const HISTORY_EVENT_LIMIT = defaultClusterPolicy.historyEventLimit;

/** Whether a run has lived long enough: its history has `limit` events, or Temporal suggests to continue as new. */
export function isHistoryLong(limit: number = HISTORY_EVENT_LIMIT): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength >= limit;
}

/**
 * Continues as new if the history is long enough. Waits until every message handler has finished, since whoever sent
 * the message would otherwise get no answer; `nextArguments` is read after that, so that they hold what was done. Only
 * called where they alone say what comes next.
 */
export async function continueIfHistoryIsLong(
  limit: number | undefined,
  nextArguments: () => [ClusterInput] | [SubnetPoolInput] | [CampaignInput, ...JobChunk[]],
): Promise<void> {
  if (!isHistoryLong(limit)) return;
  await condition(allHandlersFinished);
  // Temporal carries search attributes over by itself, but no memo: without it nobody could read the view until the new
  // run has something to say.
  const { memo } = workflowInfo();
  await makeContinueAsNewFunc({ ...(memo && { memo }) })(...nextArguments());
}

/** Fails a run that got its snapshot from code which writes it differently, instead of misreading it. */
export function requireKnownVersion(
  snapshot: { readonly version: number } | undefined,
  known: readonly number[] = [1],
): void {
  if (!snapshot || known.includes(snapshot.version)) return;
  throw ApplicationFailure.nonRetryable(`Unknown snapshot version ${snapshot.version}`);
}
