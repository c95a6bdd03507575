import { join, relative } from 'node:path';
import { Closers } from './closers.ts';
import { readDevEnvironment } from './environment.ts';
import { DevStackError } from './errors.ts';
import { startHeadNodePool, startHeadNodePoolWithWheels } from './head-node-pool.ts';
import { RUN_VARIABLE } from './machine-traces.ts';
import type { ManagedProcess } from './managed-process.ts';
import { type Product, startProduct } from './product.ts';
import { withProgress } from './progress.ts';
import { STACK_COMPONENTS, type Stack, startStack } from './stack.ts';
import { type Output, showStart } from './start-display.ts';

/** Where runs have their folders: in the clone, ignored by git. */
export const RUNS_DIRECTORY = join(import.meta.dirname, '..', '..', '.dev');

const PRODUCT_COMPONENT = 'API and worker';

export interface LocalPlatformOptions {
  /** The run's folder, from `makeRunDirectory`. */
  readonly directory: string;
  /** Whether head nodes have the wheels of NEURON. */
  readonly wheels: boolean;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** The stack with the product on it. */
export interface LocalPlatform {
  readonly stack: Stack;
  readonly product: Product;
  /** Resolves once the worker, the API or Temporal has ended, with which it was, how, and what to do. */
  readonly failed: Promise<DevStackError>;
  /** Stops everything. */
  close(): Promise<void>;
}

/**
 * Starts the embedded stack and the product on it, showing how it goes.
 *
 * @throws the first failure, or the reason of `signal`; everything is stopped then.
 */
export async function startLocalPlatform(options: LocalPlatformOptions): Promise<LocalPlatform> {
  const { directory, signal, output } = options;
  const display = showStart([...STACK_COMPONENTS, PRODUCT_COMPONENT], output);
  const environment = readDevEnvironment();
  const closers = new Closers();
  const announce = (): void => display.announce('Interrupted, stopping …');
  signal.addEventListener('abort', announce);
  try {
    const stack = await startStack({
      directory,
      environment: { ...environment, inherited: { ...environment.inherited, [RUN_VARIABLE]: directory } },
      headNodes: options.wheels ? startHeadNodePoolWithWheels : startHeadNodePool,
      onProgress: display.report,
      signal,
    });
    closers.add(async () => stack.close());
    const product = await withProgress(
      display.report,
      PRODUCT_COMPONENT,
      async () => startProduct(stack, {}, signal),
      ({ apiUrl }) => `${apiUrl}/docs`,
      signal,
    );
    closers.add(async () => product.close());
    signal.throwIfAborted();
    const failed = firstEnd({ worker: product.worker, API: product.api, Temporal: stack.temporal });
    return { stack, product, failed, close: async () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', announce);
    await display.end();
  }
}

async function firstEnd(processes: Readonly<Record<string, ManagedProcess>>): Promise<DevStackError> {
  const ends = Object.entries(processes).map(async ([name, { ended, logFile }]) => {
    const how = await ended;
    return new DevStackError(name, `the process ${how} while it was in use`, {
      nextStep: `Read ${relative(process.cwd(), logFile)}, then start again`,
      logFile,
    });
  });
  return Promise.race(ends);
}
