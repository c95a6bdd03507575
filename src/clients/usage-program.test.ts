import { afterEach, beforeEach, expect, it } from 'vitest';
import { RemoteHome, secondsAgo, US, US_IN_TEXT } from '../../test/support/remote-home.ts';
import { newEpochId } from '../domain/ids.ts';
import { usageColumns } from '../domain/usage-output.ts';
import { decodeUsage, encodeUsageRequest } from './usage-protocol.ts';

/** The program that runs on the head node, with programs in Slurm's place that answer from files. */
let home: RemoteHome;

const epoch = newEpochId(Date.now() - 7_200_000, '0a1b2');
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';
const comment = `pcp/${epoch}/${campaignId}/a`;

beforeEach(async () => {
  home = await RemoteHome.make();
  await home.program('squeue', 'cat "$HOME/queue" 2>/dev/null || true');
  await home.program('sinfo', 'cat "$HOME/nodes" 2>/dev/null || true');
  await home.program('sacct', 'echo "$@" >>"$HOME/asked"; cat "$HOME/accounting"');
  await home.program('sdiag', 'echo "DBD Agent queue size: $(cat "$HOME/held-back" 2>/dev/null || echo 0)"');
  await home.write('accounting', '');
});
afterEach(async () => home.remove());

const usage = async () => decodeUsage(epoch, await home.run('usage', encodeUsageRequest(epoch)));

const allocation = (jobId: string, end: number | 'Unknown', text: string) =>
  `${[jobId, jobId, secondsAgo(600), secondsAgo(500), end, 100, 4, 1, 'debug', 'debug-dy-t3-1', text].join(US)}${US}\n`;

it('what jobs allocated comes from accounting, with the campaigns of running jobs from the queue', async () => {
  await home.write('accounting', allocation('1', secondsAgo(400), comment) + allocation('2', 'Unknown', ''));
  await home.write('queue', `2${US}${comment}${US}\n`);
  await home.write('nodes', `debug-dy-t3-1${US}4${US}\n`);
  const { records, isWhole, asOfSeconds, nodeCpus } = await usage();
  expect(nodeCpus).toEqual({ 'debug-dy-t3': 4 });
  expect(records.map(({ jobId, campaignId }) => [jobId, campaignId])).toEqual([
    ['1', campaignId],
    ['2', campaignId],
  ]);
  expect(isWhole).toBe(true);
  expect(Math.abs(asOfSeconds - Date.now() / 1000)).toBeLessThan(10);
});

it('a comment adds nothing to what jobs used, and takes nothing from it', async () => {
  const forged = allocation('7', secondsAgo(400), comment).trimEnd().replaceAll(US, US_IN_TEXT);
  await home.write('accounting', allocation('1', 'Unknown', '') + allocation('2', 'Unknown', `x\n${forged}`));
  await home.write('queue', `2${US}x\n1${US_IN_TEXT}${comment}${US}\n`);
  const { records, isWhole } = await usage();
  expect(records.map(({ jobId, campaignId: of }) => [jobId, of])).toEqual([
    ['1', undefined],
    ['2', undefined],
  ]);
  expect(isWhole).toBe(true);
});

it('accounting is asked for the columns that are parsed, for every user and every run', async () => {
  await usage();
  const [asked = ''] = await home.linesOf('asked');
  expect(asked).toContain(`--format=${usageColumns.join(',')}`);
  expect(asked.split(' ')).toEqual(expect.arrayContaining(['--allusers', '--duplicates', '--allocations']));
});

it('usage is not whole while slurmctld holds something back from accounting', async () => {
  await home.write('held-back', '3');
  expect((await usage()).isWhole).toBe(false);
});

it('usage is not whole while accounting does not know the queue of a job', async () => {
  const known = allocation('1', secondsAgo(400), comment);
  await home.write('accounting', known + allocation('2', 'Unknown', '').replace(`${US}debug${US}`, US + US));
  expect((await usage()).isWhole).toBe(false);
});

it('usage is nothing rather than half of it when a program fails or the answer is cut off', async () => {
  await home.program('sacct', 'echo "sacct: error: slurmdbd is away" >&2; exit 1');
  await expect(usage()).rejects.toMatchObject({
    type: 'SlurmUnavailable',
    message: expect.stringContaining('slurmdbd is away'),
  });
  expect(() => decodeUsage(epoch, 'asked 1 whole\n')).toThrow('cut off');
});
