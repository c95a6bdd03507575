import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';

/** What is done regularly: one Schedule for each, with the id of the workflow that it starts. */
const schedules = {
  /** Sweeps the account. */
  reconcile: { workflowType: 'reconcile', isDueAtOnce: false },
  /** Without it, prices of a new installation would have to wait for the end of the first interval. */
  'refresh-prices': { workflowType: 'refreshPrices', isDueAtOnce: true },
} as const;

/**
 * Makes sure that it is done as often as is configured now, or, every 0 seconds, not at all. What else an operator has changed
 * of the Schedule, a pause among it, stays. What is under way counts, however long it takes: two at once would only do the same.
 */
export async function ensureSchedule(
  client: Client,
  scheduleId: keyof typeof schedules,
  { taskQueue, everySeconds }: { readonly taskQueue: string; readonly everySeconds: number },
): Promise<void> {
  if (everySeconds === 0) return endSchedule(client, scheduleId);
  const { workflowType, isDueAtOnce } = schedules[scheduleId];
  const spec = { intervals: [{ every: everySeconds * 1000 }] };
  try {
    await client.schedule.create({
      scheduleId,
      spec,
      policies: { overlap: ScheduleOverlapPolicy.SKIP },
      state: { triggerImmediately: isDueAtOnce },
      action: { type: 'startWorkflow', workflowType, workflowId: scheduleId, taskQueue },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule.getHandle(scheduleId).update((existing) => ({ ...existing, spec }));
  }
}

async function endSchedule(client: Client, scheduleId: string): Promise<void> {
  try {
    await client.schedule.getHandle(scheduleId).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}
