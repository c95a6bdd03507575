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

/** What workflows are tested with. */
export interface WorkflowTestPlaces {
  readonly bundlePath: string;
  readonly testServerPath: string;
}

/** Global set-up of the workflow tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { places, close } = await prepareWorkflowTests();
  project.provide('workflowBundlePath', places.bundlePath);
  project.provide('temporalTestServerPath', places.testServerPath);
  return close;
}

/** Finds the time-skipping server and bundles the workflows once. */
export async function prepareWorkflowTests(): Promise<{
  readonly places: WorkflowTestPlaces;
  readonly close: () => Promise<void>;
}> {
  const directory = await mkdtemp(join(tmpdir(), 'pcp-workflows-'));
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: silent });
  const bundlePath = join(directory, 'workflows.js');
  await writeFile(bundlePath, code);
  const testServerPath = await findTemporalProgram('temporal-test-server', readDevEnvironment(), () => {});
  return { places: { bundlePath, testServerPath }, close: async () => rm(directory, { recursive: true }) };
}

const nothing = (): void => {};
const silent = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
