import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import packageJson from '../../package.json' with { type: 'json' };
import type { MadeHistory } from './replay.ts';

const DIRECTORY = join(import.meta.dirname, '..', 'histories');

/**
 * Writes histories to `test/histories/<workflow type>/<version>-<scenario>-<run>.json`. A workflow that did not continue
 * as new has run 1 only. A scenario is recorded with at most one workflow of each type.
 */
export async function recordHistories(scenario: string, made: readonly MadeHistory[]): Promise<void> {
  for (const { run, history } of made) {
    const type =
      history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? 'unknown';
    const path = join(DIRECTORY, type, `${packageJson.version}-${scenario}-${run}.json`);
    await mkdir(dirname(path), { recursive: true });
    // Stack traces name the folder of the clone, which is nobody's business.
    await writeFile(path, `${historyToJSON(history).replaceAll(`${process.cwd()}/`, '')}\n`);
  }
}

export interface RecordedHistory {
  /** Path below `test/histories`. */
  readonly name: string;
  readonly history: unknown;
  readonly runId: string;
  /** The run that this one continues; undefined for the first of a workflow. */
  readonly continuesRunId: string | undefined;
}

/** Every history that was recorded with a release and is kept as long as such a run can live. */
export async function readRecordedHistories(): Promise<RecordedHistory[]> {
  const files = await readdir(DIRECTORY, { recursive: true });
  const names = files.filter((file) => file.endsWith('.json')).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const history: unknown = JSON.parse(await readFile(join(DIRECTORY, name), 'utf8'));
      const { events } = historyFromJSON(history);
      const started = events?.[0]?.workflowExecutionStartedEventAttributes;
      return {
        name,
        history,
        runId: started?.originalExecutionRunId ?? '',
        continuesRunId: started?.continuedExecutionRunId || undefined,
      };
    }),
  );
}
