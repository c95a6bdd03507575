import { readdir, readFile } from 'node:fs/promises';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { inject } from 'vitest';
import { freePorts } from '../../src/dev/free-port.ts';
import { addSearchAttributes } from '../../src/runtime/search-attributes.ts';

let metricsPort: number | undefined;

/** A time-skipping Temporal, shared by the tests of one file. */
export async function startTimeSkipping(
  testServerPath = inject('temporalTestServerPath'),
): Promise<TestWorkflowEnvironment> {
  await installRuntime();
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: testServerPath } },
  });
  await addSearchAttributes(env.connection, env.namespace ?? 'default');
  return env;
}

/** Once for a process: it can have one only. */
async function installRuntime(): Promise<void> {
  if (metricsPort !== undefined) return;
  const [port = 0] = await freePorts(1);
  metricsPort = port;
  const metrics = { prometheus: { bindAddress: `127.0.0.1:${port}` } };
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { metrics } });
}

/** What workers of this process say to Prometheus. */
export async function scrape(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  return response.text();
}

/**
 * Ends it. The SDK closes connections first and leaves the server running when one of them cannot be closed, as after a test
 * that was given up in the middle: then the server, which listens on a port of its own, is ended here.
 */
export async function stopTimeSkipping(
  env: TestWorkflowEnvironment,
  testServerPath = inject('temporalTestServerPath'),
): Promise<void> {
  const port = env.address.split(':').at(-1);
  try {
    await env.teardown();
  } finally {
    for (const pid of await readdir('/proc')) {
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (commandLine === `${testServerPath}\0${port}\0`) process.kill(Number(pid), 'SIGKILL');
    }
  }
}
