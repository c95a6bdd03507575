import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

const DOWNLOADER = join(import.meta.dirname, 'temporal-sdk-downloader.ts');
/** Behind a firewall that drops packets nothing ever starts; two seconds are ample for a server that answers. */
const START_DEADLINE_SECONDS = 5;
/** About 50 MB, once. */
const DOWNLOAD_DEADLINE_SECONDS = 300;
const POLL_SECONDS = 0.2;

/**
 * Lets the Temporal SDK download one of its servers into `directory`.
 *
 * @throws Error when no byte has arrived after a few seconds, or the download fails.
 */
export async function downloadBySdk(program: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const before = await readdir(directory);
  const stalled = new AbortController();
  const download = execa(process.execPath, [DOWNLOADER, program, directory], {
    timeout: DOWNLOAD_DEADLINE_SECONDS * 1000,
    cancelSignal: stalled.signal,
    reject: false,
  });
  const started = await Promise.race([download.then(() => true), hasNewFile(directory, before)]);
  if (!started) stalled.abort();
  const result = await download;
  if (result.isCanceled) throw new Error(`nothing arrived within ${START_DEADLINE_SECONDS} s`);
  if (result.failed) throw new Error(lastCause(result.stderr) ?? result.shortMessage);
}

/** The SDK writes to `<name>.downloading` as soon as the first byte is there. */
async function hasNewFile(directory: string, before: readonly string[]): Promise<boolean> {
  for (let waited = 0; waited < START_DEADLINE_SECONDS; waited += POLL_SECONDS) {
    await sleep(POLL_SECONDS * 1000);
    if ((await readdir(directory)).some((name) => !before.includes(name))) return true;
  }
  return false;
}

/** The SDK's message repeats the address for each nested error; the last part is the cause. */
function lastCause(stderr: string): string | undefined {
  return /^Error: .*: (\S.*)$/m.exec(stderr)?.[1];
}
