import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import packageJson from '../../package.json' with { type: 'json' };
import type { HistorySink } from './replay.ts';

const DIRECTORY = join(import.meta.dirname, '..', 'histories');

/** Writes histories to `test/histories/<workflow type>/<version>-<scenario>-<run>.json`, newest run first. */
export function recordHistories(scenario: string): HistorySink {
  return async (_workflowId, run, history) => {
    const type =
      history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? 'unknown';
    const path = join(DIRECTORY, type, `${packageJson.version}-${scenario}-${run}.json`);
    await mkdir(dirname(path), { recursive: true });
    // Stack traces name the folder of the clone, which is nobody's business.
    await writeFile(path, `${historyToJSON(history).replaceAll(`${process.cwd()}/`, '')}\n`);
  };
}

export interface RecordedHistory {
  /** Path below `test/histories`. */
  readonly name: string;
  readonly history: unknown;
}

/** Every history that was recorded with a release and is kept as long as such a run can live. */
export async function readRecordedHistories(): Promise<RecordedHistory[]> {
  const files = await readdir(DIRECTORY, { recursive: true });
  const names = files.filter((file) => file.endsWith('.json')).toSorted();
  return Promise.all(
    names.map(async (name) => ({
      name,
      history: JSON.parse(await readFile(join(DIRECTORY, name), 'utf8')) as unknown,
    })),
  );
}
