import { describe, expect, it } from 'vitest';
import { awkwardOutput, randomNumbers, writeJobOutput } from '../support/job-output.ts';
import { LogCopyProcess } from '../support/log-copy.ts';
import { atScale } from '../support/scale.ts';
import {
  campaign,
  cluster,
  copy,
  directoryOf,
  endOfStream,
  expectStored,
  requestOf,
  unlimited,
  whole,
} from '../support/log-node-rig.ts';

const SEED = 20_261_122;

describe('many small jobs', () => {
  const count = atScale(100, 1000);

  it(`are copied and read back byte by byte: ${count} of them`, async () => {
    const keys = Array.from({ length: count }, (_, index) => `job-${index}`);
    const content = campaign(...keys.map((key) => ({ key, command: ['true'] })));
    // As their wrappers leave them.
    const folder = directoryOf(content, 'KEY').replace(/\/KEY$/, '');
    const script = `mkdir -p "$1" "$2" && cd "$1" && for ((i = 0; i < $3; i++)); do
      mkdir job-$i && printf 'I am %s\\0\\377\\n' $i >job-$i/stdout && : >job-$i/stderr && : >"$2/$4:job-$i" || exit 1
    done`;
    const running = directoryOf(content, 'KEY').replace(/\/jobs\/.*$/, '/running');
    await cluster.asSim('bash', '-c', script, 'bash', folder, running, String(count), content.campaignId);
    const ours = async () =>
      (await cluster.gateway.listOutputs(cluster.head)).filter(
        ({ campaignId }) => campaignId === content.campaignId,
      );
    expect(await ours()).toHaveLength(count);
    await copy(content);
    for (const [index, key] of keys.entries()) {
      await expectStored(content, key, whole(Buffer.from(`I am ${index}\0\u00FF\n`, 'latin1')));
    }
    expect(await ours()).toEqual([]);
  }, 600_000);
});

describe('a process that dies while it copies', () => {
  const sizeBytes = atScale(8_000_000, 200_000_000);
  const kills = atScale(4, 12);
  const longestMs = atScale(100, 1_500);

  it(`leaves a log of ${sizeBytes} bytes that the next ones complete byte by byte`, async () => {
    const content = campaign({ key: 'a', command: ['true'] });
    await writeJobOutput(
      cluster,
      { campaignId: content.campaignId, jobKey: 'a' },
      awkwardOutput(sizeBytes, SEED),
    );
    const { privateKey } = cluster;
    const order = { request: requestOf(content), content, privateKey, logLimits: unlimited };
    const random = randomNumbers(SEED);
    const stops: number[] = [];
    for (let stop = 0; stops.length < kills && stop < sizeBytes; stops.push(stop)) {
      const before = stop;
      const copying = new LogCopyProcess(order);
      const hasWritten = async () => (await endOfStream(content, 'a')) > before;
      await expect.poll(hasWritten, { timeout: 60_000, interval: 10 }).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, random() * longestMs));
      await copying.kill();
      stop = await endOfStream(content, 'a');
    }
    // Some died in the middle, each further than the one before.
    expect(stops).toEqual(stops.toSorted((a, b) => a - b));
    expect(stops.filter((stop) => stop < sizeBytes).length).toBeGreaterThan(1);
    await new LogCopyProcess(order).report();
    await expectStored(content, 'a', awkwardOutput(sizeBytes, SEED));
  }, 900_000);

  it('needs little memory, whatever it copies', async () => {
    const content = campaign({ key: 'a', command: ['true'] });
    const job = { campaignId: content.campaignId, jobKey: 'a' };
    await writeJobOutput(cluster, job, awkwardOutput(sizeBytes, SEED + 1));
    const order = { request: requestOf(content), content, privateKey: cluster.privateKey };
    const { copiedBytes, baseBytes, peakBytes } = await new LogCopyProcess({
      ...order,
      logLimits: unlimited,
    }).report();
    expect(copiedBytes).toBeGreaterThanOrEqual(sizeBytes);
    // Seen: 53 MB for 8 MB, 125 MB for 200 MB: the garbage collector takes its time.
    expect(peakBytes - baseBytes).toBeLessThan(200_000_000);
  }, 300_000);
});
