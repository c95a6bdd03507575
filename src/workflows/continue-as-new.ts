import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  makeContinueAsNewFunc,
  workflowInfo,
} from '@temporalio/workflow';
import type { CampaignInput, ClusterInput, SubnetPoolInput } from './messages.ts';
import { HISTORY_EVENT_LIMIT } from './policies.ts';

/** Whether a run has lived long enough: its history has `limit` events, or Temporal suggests to continue as new. */
export function isHistoryLong(limit: number = HISTORY_EVENT_LIMIT): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength >= limit;
}

/**
 * Continues as new if the history is long enough. Waits until every message handler has finished, since whoever sent
 * the message would otherwise get no answer; `nextInput` is read after that, so that it holds what they did. Only
 * called where that input alone says what comes next.
 */
export async function continueIfHistoryIsLong(
  limit: number | undefined,
  nextInput: () => CampaignInput | ClusterInput | SubnetPoolInput,
): Promise<void> {
  if (!isHistoryLong(limit)) return;
  await condition(allHandlersFinished);
  // Temporal carries search attributes over by itself, but no memo: without it nobody could read the view until the new
  // run has something to say.
  const { memo } = workflowInfo();
  await makeContinueAsNewFunc({ ...(memo && { memo }) })(nextInput());
}

/** Fails a run that got its snapshot from code which writes it differently, instead of misreading it. */
export function requireKnownVersion(snapshot: { readonly version: number } | undefined): void {
  if (!snapshot || snapshot.version === 1) return;
  throw ApplicationFailure.nonRetryable(`Unknown snapshot version ${snapshot.version}`);
}
