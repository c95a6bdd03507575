import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from './program.ts';

const DOWNLOADER = join(import.meta.dirname, 'temporal-sdk-downloader.ts');
/** Behind a firewall that drops packets nothing ever starts; two seconds are ample for a server that answers. */
const START_DEADLINE_SECONDS = 5;
/** About 50 MB, once. */
const DOWNLOAD_DEADLINE_SECONDS = 300;
const POLL_SECONDS = 0.2;

/**
 * Lets the Temporal SDK download one of its servers into `directory`.
 *
 * @throws Error when no byte has arrived after a few seconds, or the download fails; the reason of `signal` when that is
 * aborted.
 */
export async function downloadBySdk(
  program: string,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const before = await readdir(directory);
  const stalled = new AbortController();
  const ended = new AbortController();
  const watching = abortUnlessBegun(stalled, directory, before, ended.signal);
  try {
    const { failure, output } = await runProgram(process.execPath, [DOWNLOADER, program, directory], {
      timeoutSeconds: DOWNLOAD_DEADLINE_SECONDS,
      signal: AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]),
    });
    if (failure !== undefined) throw new Error(lastCause(output) ?? failure);
  } finally {
    ended.abort();
    await watching;
  }
}

/** The SDK writes to `<name>.downloading` as soon as the first byte is there. */
async function abortUnlessBegun(
  stalled: AbortController,
  directory: string,
  before: readonly string[],
  ended: AbortSignal,
): Promise<void> {
  for (let waited = 0; waited < START_DEADLINE_SECONDS; waited += POLL_SECONDS) {
    await sleep(POLL_SECONDS * 1000, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted || (await readdir(directory)).some((name) => !before.includes(name))) return;
  }
  stalled.abort(new Error(`nothing arrived within ${START_DEADLINE_SECONDS} s`));
}

/** The SDK's message repeats the address for each nested error; the last part is the cause. */
function lastCause(output: string): string | undefined {
  return /^Error: .*: (\S.*)$/m.exec(output)?.[1];
}
