import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimKey } from './job-claim.ts';
import { shellQuote } from './shell-quote.ts';

const run = promisify(execFile);
const COMMENT = "pcp/e1/c1/it's";

let root: string;
let jobDirectory: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'claim-'));
  jobDirectory = join(root, "a job's");
  await mkdir(join(root, 'bin'));
  await mkdir(jobDirectory);
  await answer('squeue', 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1');
  await answer('sacct', 'exit 0');
  await answer('scontrol', `printf '%s\n' "$@" >>${root}/scontrol-calls`);
});
afterEach(async () => rm(root, { recursive: true, force: true }));

/** Puts a program of Slurm in the job's way. */
async function answer(program: string, body: string): Promise<void> {
  const path = join(root, 'bin', program);
  await writeFile(path, `#!/bin/bash\n${body}\n`);
  await chmod(path, 0o755);
}

/** Whether the program of a job with this id runs. */
async function start(jobId: string): Promise<boolean> {
  const PATH = `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`;
  const script = `${claimKey(shellQuote(jobDirectory), COMMENT)}\necho program\n`;
  const { stdout } = await run('bash', ['-c', script], { env: { PATH, SLURM_JOB_ID: jobId } });
  return stdout === 'program\n';
}

const owner = async () => (await readFile(join(jobDirectory, 'claim'), 'utf8')).trim();
const queueHas = async (jobId: string) =>
  answer('squeue', `[[ "$*" == *--jobs=${jobId}* ]] && echo "${COMMENT}"`);

describe('the claim of a key', () => {
  it('lets the first job run, and the same job again when it was requeued', async () => {
    expect(await start('5')).toBe(true);
    expect(await owner()).toBe('5');
    expect(await start('5')).toBe(true);
    expect(await readdir(jobDirectory)).toEqual(['claim']);
  });

  it('ends a second job without running the program, and takes the key out of its comment', async () => {
    await start('5');
    await queueHas('5');
    expect(await start('6')).toBe(false);
    expect(await owner()).toBe('5');
    const calls = await readFile(join(root, 'scontrol-calls'), 'utf8');
    expect(calls).toBe('update\nJobId=6\nComment=A second job of its key: it did not run\n');
  });

  it('ends a second job also when the first has ended so long ago that only accounting knows it', async () => {
    await start('5');
    await answer('sacct', `echo "COMPLETED|${COMMENT}"`);
    expect(await start('6')).toBe(false);
  });

  it('is taken over from a job that Slurm lost, also where its id is another job’s now', async () => {
    await start('5');
    await answer('squeue', 'echo pcp/e1/c1/another');
    await answer('sacct', 'printf "RUNNING|\\nCOMPLETED|pcp/e1/c1/another\\n"');
    expect(await start('6')).toBe(true);
    expect(await owner()).toBe('6');
  });

  it('is waited for while Slurm does not answer', async () => {
    await start('5');
    await answer('sleep', `touch ${root}/is-up`);
    const down = 'echo "Unable to contact slurm controller" >&2; exit 1';
    await answer('squeue', `[ -e ${root}/is-up ] || { ${down}; }; echo "${COMMENT}"`);
    expect(await start('6')).toBe(false);
  });

  it('goes to one of many jobs that start at once', async () => {
    await answer('squeue', `echo "${COMMENT}"`);
    const started = await Promise.all(Array.from({ length: 8 }, async (_, id) => start(String(id + 1))));
    expect(started.filter(Boolean)).toHaveLength(1);
  });

  it('never keeps a job from running where it cannot be written', async () => {
    await rm(jobDirectory, { recursive: true });
    expect(await start('5')).toBe(true);
  });
});
