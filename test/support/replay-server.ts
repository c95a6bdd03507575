import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { findTemporalProgram } from '../../src/dev/temporal-binaries.ts';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';

/**
 * Replays every run of every workflow that a server knows, whether it goes on, has ended or was terminated. Not for the
 * time-skipping server, which has no list.
 *
 * @returns the workflow ids, one for each run.
 * @throws AggregateError when the present code cannot replay one of them.
 */
export async function replayServer(client: Client): Promise<string[]> {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const replayed: string[] = [];
  const errors: Error[] = [];
  const runs = client.workflow.list().intoHistories();
  for await (const { workflowId, runId, error } of Worker.runReplayHistories({ workflowsPath }, runs)) {
    replayed.push(workflowId);
    if (error) errors.push(new Error(`${workflowId} (${runId}) cannot be replayed`, { cause: error }));
  }
  if (replayed.length === 0) errors.push(new Error('the server knows no workflow'));
  if (errors.length > 0)
    throw new AggregateError(
      errors,
      errors.map(({ message, cause }) => `${message}: ${String(cause)}`).join('\n'),
    );
  return replayed;
}

/**
 * Replays, as {@link replayServer}, what a Temporal server that is stopped has kept in its file.
 *
 * @param logDirectory receives the log of the server that is started on the file meanwhile.
 */
export async function replayDatabase(databaseFile: string, logDirectory: string): Promise<string[]> {
  const environment = readDevEnvironment();
  const executable = await findTemporalProgram('temporal', environment, () => {});
  const env = environment.inherited;
  const server = await startTemporalServer({ executable, databaseFile, logDirectory, env });
  const connection = await Connection.connect({ address: server.address });
  try {
    return await replayServer(new Client({ connection }));
  } finally {
    await connection.close();
    await server.close();
  }
}
