import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  HeadNode,
  HeadNodeFiles,
  SlurmAccounting,
  SlurmGateway,
} from '../../src/clients/slurm-gateway.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

/** What reads files and accounting of a head node, and what runs jobs that write some. */
export interface HeadNodeFilesRig {
  readonly files: HeadNodeFiles & SlurmAccounting;
  readonly gateway: SlurmGateway;
  /** With a pinned host key and a queue `debug`. */
  readonly head: HeadNode;
  close(): Promise<void>;
}

/** What every `HeadNodeFiles` and `SlurmAccounting` must do, on whatever they stand. */
export function describeHeadNodeFiles(name: string, makeRig: () => Promise<HeadNodeFilesRig>): void {
  describe(`files of the head node ${name}`, () => {
    let rig: HeadNodeFilesRig;

    beforeAll(async () => {
      rig = await makeRig();
    });
    afterAll(async () => rig?.close());

    it('show the host key that is to be pinned', async () => {
      expect(await rig.files.readHostKey(rig.head)).toBe(rig.head.access.hostKey);
    });

    it('are read in parts, and it is said when there is nothing', async () => {
      const campaignId = newCampaignId();
      const spec = jobSpecSchema.parse({ key: 'writes', command: ['echo', 'hello', 'world'] });
      await rig.gateway.submit(rig.head, { campaignId, jobs: [{ spec }], defaultQueue: 'debug' });
      const isOver = async () => {
        const { facts } = await rig.gateway.observe(rig.head, { sinceSeconds: Date.now() / 1000 - 3600 });
        return facts.some((fact) => fact.comment.includes(campaignId) && fact.state === 'COMPLETED');
      };
      await expect.poll(isOver, { timeout: 30_000 }).toBe(true);
      const part = { campaignId, jobKey: 'writes', file: 'stdout', offset: 0, lengthBytes: 100 } as const;
      const contents = await rig.files.readFiles(rig.head, [
        part,
        { ...part, offset: 6, lengthBytes: 3 },
        { ...part, offset: 50 },
        { ...part, jobKey: 'nobody' },
      ]);
      expect(contents).toEqual([
        { status: 'ok', sizeBytes: 12, data: Buffer.from('hello world\n') },
        { status: 'ok', sizeBytes: 12, data: Buffer.from('wor') },
        { status: 'ok', sizeBytes: 12, data: Buffer.alloc(0) },
        { status: 'absent' },
      ]);
    });

    it('come with what jobs allocate from their start on, and for which campaign', async () => {
      const campaignId = newCampaignId();
      const jobs = [
        { key: 'ends', command: ['true'] },
        { key: 'runs', command: ['sleep', '60'] },
      ].map((job) => ({ spec: jobSpecSchema.parse(job) }));
      await rig.gateway.submit(rig.head, { campaignId, jobs, defaultQueue: 'debug' });
      const own = async () => {
        // The one in memory goes on when it is looked at.
        await rig.gateway.observe(rig.head, {});
        const { records } = await rig.files.readUsage(rig.head, {});
        return records.filter((each) => each.campaignId === campaignId);
      };
      const ended = async () => (await own()).filter(({ endSeconds }) => endSeconds !== undefined).length;
      await expect.poll(ended, { timeout: 30_000 }).toBe(1);
      const alike = { queue: 'debug', cpus: 1, nodes: 1 };
      await expect.poll(own, { timeout: 30_000 }).toMatchObject([alike, alike]);
      await rig.gateway.cancel(rig.head, { campaignId });
    });
  });
}
