import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canaries, hostileJobs } from '../../test/support/hostile-jobs.ts';
import { expectAlwaysInTime } from '../../test/support/properties.ts';
import { RemoteHome, secondsAgo } from '../../test/support/remote-home.ts';
import { jobComment } from '../domain/ids.ts';
import { jobSpecSchema } from '../domain/job.ts';
import type { JobSpecInput } from '../domain/job.ts';
import { arrayPaths, jobPaths, renderJobFiles } from '../domain/sbatch.ts';
import { remoteCommand } from './remote-programs.ts';
import { decodeSubmission, encodeSubmission } from './slurm-protocol.ts';

/* What a caller writes, from the validated specification to the arguments of every program on the head node. */
const epoch = 'e1';
const campaignId = 'c1';
/** Every program that submit.sh starts, but Slurm's own. */
const TOOLS = ['env', 'bash', 'setsid', 'awk', 'id', 'mkdir', 'flock', 'xargs', 'sync', 'sleep'];
const OPTION =
  /^--(parsable|comment=pcp\/e1\/c1\/[A-Za-z0-9_.-]+|array=[0-9,:-]+(%[0-9]+)?|dependency=afterok:[0-9]+|kill-on-invalid-dep=yes)$/;

let home: RemoteHome;

beforeEach(async () => {
  home = await RemoteHome.make();
  const record = `printf '%s\\0' "\${0##*/}" "$@" $'\\n' >>"${home.path}/arguments"`;
  for (const tool of TOOLS) await home.program(tool, `${record}; exec /usr/bin/${tool} "$@"`);
  for (const name of ['squeue', 'sacct']) await home.program(name, record);
  await home.program('scontrol', `${record}; echo "BOOT_TIME               = ${secondsAgo(86_400)}"`);
  await home.program('sdiag', `${record}; echo "DBD Agent queue size: 0"`);
  await home.program(
    'sbatch',
    `${record}; key=\${2##*/}; /usr/bin/cat >"$HOME/batch-of-$key"; printf '%s\\0' "$@" >"$HOME/options-of-$key"; echo 7`,
  );
});
afterEach(async () => home.remove());

/** Submits jobs by the real program; answers what each program was started with. */
async function commandLinesOf(inputs: readonly JobSpecInput[]): Promise<string> {
  await rm(join(home.path, 'arguments'), { force: true });
  await rm(join(home.path, '.parallelcluster-provisioner'), { recursive: true, force: true });
  const jobs = inputs.map((input, index) => {
    const on = inputs[index - 1];
    const spec = jobSpecSchema.parse(input);
    return on ? { spec, dependencies: [{ key: on.key, condition: 'afterok' as const }] } : { spec };
  });
  const request = encodeSubmission(
    { epoch, home: home.path, sinceSeconds: 0 },
    { campaignId, jobs, defaultQueue: 'q' },
  );
  const answers = decodeSubmission(await home.run('submit', request), jobs);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['submitted']));
  return readFile(join(home.path, 'arguments'), 'utf8');
}

/** What the submission of a job left: our own options for sbatch, and the job's files as they were rendered. */
async function expectUnchanged(input: JobSpecInput): Promise<void> {
  const job = jobSpecSchema.parse(input);
  const reference = { epoch, campaignId, jobKey: job.key };
  const options = (await readFile(join(home.path, `options-of-${job.key}`), 'utf8')).split('\0');
  expect(options.filter((option) => option !== '' && !OPTION.test(option))).toEqual([]);
  const paths = job.array ? arrayPaths(home.path, reference) : jobPaths(home.path, reference);
  const files = renderJobFiles(job, { ...paths, comment: jobComment(reference), defaultQueue: 'q' });
  const batch = await readFile(join(home.path, `batch-of-${job.key}`), 'utf8');
  expect(batch).toBe(files.batch);
  // Slurm keeps the batch script; the caller's program and its variables are not for others to see there.
  for (const kind of ['script', 'argument', 'variable', 'value'] as const) {
    expect(batch).not.toContain(canaries[kind]);
  }
  for (const name of ['script', 'exports'] as const) {
    const path = join(paths.contentDirectory, name);
    expect(await readFile(path, 'utf8')).toBe(files[name]);
    expect((await stat(path)).mode & 0o077).toBe(0);
  }
}

describe('what a caller writes', () => {
  it('is in no command line, and in the files of its job byte by byte', { timeout: 120_000 }, async () => {
    const started = new Set<string>();
    await expectAlwaysInTime(
      fc.asyncProperty(hostileJobs(4), async (inputs) => {
        const all = await commandLinesOf(inputs);
        for (const line of all.split('\n\0')) started.add(line.split('\0')[0] ?? '');
        for (const canary of Object.values(canaries)) expect(all).not.toContain(canary);
        for (const input of inputs) await expectUnchanged(input);
        await expect(stat(join(home.path, 'pwned'))).rejects.toThrow('ENOENT');
      }),
      8,
    );
    expect([...started]).toEqual(
      expect.arrayContaining(['sbatch', 'mkdir', 'xargs', 'awk', 'env', 'setsid']),
    );
  });

  it('changes nothing of the command that goes over SSH', () => {
    // Without an argument but the program's name there is no place for a request.
    expect(remoteCommand.length).toBe(1);
    expect(remoteCommand('submit')).toBe(remoteCommand('submit'));
  });

  it.each([
    ['name', { name: 'a\0b' }],
    ['script', { command: undefined, script: '#!/bin/sh\n\0' }],
    ['command', { command: ['true', '\0'] }],
    ['queue', { queue: 'a\0b' }],
    ['environment', { environment: { A: '\0' } }],
    ['modules', { modules: ['a\0'] }],
    ['workingDirectory', { workingDirectory: '/a\0' }],
    ['array', { array: { indexes: '1\0' } }],
    ['key', { key: 'a\0b' }],
  ])('is refused with a NUL in its %s', (field, change) => {
    const { error } = jobSpecSchema.safeParse({ key: 'a', command: ['true'], ...change });
    expect(error?.issues.map(({ path }) => path[0])).toContain(field);
  });

  it.each(['a\n#SBATCH --hold', 'a\ntouch pwned', 'a b', '--hold', '$(id)', ''])(
    'is refused as a queue that no cluster can have: %j',
    (queue) => {
      const { error } = jobSpecSchema.safeParse({ key: 'a', command: ['true'], queue });
      expect(error?.issues).toMatchObject([{ path: ['queue'] }]);
    },
  );
});
