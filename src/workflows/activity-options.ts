import type { ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/port.ts';
import { activityBounds } from './policies.ts';

/** The table's entry as Temporal wants it. */
export function activityOptions(name: keyof Activities): ActivityOptions {
  const { summary, startToClose, scheduleToClose, heartbeat, retry } = activityBounds[name];
  return {
    summary,
    startToCloseTimeout: startToClose,
    scheduleToCloseTimeout: scheduleToClose,
    ...(heartbeat ? { heartbeatTimeout: heartbeat } : {}),
    retry: {
      initialInterval: retry.initialSeconds * 1000,
      maximumInterval: retry.maximumSeconds * 1000,
      backoffCoefficient: 2,
      ...(retry.attempts ? { maximumAttempts: retry.attempts } : {}),
    },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  };
}
