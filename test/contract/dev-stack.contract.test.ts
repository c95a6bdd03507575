import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { CreateKeyPairCommand, EC2Client } from '@aws-sdk/client-ec2';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { startHeadNodePoolWithWheels } from '../../src/dev/head-node-pool.ts';
import type { ProgressEvent } from '../../src/dev/progress.ts';
import { startStack } from '../../src/dev/stack.ts';
import { mountsNaming } from '../support/node-traces.ts';
import { configuration, outerTemplate } from './provider-rig.ts';

const devModule = (name: string) =>
  JSON.stringify(join(import.meta.dirname, '..', '..', 'src', 'dev', `${name}.ts`));
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stack-contract-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

describe('the embedded stack', () => {
  it('gives a cluster with a real head node to clients configured by its environment, and leaves nothing', async () => {
    const events: ProgressEvent[] = [];
    const stack = await startStack({ directory, onProgress: (event) => events.push(event) });
    try {
      for (const [name, value] of Object.entries(stack.env)) vi.stubEnv(name, value);
      const address = await createCluster(stack.env['PCLUSTER_PROVIDER_ARN'] ?? '');
      expect(address).toMatch(/^127\.0\.1\.\d+$/);
      await expect(greeting(address, 22)).resolves.toMatch(/^SSH-2\.0-OpenSSH/);
    } finally {
      await stack.close();
    }
    expect(
      events
        .filter(({ status }) => status === 'ready')
        .map(({ component }) => component)
        .toSorted(),
    ).toEqual(['AWS emulators', 'AWS foundation', 'ParallelCluster', 'Temporal', 'head nodes']);
    expect(await processesNaming(directory)).toEqual([]);
    expect(await mountsNaming(directory)).toEqual([]);
  });

  it('stops every other part when one does not start, and says which', async () => {
    const environment = { ...readDevEnvironment(), temporalCliPath: '/bin/false' };
    const events: ProgressEvent[] = [];
    const started = startStack({ directory, environment, onProgress: (event) => events.push(event) });
    await expect(started).rejects.toThrow(`Read ${join(directory, 'logs', 'temporal.log')}`);
    expect(events.filter(({ status }) => status === 'failed').map(({ component }) => component)).toEqual([
      'Temporal',
    ]);
    expect(await processesNaming(directory)).toEqual([]);
  });

  it.runIf(inject('fullTests'))(
    'needs no network but loopback, with the product and the wheels of NEURON, once the cache is warm',
    async () => {
      const onProgress = (): void => {};
      const warming = await startStack({ directory, onProgress, headNodes: startHeadNodePoolWithWheels });
      await warming.close();
      const script = `
      import { startHeadNodePoolWithWheels as headNodes } from ${devModule('head-node-pool')};
      import { startProduct } from ${devModule('product')};
      import { startStack } from ${devModule('stack')};
      const directory = ${JSON.stringify(join(directory, 'offline'))};
      const stack = await startStack({ directory, headNodes, onProgress: () => {} });
      const product = await startProduct(stack);
      console.log('ready');
      await product.close();
      await stack.close();`;
      const offline = ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
      const node = [process.execPath, '--input-type=module-typescript', '-e', script];
      const { stdout } = await execa('unshare', [...offline, ...node]);
      expect(stdout).toBe('ready');
    },
  );

  it('leaves no process and no mount when it is killed', async () => {
    const script = `
      import { startStack } from ${devModule('stack')};
      await startStack({ directory: ${JSON.stringify(directory)}, onProgress: () => {} });
      console.log('up');`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(await processesNaming(join(directory, 'tmp'))).not.toEqual([]);
    child.kill('SIGKILL');
    await expect.poll(async () => processesNaming(join(directory, 'tmp')), { timeout: 5000 }).toEqual([]);
    await expect.poll(async () => processesNaming(join(directory, 'state')), { timeout: 5000 }).toEqual([]);
    await expect.poll(async () => mountsNaming(directory), { timeout: 5000 }).toEqual([]);
  });
});

/** Returns the head node's address. */
async function createCluster(serviceToken: string): Promise<string> {
  await new EC2Client().send(new CreateKeyPairCommand({ KeyName: 'admin', KeyType: 'ed25519' }));
  const client = new CloudFormationClient();
  const StackName = 'outer';
  const TemplateBody = outerTemplate(serviceToken, configuration(), 'contract');
  await client.send(new CreateStackCommand({ StackName, TemplateBody }));
  await waitUntilStackCreateComplete({ client, minDelay: 1, maxDelay: 1, maxWaitTime: 60 }, { StackName });
  const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
  const output = Stacks?.[0]?.Outputs?.find(({ OutputKey }) => OutputKey === 'Address');
  return output?.OutputValue ?? '';
}

/** The first line that a server says. */
async function greeting(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  const [data]: unknown[] = await once(socket, 'data');
  socket.destroy();
  return String(data);
}

/** Process ids whose command line or environment names a path. */
async function processesNaming(path: string): Promise<string[]> {
  const names = async (pid: string): Promise<boolean> => {
    const texts = ['cmdline', 'environ'].map((file) =>
      readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''),
    );
    return (await Promise.all(texts)).some((text) => text.includes(path));
  };
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(pids.map(async (pid) => ((await names(pid)) ? [pid] : [])));
  return found.flat();
}
