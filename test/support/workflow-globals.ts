import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import type { TestProject } from 'vitest/node';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { findTemporalProgram } from '../../src/dev/temporal-binaries.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The workflow bundle, made once for all files. */
    workflowBundlePath: string;
    temporalTestServerPath: string;
    recordHistories: boolean;
  }
}

/** Global set-up of the workflow tests: finds the time-skipping server and bundles the workflows once. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'pcp-workflows-'));
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: silent });
  const bundlePath = join(directory, 'workflows.js');
  await writeFile(bundlePath, code);
  project.provide('workflowBundlePath', bundlePath);
  const program = await findTemporalProgram('temporal-test-server', readDevEnvironment(), () => {});
  project.provide('temporalTestServerPath', program);
  return async () => rm(directory, { recursive: true });
}

const nothing = (): void => {};
const silent = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
