import { Client, Connection, isGrpcServiceError, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** Status code of gRPC (grpc.io, "Status codes and their use in gRPC"). */
const NOT_FOUND = 5;

/** The history of one run of a workflow. */
export interface MadeHistory {
  readonly workflowId: string;
  readonly history: History;
  /** The first run of a workflow is 1. */
  readonly run: number;
  /** Name of the test that made it. */
  readonly madeBy?: string;
}

/**
 * Calls with a client that can read any history: the test server answers one as a whole, also where that is more than
 * the 4 MB that gRPC takes otherwise.
 */
export async function readingHistories<Answer>(
  address: string,
  read: (client: Client) => Promise<Answer>,
): Promise<Answer> {
  const connection = await Connection.connect({
    address,
    channelArgs: { 'grpc.max_receive_message_length': -1 },
  });
  try {
    return await read(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** The histories of the latest run of each workflow and of every run that it continues, of those that ever started. */
export async function madeHistories(client: Client, workflowIds: Iterable<string>): Promise<MadeHistory[]> {
  const made: MadeHistory[] = [];
  for (const workflowId of workflowIds) {
    const runs = await historiesOf(client, workflowId);
    made.push(...runs.map((history, index) => ({ workflowId, history, run: index + 1 })));
  }
  return made;
}

/** @throws Error naming the workflow that the present code cannot replay, and the test that made it. */
export async function replay(made: readonly MadeHistory[], bundlePath: string): Promise<void> {
  const workflowBundle = { codePath: bundlePath };
  const valid = made.filter(({ history }) => isValid(history));
  for await (const { workflowId, runId, error } of Worker.runReplayHistories({ workflowBundle }, valid)) {
    if (!error) continue;
    const failed = made.find(({ history }) => runIdOf(history) === runId);
    if (failed && isOrderUnknown(failed.history)) continue;
    const madeBy = failed?.madeBy;
    const message = `${workflowId} (${runId}), which “${madeBy}” made, cannot be replayed`;
    throw new Error(`${message}: ${error.message}`, { cause: error });
  }
}

/**
 * Whether a started workflow task is followed by its end, as every history of Temporal's own server has it, which buffers what
 * happens meanwhile. The time-skipping server writes it down at once, so that a history whose worker was stopped in a task may
 * have it there; Core dies of that, and the replay would never end.
 */
function isValid({ events }: History): boolean {
  return (events ?? []).every((event, index, all) => {
    const next = all[index + 1];
    if (!event.workflowTaskStartedEventAttributes || !next) return true;
    return Boolean(
      next.workflowTaskCompletedEventAttributes ??
      next.workflowTaskFailedEventAttributes ??
      next.workflowTaskTimedOutEventAttributes ??
      next.workflowExecutionTerminatedEventAttributes,
    );
  });
}

function runIdOf({ events }: History): string | null | undefined {
  return events?.[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId;
}

/**
 * Whether an update was accepted in a workflow task that a signal reached after it was scheduled. The time-skipping server
 * may hand such a task out with the update first, and history does not say so: a replay takes signals first. Temporal's own
 * server places updates behind all events of a task (`Registry.Send` in its service/history/workflow/update).
 */
function isOrderUnknown({ events }: History): boolean {
  let signalledSince = false;
  let signalledInTask = false;
  for (const event of events ?? []) {
    if (event.workflowTaskScheduledEventAttributes) signalledSince = false;
    if (event.workflowExecutionSignaledEventAttributes) signalledSince = true;
    if (event.workflowTaskStartedEventAttributes) signalledInTask = signalledSince;
    if (event.workflowExecutionUpdateAcceptedEventAttributes && signalledInTask) return true;
  }
  return false;
}

/** The histories of a workflow's latest run and of those that it continues, oldest first. */
export async function historiesOf(client: Client, workflowId: string): Promise<History[]> {
  const oldestFirst: History[] = [];
  for await (const history of runsOf(client, workflowId)) oldestFirst.unshift(history);
  return oldestFirst;
}

/** Run ids of the runs that the latest one continues, newest first. */
export async function continuedRunIds(client: Client, workflowId: string): Promise<string[]> {
  const runIds: string[] = [];
  for await (const history of runsOf(client, workflowId)) {
    const runId = continues(history);
    if (runId) runIds.push(runId);
  }
  return runIds;
}

async function* runsOf(client: Client, workflowId: string): AsyncGenerator<History> {
  let runId: string | undefined;
  do {
    const history = await fetchHistory(client, workflowId, runId);
    if (!history) return;
    yield history;
    runId = continues(history);
  } while (runId);
}

function continues(history: History): string | undefined {
  return history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
}

async function fetchHistory(
  client: Client,
  workflowId: string,
  runId: string | undefined,
): Promise<History | undefined> {
  try {
    return await client.workflow.getHandle(workflowId, runId).fetchHistory();
  } catch (error) {
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (code === NOT_FOUND) return undefined;
    throw error;
  }
}
