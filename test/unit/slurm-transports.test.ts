import { beforeEach, describe, expect, it } from 'vitest';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SlurmTransports } from '../../src/clients/slurm-transports.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import type { JobTransport } from '../../src/domain/slurm-api-spec.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';

const campaignId = 'a'.repeat(26);
const spec = jobSpecSchema.parse({ key: 'a', command: ['sleep', '60'] });
const submission = { campaignId, jobs: [{ spec }], defaultQueue: 'debug' };
const outage = new KnownFailure('HeadNodeUnreachable', 'no answer');

let ssh: FakeSlurmGateway;
let rest: FakeSlurmGateway;
let transports: SlurmTransports;
beforeEach(() => {
  ssh = new FakeSlurmGateway();
  rest = new FakeSlurmGateway();
  transports = new SlurmTransports({ ssh, rest });
});

function headNode(jobsOver?: JobTransport): HeadNode {
  const slurmApi = jobsOver && {
    port: 6820,
    certificateSha256: 'ab'.repeat(32),
    trust: 'epoch-key' as const,
    jobsOver,
    signingKeySecretArn: 'arn:signing',
  };
  const address = { address: '10.0.0.1', port: 22, user: 'sim', hostKey: ssh.hostKey };
  return {
    epoch: 'e1',
    access: { ...address, privateKeySecretArn: 'arn:key', ...(slurmApi && { slurmApi }) },
  };
}

const jobsOf = async (gateway: FakeSlurmGateway) => (await gateway.observe(headNode(), {})).facts.length;

describe('jobs', () => {
  it.each([
    ['over SSH where a cluster has no REST API', undefined, [1, 0]],
    ['over SSH where the record says so', 'ssh', [1, 0]],
    ['over slurmrestd where the record says so', 'slurmrestd', [0, 1]],
  ] as const)('go %s', async (_, jobsOver, [overSsh, overRest]) => {
    const head = headNode(jobsOver);
    expect(await transports.ping(head)).toMatchObject({ partitions: [{ name: 'debug' }] });
    await transports.submit(head, submission);
    expect([await jobsOf(ssh), await jobsOf(rest)]).toEqual([overSsh, overRest]);
    expect((await transports.observe(head, {})).facts).toHaveLength(1);
    await transports.cancel(head, {});
    expect((await transports.observe(head, {})).facts).toMatchObject([{ state: 'CANCELLED' }]);
  });

  it('are never said to be none because one transport is away while the other answers', async () => {
    const head = headNode('slurmrestd');
    rest.outage = outage;
    await expect(transports.ping(head)).rejects.toBe(outage);
    await expect(transports.observe(head, {})).rejects.toBe(outage);
    await expect(transports.submit(head, submission)).rejects.toBe(outage);
    await expect(transports.cancel(head, {})).rejects.toBe(outage);
    expect(await jobsOf(ssh)).toBe(0);
  });
});

describe('terminals', () => {
  it('are seen over SSH, also where jobs go over slurmrestd', async () => {
    ssh.interactiveSessions = 2;
    expect((await transports.observe(headNode('slurmrestd'), {})).interactiveSessions).toBe(2);
  });

  it('are counted without a question to Slurm over SSH', async () => {
    ssh.observe = async () => Promise.reject(new Error('asked Slurm over SSH'));
    expect((await transports.observe(headNode('slurmrestd'), {})).interactiveSessions).toBe(0);
  });

  it('are unknown while SSH does not answer, which hides no jobs', async () => {
    const head = headNode('slurmrestd');
    await transports.submit(head, submission);
    ssh.outage = outage;
    expect(await transports.observe(head, {})).toMatchObject({
      facts: [{ state: 'RUNNING' }],
      interactiveSessions: undefined,
    });
  });

  it('do not swallow a defect, nor an end that was asked for', async () => {
    const head = headNode('slurmrestd');
    ssh.countSessions = async () => Promise.reject(new TypeError('a defect'));
    await expect(transports.observe(head, {})).rejects.toThrow('a defect');
    const aborted = AbortSignal.abort(new Error('not needed'));
    await expect(transports.observe(head, {}, { signal: aborted })).rejects.toThrow('not needed');
  });
});

describe('connections', () => {
  it('of both transports are forgotten and closed', () => {
    transports.disconnect('e1');
    transports.close();
    expect(ssh.disconnected).toEqual(['e1', 'all']);
    expect(rest.disconnected).toEqual(['e1', 'all']);
  });
});
