import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { Worker } from '@temporalio/worker';

type History = Parameters<typeof Worker.runReplayHistory>[1];

/** Receives each history that a test made, e.g. to keep it as a recorded one. */
export type HistorySink = (workflowId: string, run: number, history: History) => Promise<void>;

/** Replays a workflow's latest run and every run that it continues. A workflow that never started is fine. */
export async function replayChain(
  client: Client,
  workflowId: string,
  bundlePath: string,
  save?: HistorySink,
): Promise<void> {
  let runId: string | undefined;
  for (let run = 0; ; run++) {
    const history = await fetchHistory(client, workflowId, runId);
    if (!history) return;
    await Worker.runReplayHistory({ workflowBundle: { codePath: bundlePath } }, history, workflowId);
    await save?.(workflowId, run, history);
    const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
    runId = started?.continuedExecutionRunId || undefined;
    if (!runId) return;
  }
}

async function fetchHistory(client: Client, workflowId: string, runId: string | undefined) {
  try {
    return await client.workflow.getHandle(workflowId, runId).fetchHistory();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
