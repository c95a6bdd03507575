import { relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Teller } from './demo/teller.ts';
import { DevStackError } from './errors.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';
import { findLeftovers, type Finding, noTraces } from './leftovers.ts';
import { type LocalPlatform, RUNS_DIRECTORY, startLocalPlatform } from './local-platform.ts';
import { machineTraces } from './machine-traces.ts';
import { makeRunDirectory } from './run-directory.ts';

/** The kernel may take a moment to end what was killed. */
const VANISHING_SECONDS = 5;

/** What is done on a running platform. */
export interface LocalRun {
  readonly title: string;
  /** Whether head nodes have the wheels of NEURON. */
  readonly wheels: boolean;
  /** Resolves with whether all is well; rejects when it cannot go on, also by the signal. */
  use(platform: LocalPlatform, teller: Teller, signal: AbortSignal): Promise<boolean>;
}

/**
 * Starts the platform in a folder of its own, uses it, stops it, and proves that nothing of it is left on this
 * machine, however it ended. Returns the exit code: 0 when all is well, 1 when something is not, 128 + the number of
 * the signal that interrupted it.
 */
export async function runLocally(run: LocalRun): Promise<number> {
  const interruption = listenForInterruption();
  const teller = new Teller((text) => process.stdout.write(text));
  const directory = await makeRunDirectory(RUNS_DIRECTORY);
  const logs = relative(process.cwd(), directory);
  teller.line(`${run.title}\nLogs: ${logs}/logs\n`);
  try {
    const outcome = await attempt(run, directory, teller, interruption);
    const findings = await findMachineLeftovers(directory);
    teller.heading('Everything is stopped; what is left of it on this machine');
    teller.findings(findings);
    const isClean = findings.every(({ left }) => left.length === 0);
    if (outcome.problem !== undefined) {
      process.stderr.write(`\n${outcome.problem}\nLogs: ${logs}/logs\n`);
      return interruption.exitCode ?? 1;
    }
    const isGood = outcome.isGood && isClean;
    if (!isGood) process.stderr.write(`\nSomething is left, as marked above. Logs: ${logs}/logs\n`);
    return isGood ? 0 : 1;
  } finally {
    interruption.dispose();
  }
}

type Outcome =
  | { readonly isGood: boolean; readonly problem?: undefined }
  | { readonly problem: string; readonly isGood: false };

/** Never rejects: whatever happens, what is left must be looked for. */
async function attempt(
  run: LocalRun,
  directory: string,
  teller: Teller,
  { signal }: Interruption,
): Promise<Outcome> {
  try {
    const { wheels } = run;
    const platform = await startLocalPlatform({ directory, wheels, output: process.stdout, signal });
    try {
      return await useWhileItRuns(run, platform, teller, signal);
    } finally {
      if (signal.aborted) teller.line('\nInterrupted, stopping …');
      await platform.close();
    }
  } catch (error) {
    if (signal.aborted) return { isGood: false, problem: 'Interrupted.' };
    return { isGood: false, problem: inWords(error) };
  }
}

/** Ends the use when a process that it needs has ended: with such a platform nothing can come out. */
async function useWhileItRuns(
  run: LocalRun,
  platform: LocalPlatform,
  teller: Teller,
  interruption: AbortSignal,
): Promise<Outcome> {
  const failure = new AbortController();
  const signal = AbortSignal.any([interruption, failure.signal]);
  let isOver = false;
  const watch = async (): Promise<void> => {
    const error = await platform.failed;
    if (isOver || signal.aborted) return;
    teller.line(`\n✖ ${error.message}\nStopping everything …`);
    failure.abort(error);
  };
  void watch();
  try {
    const isGood = await run.use(platform, teller, signal);
    failure.signal.throwIfAborted();
    return { isGood };
  } catch (error) {
    // What the use says of it is only what follows.
    failure.signal.throwIfAborted();
    throw error;
  } finally {
    isOver = true;
  }
}

/** Expected failures say what to do; anything else is a bug and keeps its stack. */
function inWords(error: unknown): string {
  if (error instanceof DevStackError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What a run that was closed still has on this machine. */
async function findMachineLeftovers(directory: string): Promise<readonly Finding[]> {
  const deadline = Date.now() + VANISHING_SECONDS * 1000;
  for (;;) {
    const findings = findLeftovers(noTraces, await machineTraces(directory));
    if (findings.every(({ left }) => left.length === 0) || Date.now() > deadline) return findings;
    await sleep(100);
  }
}
