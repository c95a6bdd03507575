import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accountingRow, RemoteHome, secondsAgo, US, US_IN_TEXT } from '../../test/support/remote-home.ts';
import { judge } from '../domain/job-state.ts';
import { squeueColumns } from '../domain/slurm-output.ts';
import type { SlurmSnapshot } from './slurm-gateway.ts';
import { decodeObservation } from './slurm-protocol.ts';

/** The program that runs on the head node, with programs in Slurm's place that answer from files. */
let home: RemoteHome;

beforeEach(async () => {
  home = await RemoteHome.make();
  await home.program('squeue', 'cat "$HOME/queue" 2>/dev/null || true');
  await home.program(
    'sacct',
    'echo "$@" >>"$HOME/asked"; case $* in *--jobs=*) cat "$HOME/by-id" ;; *) cat "$HOME/accounting" ;; esac 2>/dev/null || true',
  );
  await home.program('sinfo', 'true');
  await home.program('sdiag', 'echo x >>"$HOME/sdiag"; echo "DBD Agent queue size: 0"');
});
afterEach(async () => home.remove());

const since = secondsAgo(7200);
const commentOf = (key: string) => `pcp/e1/c1/${key}`;

function queueLine(jobId: string, comment: string, name = ''): string {
  const values: Readonly<Record<string, string>> = {
    JobID: jobId.replace(/_.*/, ''),
    JobArrayID: jobId,
    State: 'RUNNING',
    exit_code: '0:0',
    RestartCnt: '0',
    Name: name,
    Comment: comment,
  };
  return `${squeueColumns.map((column) => `${values[column] ?? ''}${US}`).join('')}\n`;
}

/** A ledger in which each key got the job of its position, from 1 on, at the same moment. */
const writeLedger = async (time: number, ...keys: string[]) =>
  home.write(
    '.parallelcluster-provisioner/e1/ledger',
    keys.map((key, index) => `try ${commentOf(key)}\njob ${commentOf(key)} ${index + 1} ${time}\n`).join(''),
  );

/** A job that waits, as squeue shows it. */
function pendingLine(jobId: string, partition: string, reason: string): string {
  const values: Readonly<Record<string, string>> = {
    JobID: jobId.replace(/_.*/, ''),
    JobArrayID: jobId,
    State: 'PENDING',
    exit_code: '0:0',
    RestartCnt: '0',
    Partition: partition,
    Reason: reason,
  };
  return `${squeueColumns.map((column) => `${values[column] ?? ''}${US}`).join('')}\n`;
}

/** A line that is what sacct says of a job of the key `lost`. */
function forged(jobId: string, state: string): string {
  const row = accountingRow(jobId, state, secondsAgo(60), commentOf('lost')).trimEnd();
  return row.replaceAll(US, US_IN_TEXT).slice(0, -US_IN_TEXT.length);
}

/** Tasks of an array that wait, as Slurm shows several together. */
function waitingTasks(jobId: string, comment: string): string {
  return pendingLine(jobId, 'q', 'JobArrayTaskLimit').replace(new RegExp(`${US}\\n$`), `${comment}${US}\n`);
}

const droppedOf = ({ facts }: SlurmSnapshot) =>
  facts.filter(({ reason }) => reason === 'DroppedFromArray').map(({ jobId }) => jobId);

async function observe(sacctCalls: 'all' | 'one' = 'all'): Promise<SlurmSnapshot> {
  return decodeObservation(await home.run('observe', `e1 ${since} ${sacctCalls}\n`), true);
}

/** Of each question to accounting since the last call, whether it was about a period or ids. */
async function askedFor(): Promise<string[]> {
  const asked = (await home.linesOf('asked')).map((line) => (line.includes('--jobs=') ? 'ids' : 'period'));
  await home.write('asked', '');
  return asked;
}

const lostOf = ({ facts }: SlurmSnapshot) =>
  facts.filter(({ source }) => source === 'ledger').map(({ jobId, comment }) => `${jobId} ${comment}`);

describe('a look at Slurm', () => {
  it('says which jobs of the ledger neither the queue nor accounting knows', async () => {
    await writeLedger(secondsAgo(60), 'lives', 'ended', 'lost');
    await home.write('queue', queueLine('1', commentOf('lives')) + queueLine('3', 'somebody’s'));
    await home.write('accounting', accountingRow('2', 'COMPLETED', secondsAgo(60), commentOf('ended')));
    const snapshot = await observe();
    expect(lostOf(snapshot)).toEqual([`3 ${commentOf('lost')}`]);
    expect(snapshot.facts).toHaveLength(4);
  });

  it('asks neither slurmctld nor accounting further when nothing is missing', async () => {
    await writeLedger(secondsAgo(60), 'lives');
    await home.write('queue', queueLine('1', commentOf('lives')));
    expect(lostOf(await observe())).toEqual([]);
    expect([await home.linesOf('asked'), await home.linesOf('sdiag')]).toEqual([[expect.anything()], []]);
  });

  it('asks again without the column that Slurm 22.05 does not have', async () => {
    await home.program(
      'sacct',
      `case $* in *,Restarts,*) echo 'sacct: error: Invalid field requested: "Restarts"' >&2; exit 1 ;; esac
       cat "$HOME/accounting"`,
    );
    await home.write('accounting', accountingRow('2', 'COMPLETED', secondsAgo(60), commentOf('ended')));
    expect((await observe()).facts).toMatchObject([{ jobId: '2', state: 'COMPLETED' }]);
  });

  it('does not call a job lost that was only just accepted, or before the period that it looks at', async () => {
    await writeLedger(secondsAgo(20), 'young');
    expect(lostOf(await observe())).toEqual([]);
    await writeLedger(since + 100, 'old');
    expect(lostOf(await observe())).toEqual([]);
  });

  it('goes by the last job of a key', async () => {
    await home.write(
      '.parallelcluster-provisioner/e1/ledger',
      `job ${commentOf('a')} 1 ${secondsAgo(600)}\njob ${commentOf('a')} 9 ${secondsAgo(60)}\n`,
    );
    expect(lostOf(await observe())).toEqual([`9 ${commentOf('a')}`]);
  });

  it('calls nothing lost as long as slurmctld holds records back from accounting', async () => {
    await writeLedger(secondsAgo(60), 'a');
    await home.program('sdiag', 'echo "DBD Agent queue size: 1"');
    expect((await observe()).facts).toEqual([]);
    await home.program('sdiag', 'echo "it is down" >&2; exit 1');
    expect((await observe()).facts).toEqual([]);
  });

  it('finds by its id a job that no period shows, and says whose it is', async () => {
    await writeLedger(secondsAgo(60), 'a');
    await home.write('by-id', accountingRow('1', 'CANCELLED', secondsAgo(61), ''));
    expect((await observe()).facts).toMatchObject([
      { jobId: '1', comment: commentOf('a'), state: 'CANCELLED', source: 'accounting' },
    ]);
  });

  it('asks by id once for what no period shows, and remembers the answer', async () => {
    await writeLedger(secondsAgo(60), 'cancelled', 'lost');
    await home.write('by-id', accountingRow('1', 'CANCELLED', secondsAgo(61), ''));
    const first = await observe();
    expect(await askedFor()).toEqual(['period', 'ids']);
    expect(first.facts).toMatchObject([{ comment: commentOf('cancelled') }, { source: 'ledger' }]);
    expect((await observe()).facts).toEqual(first.facts);
    expect(await askedFor()).toEqual(['period']);
  });

  it('asks once at most where it may, and says that the next look has more', async () => {
    await writeLedger(secondsAgo(60), 'cancelled', 'ended');
    await home.write('accounting', accountingRow('2', 'COMPLETED', secondsAgo(60), commentOf('ended')));
    await home.write('by-id', accountingRow('1', 'CANCELLED', secondsAgo(61), ''));
    const ended = { comment: commentOf('ended'), state: 'COMPLETED' };
    const cancelled = { comment: commentOf('cancelled'), state: 'CANCELLED' };
    const looks = [
      { more: true, facts: [ended] },
      { more: false, facts: [cancelled] },
    ];
    const after = { more: false, facts: [ended, cancelled] };
    for (const [look, asked] of [
      [looks[0], 'period'],
      [looks[1], 'ids'],
      [after, 'period'],
      [after, 'period'],
    ] as const) {
      expect(await observe('one')).toMatchObject(look ?? {});
      expect(await askedFor()).toEqual([asked]);
    }
  });

  it('says after its answer is old that it asks again, and that a loss was none', async () => {
    await writeLedger(secondsAgo(600), 'a');
    expect(lostOf(await observe())).toEqual([`1 ${commentOf('a')}`]);
    const answers = '.parallelcluster-provisioner/e1/asked-by-id';
    const kept = (await home.linesOf(answers)).map((line) => line.replace(/^\d+/, `${secondsAgo(301)}`));
    await home.write(answers, `${kept.join('\n')}\n`);
    await home.write('by-id', accountingRow('1', 'CANCELLED', secondsAgo(601), ''));
    expect((await observe()).facts).toMatchObject([{ state: 'CANCELLED', source: 'accounting' }]);
  });

  it('does not go by an answer about another job of the key, or while the queue has it', async () => {
    await writeLedger(secondsAgo(600), 'a');
    expect(lostOf(await observe())).toEqual([`1 ${commentOf('a')}`]);
    await home.write('queue', queueLine('1', commentOf('a')));
    expect(lostOf(await observe())).toEqual([]);
    await home.write('queue', '');
    await home.write('.parallelcluster-provisioner/e1/ledger', `job ${commentOf('a')} 7 ${secondsAgo(60)}\n`);
    expect(lostOf(await observe())).toEqual([`7 ${commentOf('a')}`]);
  });

  it('loses no job because the queue shows it again when it is asked for by id', async () => {
    await writeLedger(secondsAgo(60), 'a');
    expect((await observe('one')).more).toBe(true);
    await home.write('queue', queueLine('1', commentOf('a')));
    expect(lostOf(await observe('one'))).toEqual([]);
    await home.write('queue', '');
    expect((await observe('one')).more).toBe(true);
    expect(lostOf(await observe('one'))).toEqual([`1 ${commentOf('a')}`]);
  });

  it('asks about everything by and by, where one question cannot take all ids', async () => {
    const keys = Array.from({ length: 5001 }, (_, index) => `k${index}`);
    await writeLedger(secondsAgo(60), ...keys);
    const lost = new Set<string>();
    for (let look = 0; look < 4; look++) for (const line of lostOf(await observe('one'))) lost.add(line);
    expect(lost.size).toBe(5001);
  });

  it('asks twice rather than never where it cannot leave anything to the next look', async () => {
    await writeLedger(secondsAgo(60), 'a');
    await home.program('mv', 'exit 1');
    const snapshot = await observe('one');
    expect([lostOf(snapshot), snapshot.more]).toEqual([[`1 ${commentOf('a')}`], false]);
  });

  it('tells the job of a key from another that has its id by now', async () => {
    await writeLedger(secondsAgo(600), 'ended', 'lost');
    await home.write(
      'by-id',
      accountingRow('1', 'COMPLETED', secondsAgo(601), commentOf('ended')) +
        accountingRow('1', 'COMPLETED', secondsAgo(300), commentOf('other')) +
        accountingRow('2', 'COMPLETED', secondsAgo(300), '') +
        accountingRow('2', 'RUNNING', secondsAgo(601), ''),
    );
    const snapshot = await observe();
    expect(lostOf(snapshot)).toEqual([`2 ${commentOf('lost')}`]);
    expect(snapshot.facts).toMatchObject([{ comment: commentOf('ended'), state: 'COMPLETED' }, {}]);
  });

  it.each(['squeue', 'sacct'])('fails when %s fails, or warns although it succeeds', async (name) => {
    for (const end of [1, 0]) {
      await home.program(name, `echo "it is down" >&2; exit ${end}`);
      await expect(observe()).rejects.toMatchObject({
        type: 'SlurmUnavailable',
        message: expect.stringContaining('it is down') as unknown,
      });
    }
  });

  it('fails when accounting fails at the second question', async () => {
    await writeLedger(secondsAgo(60), 'a');
    await home.program('sacct', 'case $* in *--jobs=*) echo "it is down" >&2; exit 1 ;; esac');
    await expect(observe()).rejects.toMatchObject({ type: 'SlurmUnavailable' });
  });

  it('tells which tasks of an array Slurm has dropped, once none of the array waits any more', async () => {
    const ledger = `job ${commentOf('a')} 7 ${secondsAgo(60)} 0-4\n`;
    await home.write('.parallelcluster-provisioner/e1/ledger', ledger);
    await home.write('queue', queueLine('7_0', commentOf('a')) + waitingTasks('7_[1,2]', commentOf('a')));
    expect(droppedOf(await observe())).toEqual([]);
    await home.write('queue', queueLine('7_0', commentOf('a')));
    await home.write('accounting', accountingRow('7_1', 'COMPLETED', secondsAgo(60), commentOf('a')));
    await home.write('by-id', accountingRow('7_[2,4%1]', 'CANCELLED', secondsAgo(60), commentOf('a')));
    const snapshot = await observe();
    expect(droppedOf(snapshot)).toEqual(['7_3']);
    expect(snapshot.facts.map(({ jobId }) => jobId).toSorted()).toEqual(['7_0', '7_1', '7_2', '7_3', '7_4']);
    expect(lostOf(snapshot)).toEqual([]);
  });

  it('calls an array lost of which Slurm knows no task', async () => {
    const ledger = `job ${commentOf('a')} 7 ${secondsAgo(60)} 0-4\n`;
    await home.write('.parallelcluster-provisioner/e1/ledger', ledger);
    expect(lostOf(await observe())).toEqual([`7 ${commentOf('a')}`]);
  });

  it.each([
    ['the beginning of a record', `evil\n7${US_IN_TEXT}7${US_IN_TEXT}RUNNING${US_IN_TEXT}zz`],
    ['a whole record of somebody else', `x\n${forged('3', 'COMPLETED')}\n`],
    ['the end of its section', 'x\n\u001Equeue ok\n\u001Edone\n'],
    ['a failure', 'x\n\u001Efailed squeue: is away'],
    ['only a line break and a separator', `\n${US_IN_TEXT}`],
  ])('takes a name for nothing else, whatever is in it: %s', async (_what, name) => {
    await writeLedger(secondsAgo(60), 'lives', 'ended', 'lost');
    await home.write('queue', queueLine('1', commentOf('lives'), name) + queueLine('9', 'x', name));
    const ended = accountingRow('2', 'COMPLETED', secondsAgo(60), commentOf('ended'), name);
    await home.write('accounting', ended + accountingRow('8', 'FAILED', secondsAgo(60), name, name));
    const snapshot = await observe();
    expect(snapshot.facts.map(({ jobId, state, source }) => [jobId, state, source])).toEqual([
      ['1', 'RUNNING', 'queue'],
      ['9', 'RUNNING', 'queue'],
      ['2', 'COMPLETED', 'accounting'],
      ['8', 'FAILED', 'accounting'],
      ['3', undefined, 'ledger'],
    ]);
    expect(snapshot.facts[0]?.name).toBe(name.replaceAll(/\p{Cc}/gu, ' '));
  });

  it('fails when Slurm prints something else than whole records', async () => {
    for (const output of [
      'nothing to say',
      queueLine('1', 'x').slice(0, -4),
      `${queueLine('1', 'x')}and this`,
    ]) {
      await home.write('queue', output);
      await expect(observe()).rejects.toMatchObject({
        message: expect.stringContaining('squeue does not end with a whole record') as unknown,
      });
    }
  });

  it('names who cancelled a job, by number where the head node has no such login', async () => {
    await home.program(
      'getent',
      'shift; for id; do [[ $id == 1500 ]] && echo "sim:x:1500:1500::/home/sim:/bin/bash"; done',
    );
    const by = (jobId: string, who: string) =>
      accountingRow(jobId, `CANCELLED by ${who}`, secondsAgo(60), '');
    await home.write('accounting', by('1', '1500') + by('2', '777') + by('3', '0') + by('4', '1500'));
    expect((await observe()).facts.map((fact) => judge(fact).reason)).toEqual(
      ['sim', 'user 777', 'root', 'sim'].map((who) => `Cancelled by ${who}`),
    );
  });

  it('needs no ledger', async () => {
    await home.write('queue', queueLine('1', commentOf('a')));
    expect((await observe()).facts).toHaveLength(1);
  });

  it('says why EC2 does not start the nodes that a job waits for, and which nodes EC2 bills', async () => {
    const noCapacity = '(Code:InsufficientInstanceCapacity)Failure when resuming nodes';
    await home.program(
      'sinfo',
      `printf '%s' "a${US}a-dy-n-1${US}IDLE+CLOUD+POWERED_DOWN${US}none${US}
a${US}a-dy-n-2${US}DOWN+CLOUD+POWERED_DOWN+POWERING_UP${US}${noCapacity}${US}
b${US}b-dy-n-1${US}DOWN+CLOUD${US}Not responding${US}
"`,
    );
    await home.write('queue', pendingLine('1', 'a', 'Dependency'));
    expect((await observe()).facts).toMatchObject([{ jobId: '1', reason: 'Dependency' }]);
    await home.write(
      'queue',
      ['a', 'b'].map((queue, index) => pendingLine(`${index + 1}`, queue, 'Resources')).join(''),
    );
    const { facts, nodesUp } = await observe();
    expect(nodesUp).toEqual({ 'a-dy-n': 1, 'b-dy-n': 1 });
    expect(facts.map(({ nodeProblem }) => nodeProblem)).toEqual(['InsufficientInstanceCapacity', undefined]);
  });
});
