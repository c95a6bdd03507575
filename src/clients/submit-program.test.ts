import { stat } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accountingRow, RemoteHome, secondsAgo, US, US_IN_TEXT } from '../../test/support/remote-home.ts';
import type { Dependency } from '../domain/dependencies.ts';
import { jobSpecSchema } from '../domain/job.ts';
import type { JobToSubmit, Submitted } from './slurm-gateway.ts';
import { decodeSubmission, encodeSubmission } from './slurm-protocol.ts';

/**
 * The program that runs on the head node, with programs in Slurm's place that answer from files. What real Slurm
 * does with it is for the contract suite.
 */
const epoch = 'e1';
const campaignId = 'c1';

let home: RemoteHome;

beforeEach(async () => {
  home = await RemoteHome.make();
  await home.program('squeue', 'cat "$HOME/queue" 2>/dev/null || true');
  await home.program('sacct', 'echo "$@" >>"$HOME/asked"; cat "$HOME/accounting" 2>/dev/null || true');
  await home.program('scontrol', `echo "BOOT_TIME               = ${secondsAgo(86_400)}"`);
  await home.program('sdiag', 'echo "DBD Agent queue size: 0"');
  // The id is the character code of the key: several may run at once.
  await home.program(
    'sbatch',
    'echo "$@" >>"$HOME/sbatch"; key=${2##*/}; cat >"$HOME/batch-of-$key"; printf "%d\\n" "\'$key"',
  );
});
afterEach(async () => home.remove());

const commentOf = (key: string) => `pcp/${epoch}/${campaignId}/${key}`;
const queueLine = (jobId: string, comment: string) => `${[jobId, comment, 1000].join(US)}${US}\n`;

type Asked = string | (Partial<Dependency> & { readonly job: string; readonly on: string });

function jobsOf(asked: readonly Asked[]): JobToSubmit[] {
  return asked.map((each) => {
    const key = typeof each === 'string' ? each : each.job;
    const spec = jobSpecSchema.parse({ key, command: ['true'] });
    if (typeof each === 'string') return { spec };
    return { spec, dependencies: [{ key: each.on, condition: each.condition ?? 'afterok' }] };
  });
}

const requestFor = (asked: readonly Asked[]) =>
  encodeSubmission(
    { epoch, home: home.path, sinceSeconds: 0 },
    { campaignId, jobs: jobsOf(asked), defaultQueue: 'q' },
  );

async function submit(...asked: Asked[]): Promise<Submitted[]> {
  return decodeSubmission(await home.run('submit', requestFor(asked)), jobsOf(asked));
}

const ledgerName = `.parallelcluster-provisioner/${epoch}/ledger`;
const writeLedger = async (...lines: string[]) =>
  home.write(ledgerName, lines.map((line) => `${line}\n`).join(''));

describe('submission', () => {
  it('makes one job for each key and says its id', async () => {
    expect(await submit('a', 'b')).toEqual([
      { jobKey: 'a', status: 'submitted', jobId: '97' },
      { jobKey: 'b', status: 'submitted', jobId: '98' },
    ]);
    expect((await home.linesOf('sbatch')).toSorted()).toEqual(
      ['a', 'b'].map((key) => `--parsable --comment=${commentOf(key)}`),
    );
    const folder = `${home.path}/.parallelcluster-provisioner/${epoch}/jobs/${campaignId}`;
    expect(await home.linesOf('batch-of-b')).toEqual(
      expect.arrayContaining(['#!/bin/bash -l', '#SBATCH --job-name=b', `exec '${folder}/b/script'`]),
    );
    expect((await stat(`${folder}/a`)).mode & 0o777).toBe(0o700);
    expect((await stat(`${folder}/a/exports`)).mode & 0o777).toBe(0o600);
    expect((await stat(`${home.path}/campaigns/${campaignId}/b`)).isDirectory()).toBe(true);
  });

  it('lets jobs make files as their user does, not as private as what is written for them', async () => {
    await home.program('sbatch', 'umask >>"$HOME/umasks"; cat >/dev/null; echo 1');
    await submit('a');
    expect(await home.linesOf('umasks')).toEqual([process.umask().toString(8).padStart(4, '0')]);
  });

  it('hands nothing more over once Slurm has not answered', async () => {
    await home.program(
      'sbatch',
      'echo x >>"$HOME/sbatch"; echo "sbatch: error: Unable to contact slurm controller" >&2; exit 1',
    );
    const keys = Array.from({ length: 60 }, (_, index) => `k${index}`);
    await expect(submit(...keys)).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    expect((await home.linesOf('sbatch')).length).toBeLessThan(keys.length);
  });

  it('adopts what the queue knows', async () => {
    await home.write('queue', queueLine('7', commentOf('a')) + queueLine('8', `pcp/e0/${campaignId}/b`));
    expect((await submit('a', 'b')).map(({ status }) => status)).toEqual(['adopted', 'submitted']);
  });

  it('adopts no job that only stands in the text of another', async () => {
    const forged = `x\n7${US_IN_TEXT}${commentOf('a')}${US_IN_TEXT}1000`;
    await home.write('queue', queueLine('6', forged));
    const row = accountingRow('7', 'COMPLETED', 1000, commentOf('a')).trimEnd().slice(0, -1);
    const name = `x\n${row.replaceAll(US, US_IN_TEXT)}`;
    await home.write('accounting', accountingRow('6', 'COMPLETED', 1000, '', name));
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'submitted', jobId: '97' }]);
  });

  it('asks accounting when it has no ledger, and adopts what ended', async () => {
    await home.write('accounting', accountingRow('7', 'COMPLETED', 1000, commentOf('a')));
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('does not ask accounting about keys that its ledger has never tried', async () => {
    await submit('a');
    await submit('b');
    expect(await home.linesOf('asked')).toHaveLength(1);
  });

  it('makes a job for a key whose earlier attempt died before sbatch ran', async () => {
    await writeLedger(`try ${commentOf('a')}`);
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'submitted', jobId: '97' }]);
  });

  it('finds a job that ended although its sbatch never answered', async () => {
    await submit('z');
    await home.program(
      'sbatch',
      'echo "sbatch: error: Batch job submission failed: Socket timed out" >&2; exit 1',
    );
    await expect(submit('a')).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    await home.write('accounting', accountingRow('7', 'COMPLETED', 1000, commentOf('a')));
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('adopts by id and time of submission where accounting keeps no comments', async () => {
    const time = secondsAgo(3600);
    await writeLedger(`try ${commentOf('a')}`, `job ${commentOf('a')} 7 ${time}`);
    await home.write('accounting', accountingRow('7', 'FAILED', time - 1, ''));
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('makes the job again when Slurm lost it and used its id for another', async () => {
    const time = secondsAgo(3600);
    await writeLedger(`try ${commentOf('a')}`, `job ${commentOf('a')} 7 ${time}`);
    await home.write('queue', queueLine('7', commentOf('b')));
    await home.write(
      'accounting',
      accountingRow('7', 'COMPLETED', time + 900, '') + accountingRow('8', 'RUNNING', time, ''),
    );
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'submitted', jobId: '97' }]);
  });

  it('trusts its ledger as long as accounting may lag behind', async () => {
    await writeLedger(`try ${commentOf('a')}`, `job ${commentOf('a')} 7 ${secondsAgo(3)}`);
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('makes no second job while slurmctld may still carry out a request that it did not answer', async () => {
    await writeLedger(
      `try ${commentOf('a')}`,
      `try ${commentOf('b')}`,
      `sent ${commentOf('a')} ${secondsAgo(120)}`,
    );
    expect(await submit('a', 'b')).toMatchObject([
      { jobKey: 'a', status: 'deferred', message: expect.stringContaining('may still carry it out') },
      { jobKey: 'b', status: 'submitted' },
    ]);
    expect(await home.linesOf('sbatch')).toHaveLength(1);
  });

  it('makes it once slurmctld was started anew, or refuses the request for its age', async () => {
    await writeLedger(
      `try ${commentOf('a')}`,
      `try ${commentOf('b')}`,
      `sent ${commentOf('a')} ${secondsAgo(120)}`,
      `sent ${commentOf('b')} ${secondsAgo(320)}`,
    );
    await home.program('scontrol', `echo "BOOT_TIME               = ${secondsAgo(60)}"`);
    expect(await submit('a', 'b')).toMatchObject([{ status: 'submitted' }, { status: 'submitted' }]);
  });

  it('notes when each request began and that it was answered', async () => {
    await home.program('sbatch', 'case $* in */a) echo 5;; */b) echo "sbatch: error: no" >&2; exit 1;; esac');
    await submit('a', 'b');
    const words = (await home.linesOf(ledgerName)).map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(words.toSorted()).toEqual(
      [
        ...['a', 'b'].flatMap((key) => [`sent ${commentOf(key)}`, `try ${commentOf(key)}`]),
        `job ${commentOf('a')}`,
        `none ${commentOf('b')}`,
      ].toSorted(),
    );
  });

  it('reports Slurm’s refusal and goes on with the next job', async () => {
    await home.program(
      'sbatch',
      'case $* in */a) echo "sbatch: error: Invalid partition name" >&2; exit 1;; esac; echo 5',
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
    await home.program('sbatch', `echo '${message}' >&2; exit 1`);
    await expect(submit('a')).rejects.toMatchObject({ type: 'SlurmUnavailable' });
  });

  it.each(['squeue', 'sacct'])('makes nothing when %s does not answer', async (name) => {
    await home.program(name, 'echo "it is down" >&2; exit 1');
    await expect(submit('a')).rejects.toMatchObject({
      type: 'SlurmUnavailable',
      message: expect.stringContaining(`${name}: it is down`) as unknown,
    });
    expect(await home.linesOf('sbatch')).toEqual([]);
  });

  it('is finished by whoever repeats it when the caller went after sbatch and before the answer', async () => {
    await home.program(
      'sbatch',
      'echo started >"$HOME/started"; sleep 0.3; echo "$@" >>"$HOME/sbatch"; echo 9',
    );
    const child = home.start('submit', requestFor(['a', 'b']));
    await expect.poll(async () => home.linesOf('started')).toEqual(['started']);
    // What sshd does to the process group of a command when asked to kill it.
    child.stdout.destroy();
    child.kill('SIGKILL');
    await home.program(
      'squeue',
      `[ -s "$HOME/sbatch" ] && echo "9${US}${commentOf('a')}${US}1000${US}"; true`,
    );
    expect((await submit('a')).map(({ status }) => status)).toEqual(['adopted']);
    expect((await home.linesOf('sbatch')).filter((line) => line.endsWith('/a'))).toHaveLength(1);
  });

  it('fails when the request was cut off, without a job from half a script', async () => {
    await home.run('submit', requestFor(['a']).subarray(0, -5));
    expect(await home.linesOf('sbatch')).toEqual([]);
  });

  it('goes by what sbatch answered last, whatever it warned of before', async () => {
    await home.program('sbatch', 'echo "sbatch: warning: 12" >&2; echo "5;cluster"');
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'submitted', jobId: '5' }]);
  });

  it('takes an sbatch that died for an outage', async () => {
    await home.program('sbatch', 'kill -KILL $$');
    await expect(submit('a')).rejects.toMatchObject({ type: 'SlurmUnavailable' });
  });

  it('notes the jobs that it adopts, so that their loss is noticed', async () => {
    await home.write('queue', queueLine('7', commentOf('a')));
    await submit('a');
    await submit('a');
    expect(await home.linesOf(ledgerName)).toEqual([`try ${commentOf('a')}`, `job ${commentOf('a')} 7 1000`]);
  });

  it('says nothing to the jobs by its own environment', async () => {
    await home.program('sbatch', 'compgen -e >"$HOME/environment"; echo 1');
    await submit('a');
    const names = await home.linesOf('environment');
    expect(names.filter((name) => /SLURM|LC_|TIME/.test(name))).toEqual([]);
  });
});

describe('a key that was tried before', () => {
  const tried = async (seconds: number) =>
    writeLedger(`try ${commentOf('a')}`, `job ${commentOf('a')} 7 ${secondsAgo(seconds)}`);

  it('gets no job as long as slurmctld holds records back from accounting', async () => {
    await tried(3600);
    await home.program('sleep', '');
    await home.program('scontrol', `echo "BOOT_TIME               = ${secondsAgo(86_400)}"`);
    await home.program('sdiag', 'echo "DBD Agent queue size: 10"; echo "Jobs submitted: 0"');
    await expect(submit('a')).rejects.toThrow('holds back');
    expect(await home.linesOf('sbatch')).toEqual([]);
  });

  it('gets its job as soon as accounting has them', async () => {
    await tried(3600);
    await home.program('sleep', '');
    const script =
      'echo x >>"$HOME/looks"; [ $(wc -l <"$HOME/looks") = 1 ] && n=3; echo "DBD Agent queue size: ${n:-0}"';
    await home.program('sdiag', script);
    expect(await submit('a')).toMatchObject([{ status: 'submitted' }]);
  });

  it('is asked for by its id where no period shows it: cancelled in the moment of its submission', async () => {
    await tried(3600);
    await home.write('accounting', '');
    const row = accountingRow('7', 'CANCELLED', secondsAgo(3600), '').trimEnd();
    await home.program('sacct', `case $* in *--jobs=7*) echo '${row}' ;; esac`);
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('is asked for by its id where the id is another job’s by now', async () => {
    await tried(3600);
    const rows =
      accountingRow('7', 'COMPLETED', secondsAgo(3600), commentOf('a')) +
      accountingRow('7', 'COMPLETED', secondsAgo(3500), commentOf('b'));
    await home.write('duplicates', rows);
    const young = accountingRow('7', 'COMPLETED', secondsAgo(3500), commentOf('b')).trimEnd();
    await home.program(
      'sacct',
      `case $* in *--duplicates*) cat "$HOME/duplicates" ;; *) echo '${young}' ;; esac`,
    );
    expect(await submit('a')).toEqual([{ jobKey: 'a', status: 'adopted', jobId: '7' }]);
  });

  it('does not take the end of a former run of its job for the end', async () => {
    await tried(3600);
    await home.write('accounting', accountingRow('7', 'REQUEUED', secondsAgo(3600), commentOf('a')));
    expect(await submit('a')).toMatchObject([{ status: 'submitted' }]);
  });
});

describe('dependencies', () => {
  it('are ids of this call and of the queue, and nothing else', async () => {
    await home.write('queue', queueLine('7', commentOf('q')));
    const answers = await submit(
      'a',
      { job: 'b', on: 'a' },
      { job: 'c', on: 'q', condition: 'afterany' },
      { job: 'd', on: 'c', condition: 'afternotok' },
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(4).fill('submitted'));
    const calls = (await home.linesOf('sbatch')).map((line) => line.split(' ').slice(1).join(' '));
    expect(calls.toSorted()).toEqual([
      `--comment=${commentOf('a')}`,
      `--comment=${commentOf('b')} --dependency=afterok:97 --kill-on-invalid-dep=yes`,
      `--comment=${commentOf('c')} --dependency=afterany:7 --kill-on-invalid-dep=yes`,
      `--comment=${commentOf('d')} --dependency=afternotok:99 --kill-on-invalid-dep=yes`,
    ]);
  });

  it('defer a job when Slurm does not have what it waits for, and those behind it', async () => {
    await home.write('accounting', accountingRow('7', 'COMPLETED', 1000, commentOf('gone')));
    expect(await submit({ job: 'a', on: 'gone' }, { job: 'b', on: 'a' }, 'c')).toMatchObject([
      { jobKey: 'a', status: 'deferred', message: expect.stringContaining('the job gone') as unknown },
      { jobKey: 'b', status: 'deferred' },
      { jobKey: 'c', status: 'submitted' },
    ]);
    expect(await submit('a')).toMatchObject([{ status: 'submitted' }]);
  });

  it('defer a job when Slurm purges what it waits for in that moment', async () => {
    await home.write('queue', queueLine('7', commentOf('q')));
    await home.program(
      'sbatch',
      'echo "sbatch: error: Batch job submission failed: Job dependency problem" >&2; exit 1',
    );
    expect(await submit({ job: 'a', on: 'q' })).toMatchObject([{ status: 'deferred' }]);
  });
});
