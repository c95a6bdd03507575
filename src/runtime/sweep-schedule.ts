import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';

/** What is under way counts, however long it takes: two sweeps at once would only find the same. */
export const SWEEP_SCHEDULE_ID = 'reconcile';

/** Makes sure that the account is swept regularly. An operator's changes to the schedule, a pause among them, stay. */
export async function ensureSweepSchedule(
  client: Client,
  { taskQueue, everySeconds }: { readonly taskQueue: string; readonly everySeconds: number },
): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: SWEEP_SCHEDULE_ID,
      spec: { intervals: [{ every: everySeconds * 1000 }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP },
      action: {
        type: 'startWorkflow',
        workflowType: 'reconcile',
        workflowId: SWEEP_SCHEDULE_ID,
        taskQueue,
      },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
