import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, ownIdentity, parseIdentity } from './head-node/process-identity.ts';

/** Runs whose folders are kept, the newest ones. */
const KEPT_RUNS = 5;
const OWNER_FILE = 'owner.json';
/** Nothing else in the folder of runs is ever deleted. */
const RUN_NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;

/**
 * Makes the folder of a run, named after the time, e.g. `.dev/2026-05-04T12-30-00.123Z`. Older runs beyond the last
 * five are deleted, unless they still go on.
 */
export async function makeRunDirectory(runs: string, now = new Date()): Promise<string> {
  await mkdir(runs, { recursive: true });
  const directory = await claim(runs, now);
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(await ownIdentity()));
  await deleteOldRuns(runs);
  return directory;
}

/** Two runs that begin in the same millisecond get different folders. */
async function claim(runs: string, now: Date): Promise<string> {
  for (let milliseconds = now.getTime(); ; milliseconds += 1) {
    const directory = join(runs, new Date(milliseconds).toISOString().replaceAll(':', '-'));
    try {
      await mkdir(directory);
      return directory;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

async function deleteOldRuns(runs: string): Promise<void> {
  const names = (await readdir(runs)).filter((name) => RUN_NAME.test(name)).toSorted();
  for (const name of names.slice(0, -KEPT_RUNS)) {
    const directory = join(runs, name);
    if (!(await goesOn(directory))) await rm(directory, { recursive: true, force: true });
  }
}

async function goesOn(directory: string): Promise<boolean> {
  const text = await readFile(join(directory, OWNER_FILE), 'utf8').catch(() => '');
  const owner = parseIdentity(text);
  return owner !== undefined && (await isAlive(owner));
}
