import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { inject } from 'vitest';
import { addSearchAttributes } from '../../src/runtime/search-attributes.ts';

let runtimeInstalled = false;

/** A time-skipping Temporal, shared by the tests of one file. */
export async function startTimeSkipping(
  testServerPath = inject('temporalTestServerPath'),
): Promise<TestWorkflowEnvironment> {
  if (!runtimeInstalled) Runtime.install({ logger: new DefaultLogger('ERROR') });
  runtimeInstalled = true;
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: testServerPath } },
  });
  await addSearchAttributes(env.connection, env.namespace ?? 'default');
  return env;
}
