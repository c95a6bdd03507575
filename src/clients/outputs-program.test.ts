import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeOutputs, encodeForgetting, encodeListing } from './job-outputs-protocol.ts';
import { answerOf, remoteCommand } from './remote-programs.ts';
import type { JobOutput } from './slurm-gateway.ts';

const epoch = 'e1';
const campaignId = 'a'.repeat(26);

let home: string;
let root: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'outputs-'));
  root = join(home, '.parallelcluster-provisioner', epoch);
  await mkdir(join(root, 'running'), { recursive: true });
});
afterEach(async () => rm(home, { recursive: true }));

async function run(request: string): Promise<JobOutput[]> {
  const env = { HOME: home, USER: 'sim', LOGNAME: 'sim', SHELL: '/bin/bash', PATH: '/usr/bin:/bin' };
  const child = spawn('/bin/bash', ['-c', remoteCommand('outputs')], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Not ended, as over SSH: the program must know where its input ends.
  child.stdin.write(request);
  await once(child, 'close');
  return decodeOutputs(answerOf(Buffer.concat(chunks)) ?? Buffer.alloc(0));
}

async function startJob(jobKey: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
  await writeFile(join(root, 'running', `${campaignId}:${jobKey}`), '');
  const folder = join(root, 'jobs', campaignId, jobKey);
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

describe('the outputs of jobs', () => {
  it('are listed with their sizes, for jobs that have started', async () => {
    await startJob('a', { stdout: 'abc', stderr: '' });
    await startJob('b-2.x');
    await mkdir(join(root, 'jobs', campaignId, 'not-started'), { recursive: true });
    expect(await run(encodeListing(epoch))).toEqual([
      { campaignId, jobKey: 'a', stdoutBytes: 3, stderrBytes: 0 },
      { campaignId, jobKey: 'b-2.x' },
    ]);
  });

  it('are none where nothing has started yet, or no folder was made', async () => {
    expect(await run(encodeListing(epoch))).toEqual([]);
    expect(await run(encodeListing('e2'))).toEqual([]);
  });

  it('that are links, pipes or folders have no size', async () => {
    await startJob('a', { stderr: 'x' });
    await symlink('/etc/hostname', join(root, 'jobs', campaignId, 'a', 'stdout'));
    await startJob('b');
    await mkdir(join(root, 'jobs', campaignId, 'b', 'stdout'));
    expect(await run(encodeListing(epoch))).toEqual([
      { campaignId, jobKey: 'a', stderrBytes: 1 },
      { campaignId, jobKey: 'b' },
    ]);
  });

  it('leave out what a job has put among the markers', async () => {
    await startJob('a', { stdout: 'abc' });
    const foreign = [
      'x',
      `${campaignId}:../a`.replace('/', '⁄'),
      `${campaignId}:a b`,
      'short:a',
      '$(id):a',
      'a:b:c',
    ];
    for (const name of [...foreign, `${campaignId}:a\ndone`, `${campaignId}:-`]) {
      await writeFile(join(root, 'running', name), '');
    }
    expect(await run(encodeListing(epoch))).toEqual([{ campaignId, jobKey: 'a', stdoutBytes: 3 }]);
  });

  it('are no longer listed when they are forgotten; forgetting again is harmless', async () => {
    for (const key of ['a', 'b', 'c']) await startJob(key, { stdout: 'abc' });
    const forget = encodeForgetting(
      epoch,
      ['a', 'c', 'unknown'].map((jobKey) => ({ campaignId, jobKey })),
    );
    await run(forget);
    await run(forget);
    expect((await run(encodeListing(epoch))).map(({ jobKey }) => jobKey)).toEqual(['b']);
    expect(await readdir(join(root, 'jobs', campaignId))).toEqual(['a', 'b', 'c']);
    await run(encodeForgetting('e2', [{ campaignId, jobKey: 'a' }]));
  });

  it('are unknown when the answer was cut off', () => {
    expect(() => decodeOutputs(Buffer.from(`job ${campaignId}:a\n`))).toThrow('cut off');
  });
});
