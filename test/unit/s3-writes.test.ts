import { describe, expect, it } from 'vitest';
import { createS3WritesActivities } from '../../src/activities/s3-writes.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import type { OperatorDecision } from '../../src/domain/lustre-export.ts';
import type { OpenWriter } from '../../src/domain/open-writers.ts';
import { activityContext, runActivity } from '../support/activity.ts';

const deployment = { virtualLabId: 'lab1', projectId: 'cortex', epoch: '1k2m9x0aab12cd', clusterName: 'c' };
const access = { address: '10.0.0.1', port: 22, user: 'sim', hostKey: 'k', privateKeySecretArn: 'arn:key' };
const job: OpenWriter = { kind: 'job', jobId: '17', state: 'COMPLETING' };
const writing: OpenWriter = {
  kind: 'process',
  pid: 4711,
  command: 'h5repack',
  path: `/data/project/private/${'x'.repeat(500)}/out.h5`,
};

/** What the head node answers, the last answer again and again. */
async function settle(answers: readonly (readonly OpenWriter[] | Error)[], discard?: OperatorDecision) {
  let looks = 0;
  const asked: string[] = [];
  const kept: OperatorDecision[] = [];
  const { settleS3Writes } = createS3WritesActivities({
    files: {
      listWriters: async (_head, folder) => {
        asked.push(folder);
        const answer = answers[Math.min(looks, answers.length - 1)] ?? [];
        looks += 1;
        if (answer instanceof Error) throw answer;
        return [...answer];
      },
    },
    deploymentStore: { putDiscard: async (_deployment, what) => void kept.push(what) },
    settleSeconds: 0.05,
  });
  const request = { ...deployment, access, ...(discard && { discard }) };
  await runActivity(settleS3Writes, request, activityContext());
  return { asked, kept };
}

describe('settleS3Writes', () => {
  it('ends once no job has a node and no file below the mounted prefix is open for writing', async () => {
    const { asked } = await settle([[job, writing], []]);
    expect(asked).toEqual(['/data/project/private', '/data/project/private']);
  });

  it('names what still writes, as far as people read, when that does not end', async () => {
    const others = Array.from({ length: 7 }, (_, index): OpenWriter => ({ ...job, jobId: String(index) }));
    await expect(settle([[job, writing, ...others]])).rejects.toMatchObject({
      type: 'S3WritesUnfinished',
      message: expect.stringMatching(
        /Slurm job 17 \(COMPLETING\), process 4711 \(h5repack\) on the head node with …x+\/out\.h5, .* and 4 more\.$/,
      ),
    });
  });

  it('takes a head node that does not answer for unfinished, not for done', async () => {
    const silent = new KnownFailure('HeadNodeUnreachable', 'no route');
    await expect(settle([silent])).rejects.toBe(silent);
  });

  it('asks nobody when somebody lets go what is being written, and keeps who that was', async () => {
    const discard = { by: 'ada', reason: 'test data', at: '2026-11-26T10:00:00.000Z' };
    const { asked, kept } = await settle([[job]], discard);
    expect(asked).toEqual([]);
    expect(kept).toEqual([discard]);
  });
});
