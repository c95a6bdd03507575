import type { Client } from '@temporalio/client';
import type { ReadinessProbe } from './ports.ts';
import { callTemporal, temporalAnswers } from './temporal-calls.ts';

/**
 * A worker's poll ends and begins again at least once a minute (the server's long-poll time limit), and Temporal
 * lists a poller for minutes after its last one: a listed poller that was not heard for longer has died.
 */
const POLLER_HEARD_WITHIN_SECONDS = 90;

/** Asks Temporal whether it lives and who polls the task queue. */
export function createReadinessProbe(client: Client, taskQueue: string): ReadinessProbe {
  return {
    async check(answerBy) {
      if (!(await temporalAnswers(client, answerBy))) {
        return { type: 'TemporalUnavailable', detail: 'Temporal does not answer.' };
      }
      const { pollers } = await callTemporal(client, answerBy, async () =>
        client.workflowService.describeTaskQueue({
          namespace: client.options.namespace,
          taskQueue: { name: taskQueue },
        }),
      );
      const oldest = Date.now() / 1000 - POLLER_HEARD_WITHIN_SECONDS;
      if (pollers.some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) >= oldest))
        return undefined;
      return { type: 'WorkerUnavailable', detail: `No worker polls the task queue \`${taskQueue}\`.` };
    },
  };
}
