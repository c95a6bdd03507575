import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobSpecSchema } from '../domain/job.ts';
import { answerOf, remoteCommand } from './remote-programs.ts';
import type { Submitted } from './slurm-gateway.ts';
import { decodeSubmission, encodeSubmission } from './slurm-protocol.ts';

/**
 * The program that runs on the head node, with programs in Slurm's place that answer from files. What real Slurm
 * does with it is for the contract suite.
 */
const epoch = 'e1';
const campaignId = 'c1';
const US = '\u001F';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'submit-'));
  await mkdir(join(home, 'bin'));
  await program('squeue', 'cat "$HOME/queue" 2>/dev/null || true');
  await program('sacct', 'echo asked >>"$HOME/asked"; cat "$HOME/accounting" 2>/dev/null || true');
  await program('sdiag', 'echo "DBD Agent queue size: 0"');
  // The id is the character code of the key: several may run at once.
  await program('sbatch', 'echo "$@" >>"$HOME/sbatch"; key=${2##*/}; printf "%d\\n" "\'$key"');
});
afterEach(async () => rm(home, { recursive: true }));

async function program(name: string, body: string): Promise<void> {
  await writeFile(join(home, 'bin', name), `#!/bin/bash\n${body}\n`, { mode: 0o755 });
}

async function linesOf(name: string): Promise<string[]> {
  const text = await readFile(join(home, name), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

const commentOf = (key: string) => `pcp/${epoch}/${campaignId}/${key}`;
const jobsOf = (keys: readonly string[]) =>
  keys.map((key) => ({ spec: jobSpecSchema.parse({ key, command: ['true'] }) }));

function start(keys: readonly string[]) {
  const env = {
    HOME: home,
    USER: 'sim',
    LOGNAME: 'sim',
    SHELL: '/bin/bash',
    PATH: `${home}/bin:/usr/bin:/bin`,
  };
  const child = spawn('/bin/bash', ['-c', remoteCommand('submit')], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(
    encodeSubmission({ epoch, home, sinceSeconds: 0 }, { campaignId, jobs: jobsOf(keys), defaultQueue: 'q' }),
  );
  return child;
}

async function submit(...keys: string[]): Promise<Submitted[]> {
  const child = start(keys);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  return decodeSubmission(answerOf(Buffer.concat(chunks))?.toString() ?? '', jobsOf(keys));
}

async function writeLedger(...lines: string[]): Promise<void> {
  const root = join(home, '.parallelcluster-provisioner', epoch);
  await mkdir(root, { recursive: true });
  await writeFile(join(root, 'ledger'), lines.map((line) => `${line}\n`).join(''));
}

/** A line of sacct, as the programs ask for it. */
const row = (jobId: string, state: string, submit: number, comment: string) =>
  `${[jobId, jobId, state, '0:0', 'None', submit, submit, submit, 'n1', 0, 'q', 'sim', 'name', comment].join(US)}\n`;

const secondsAgo = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;

describe('submission', () => {
  it('makes one job for each key and says its id', async () => {
    expect(await submit('a', 'b')).toEqual([
      { jobKey: 'a', status: 'submitted', jobId: '97' },
      { jobKey: 'b', status: 'submitted', jobId: '98' },
    ]);
    const folder = `${home}/.parallelcluster-provisioner/${epoch}/jobs/${campaignId}`;
    expect((await linesOf('sbatch')).toSorted()).toEqual(
      ['a', 'b'].map((key) => `--parsable --comment=${commentOf(key)} ${folder}/${key}/batch`),
    );
    expect((await stat(`${folder}/a`)).mode & 0o777).toBe(0o700);
    expect((await stat(`${folder}/a/exports`)).mode & 0o777).toBe(0o600);
    expect((await stat(`${home}/campaigns/${campaignId}/b`)).isDirectory()).toBe(true);
  });

  it('adopts what the queue knows', async () => {
    await writeFile(join(home, 'queue'), `7${US}${commentOf('a')}${US}\n8${US}pcp/e0/${campaignId}/b${US}\n`);
    expect((await submit('a', 'b')).map(({ status }) => status)).toEqual(['adopted', 'submitted']);
  });

  it('asks accounting when it has no ledger, and adopts what ended', async () => {
    await writeFile(join(home, 'accounting'), row('7', 'COMPLETED', 1000, commentOf('a')));
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('does not ask accounting about keys that its ledger has never tried', async () => {
    await submit('a');
    await submit('b');
    expect(await linesOf('asked')).toHaveLength(1);
  });

  it('makes a job for a key whose earlier attempt died before sbatch ran', async () => {
    await writeLedger(`try ${commentOf('a')}`);
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'submitted', jobId: '97' }]);
  });

  it('finds a job that ended although its sbatch never answered', async () => {
    await submit('z');
    await program(
      'sbatch',
      'echo "sbatch: error: Batch job submission failed: Socket timed out" >&2; exit 1',
    );
    await expect(submit('a')).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    await writeFile(join(home, 'accounting'), row('7', 'COMPLETED', 1000, commentOf('a')));
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('adopts by id and time of submission where accounting keeps no comments', async () => {
    const time = secondsAgo(3600);
    await writeLedger(`try ${commentOf('a')}`, `job ${commentOf('a')} 7 ${time}`);
    await writeFile(join(home, 'accounting'), row('7', 'FAILED', time - 1, ''));
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('makes the job again when Slurm lost it and used its id for another', async () => {
    const time = secondsAgo(3600);
    await writeLedger(`try ${commentOf('a')}`, `job ${commentOf('a')} 7 ${time}`);
    await writeFile(join(home, 'queue'), `7${US}${commentOf('b')}${US}\n`);
    await writeFile(
      join(home, 'accounting'),
      row('7', 'COMPLETED', time + 900, '') + row('8', 'RUNNING', time, ''),
    );
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'submitted', jobId: '97' }]);
  });

  it('trusts its ledger as long as accounting may lag behind', async () => {
    await writeLedger(`try ${commentOf('a')}`, `job ${commentOf('a')} 7 ${secondsAgo(3)}`);
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('reports Slurm’s refusal and goes on with the next job', async () => {
    await program(
      'sbatch',
      'case $* in */a/batch) echo "sbatch: error: Invalid partition name" >&2; exit 1;; esac; echo 5',
    );
    expect(await submit('a', 'b')).toEqual([
      { jobKey: 'a', status: 'rejected', message: 'Invalid partition name' },
      { jobKey: 'b', status: 'submitted', jobId: '5' },
    ]);
  });

  it.each([
    'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)',
    'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation',
    'sbatch: error: Batch job submission failed: Slurm backup controller in standby mode',
    'sbatch: error: Batch job submission failed: Protocol authentication error',
    'sbatch: error: If munged is up, restart with --num-threads=10',
  ])('takes "%s" for an outage and not for a refusal', async (message) => {
    await program('sbatch', `echo '${message}' >&2; exit 1`);
    await expect(submit('a')).rejects.toMatchObject({ type: 'SlurmUnavailable' });
  });

  it.each(['squeue', 'sacct'])('makes nothing when %s does not answer', async (name) => {
    await program(name, 'echo "it is down" >&2; exit 1');
    await expect(submit('a')).rejects.toMatchObject({
      type: 'SlurmUnavailable',
      message: expect.stringContaining(`${name}: it is down`) as unknown,
    });
    expect(await linesOf('sbatch')).toEqual([]);
  });

  it('is finished by whoever repeats it when the caller went after sbatch and before the answer', async () => {
    await program('sbatch', 'echo started >"$HOME/started"; sleep 0.3; echo "$@" >>"$HOME/sbatch"; echo 9');
    const child = start(['a', 'b']);
    await expect.poll(async () => linesOf('started')).toEqual(['started']);
    // What sshd does to the process group of a command when asked to kill it.
    child.stdout.destroy();
    child.kill('SIGKILL');
    await program('squeue', `[ -s "$HOME/sbatch" ] && echo "9${US}${commentOf('a')}${US}"; true`);
    expect((await submit('a')).map(({ status }) => status)).toEqual(['adopted']);
    expect((await linesOf('sbatch')).filter((line) => line.includes('/a/'))).toHaveLength(1);
  });

  it('fails when the request was cut off, without a job from half a script', async () => {
    const request = encodeSubmission(
      { epoch, home, sinceSeconds: 0 },
      { campaignId, jobs: jobsOf(['a']), defaultQueue: 'q' },
    );
    const env = {
      HOME: home,
      USER: 'sim',
      LOGNAME: 'sim',
      SHELL: '/bin/bash',
      PATH: `${home}/bin:/usr/bin:/bin`,
    };
    const child = spawn('/bin/bash', ['-c', remoteCommand('submit')], { env });
    child.stdin.end(request.subarray(0, -5));
    await once(child, 'close');
    expect(await linesOf('sbatch')).toEqual([]);
  });
});
