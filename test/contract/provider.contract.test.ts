import { setTimeout as sleep } from 'node:timers/promises';
import { CreateKeyPairCommand } from '@aws-sdk/client-ec2';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { configuration, ProviderRig } from './provider-rig.ts';

let rig: ProviderRig;

beforeAll(async () => {
  rig = await ProviderRig.start();
  await rig.clients.ec2.send(new CreateKeyPairCommand({ KeyName: 'admin', KeyType: 'ed25519' }));
  const script = { Bucket: rig.seeded.controlBucket, Key: 'setup.sh', Body: '#!/bin/sh\n' };
  await rig.clients.s3.send(new PutObjectCommand(script));
});

afterEach(() => {
  rig.headNodes.stopped.length = 0;
  const left = [...rig.headNodes.running.keys()];
  if (left.length > 0) throw new Error(`head nodes left by the test: ${left.join(', ')}`);
});

afterAll(async () => rig?.close());

/** What an outer stack's outputs say about its cluster. */
const outputs = async (stack: string) => (await rig.stack(stack))?.outputs;

describe('creating a cluster', () => {
  it('starts a head node with the key of EC2 and the script of S3, and tells its address', async () => {
    const setup = { Script: `s3://${rig.seeded.controlBucket}/setup.sh`, Args: ['sim'] };
    await rig.create('outer', configuration({ onNodeConfigured: setup }), 'c1');
    expect(await rig.settled('outer')).toBe('CREATE_COMPLETE');
    expect(rig.headNodes.running.get('c1')).toEqual({
      clusterName: 'c1',
      adminUser: 'ec2-user',
      adminPublicKey: expect.stringMatching(/^ssh-ed25519 \S+/),
      queues: [
        {
          name: 'debug',
          maxTimeSeconds: 86_400,
          computeResources: [{ name: 't3', instanceType: 't3.micro', minCount: 0, maxCount: 8 }],
        },
      ],
      onNodeStart: [],
      onNodeConfigured: [
        { name: setup.Script, content: new Uint8Array(Buffer.from('#!/bin/sh\n')), args: ['sim'] },
      ],
      customSlurmSettings: { SelectTypeParameters: 'CR_CPU' },
      s3EndpointUrl: expect.stringMatching(/^http:/),
    });
    expect(await outputs('outer')).toEqual({
      Address: '127.0.1.1',
      ClusterName: 'c1',
      ClusterStatus: 'CREATE_COMPLETE',
      ClusterStackArn: expect.stringContaining(':stack/c1/'),
      ValidationMessages: '[]',
    });
    await rig.delete('outer');
  });

  it('shows the cluster as a stack of its own, with the tags of the outer one', async () => {
    await rig.create('outer', configuration(), 'c1', [{ Key: 'lab', Value: 'v1' }]);
    await rig.settled('outer');
    expect((await rig.stack('c1'))?.tags).toMatchObject({ lab: 'v1', 'parallelcluster:cluster-name': 'c1' });
    await rig.delete('outer');
    expect(await rig.stack('c1')).toBeUndefined();
  });

  it('does several at a time', async () => {
    const names = ['a1', 'a2', 'a3'];
    await Promise.all(names.map(async (name) => rig.create(`outer-${name}`, configuration(), name)));
    const states = await Promise.all(names.map(async (name) => rig.settled(`outer-${name}`)));
    expect(states).toEqual(['CREATE_COMPLETE', 'CREATE_COMPLETE', 'CREATE_COMPLETE']);
    expect([...rig.headNodes.running.keys()].toSorted()).toEqual(names);
    await Promise.all(names.map(async (name) => rig.delete(`outer-${name}`)));
  });

  it("fails on what ParallelCluster's own schema refuses, with the end of its reasons", async () => {
    await rig.create('outer', { ...configuration(), Scheduler: 'slurm' }, 'c1');
    expect(await rig.settled('outer')).toBe('ROLLBACK_COMPLETE');
    const reason = await rig.failureReason('outer');
    expect(reason).toContain("[('Scheduler', ['Unknown field.'])]");
    expect(reason).toContain('Invalid cluster configuration.');
    expect(await rig.stack('c1')).toBeUndefined();
    await rig.delete('outer');
  });

  it('fails on a name that any stack has already, and leaves that stack alone', async () => {
    await rig.create('outer', configuration(), 'c1');
    await rig.settled('outer');
    await rig.create('other', configuration(), 'c1');
    expect(await rig.settled('other')).toBe('ROLLBACK_COMPLETE');
    expect(await rig.failureReason('other')).toContain('Cluster c1 already exists.');
    expect(rig.headNodes.running.has('c1')).toBe(true);
    await rig.delete('outer');
    await rig.delete('other');
  });

  it('fails when the head node does not start, and leaves nothing', async () => {
    rig.headNodes.failNextStart = true;
    await rig.create('outer', configuration(), 'c1');
    expect(await rig.settled('outer')).toBe('ROLLBACK_COMPLETE');
    expect(await rig.failureReason('outer')).toContain('c1: HeadNodeBootstrapFailure (LogGroup: ');
    expect(await rig.stack('c1')).toBeUndefined();
    await rig.delete('outer');
  });

  it('can be held, and then fails or goes on', async () => {
    const release = rig.provider.faults.hold('Create');
    rig.provider.faults.failNext('Create', 'InsufficientInstanceCapacity');
    await rig.create('outer', configuration(), 'c1');
    await sleep(500);
    expect((await rig.stack('outer'))?.status).toBe('CREATE_IN_PROGRESS');
    release();
    expect(await rig.settled('outer')).toBe('ROLLBACK_COMPLETE');
    expect(await rig.failureReason('outer')).toContain('InsufficientInstanceCapacity');
    await rig.delete('outer');
  });
});

describe('updating a cluster', () => {
  const queues = () => rig.headNodes.running.get('c1')?.queues.map(({ name }) => name);

  it('puts further queues into force, and back when that fails', async () => {
    await rig.create('outer', configuration(), 'c1');
    await rig.settled('outer');
    await rig.update('outer', configuration({ queues: ['debug', 'prod'] }), 'c1');
    expect(await rig.settled('outer')).toBe('UPDATE_COMPLETE');
    expect(queues()).toEqual(['debug', 'prod']);
    expect(await outputs('outer')).toMatchObject({ ClusterStatus: 'UPDATE_COMPLETE' });
    rig.headNodes.failNextUpdate = true;
    await rig.update('outer', configuration({ queues: ['debug', 'prod', 'bad'] }), 'c1');
    expect(await rig.settled('outer')).toBe('UPDATE_ROLLBACK_COMPLETE');
    expect(queues()).toEqual(['debug', 'prod']);
    expect(rig.headNodes.stopped).toEqual([]);
    await rig.delete('outer');
  });

  it('is refused by ParallelCluster’s own policies where no node may run for it', async () => {
    await rig.create('outer', configuration(), 'c1');
    await rig.settled('outer');
    await rig.update('outer', configuration({ maxCount: 4 }), 'c1');
    expect(await rig.settled('outer')).toBe('UPDATE_ROLLBACK_COMPLETE');
    expect(await rig.failureReason('outer')).toContain('All compute nodes must be stopped');
    expect(rig.headNodes.running.get('c1')?.queues[0]?.computeResources[0]?.maxCount).toBe(8);
    await rig.delete('outer');
  });
});

describe('deleting a cluster', () => {
  it('can fail, keeping the cluster, and be tried again', async () => {
    await rig.create('outer', configuration(), 'c1');
    await rig.settled('outer');
    rig.provider.faults.failNext('Delete', 'the network interface is in use');
    await rig.requestDelete('outer');
    expect(await rig.settled('outer')).toBe('DELETE_FAILED');
    expect(await rig.failureReason('outer')).toContain('the network interface is in use');
    expect(rig.headNodes.running.has('c1')).toBe(true);
    await rig.delete('outer');
    expect(await rig.stack('outer')).toBeUndefined();
    expect(await rig.stack('c1')).toBeUndefined();
  });

  it('undoes a creation that was under way when its stack was deleted', async () => {
    const release = rig.provider.faults.hold('Create');
    await rig.create('outer', configuration(), 'c1');
    await sleep(500);
    await rig.delete('outer');
    release();
    await expect.poll(() => rig.headNodes.stopped, { timeout: 5000 }).toContain('c1');
    await expect.poll(async () => rig.stack('c1'), { timeout: 5000 }).toBeUndefined();
  });

  it('succeeds when the cluster is already gone', async () => {
    await rig.create('outer', configuration(), 'c1');
    await rig.settled('outer');
    await rig.clusters.delete('c1');
    await rig.delete('outer');
    expect(await rig.stack('outer')).toBeUndefined();
  });
});
