import { describe, expect, it } from 'vitest';
import { isTerminal } from '../../src/domain/slurm-states.ts';

import { gatewayJobs, type SlurmGatewayRig } from './slurm-gateway-jobs.ts';

const exitsWithItsIndex = ['sh', '-c', 'exit $SLURM_ARRAY_TASK_ID'];

/** What every `SlurmGateway` must do with job arrays. */
export function describeJobArrays(
  rigOf: () => SlurmGatewayRig,
  { isThorough }: { readonly isThorough: boolean },
): void {
  describe('with job arrays', () => {
    const jobs = gatewayJobs(rigOf);
    const { submit, submitAgain, submitWith, viewOf, endOf, idOf } = jobs;

    it('runs a task for each index and tells how each of them ended', async () => {
      const [array] = await submit({
        key: 'array',
        command: exitsWithItsIndex,
        array: { indexes: '0-4:2,7' },
      });
      const id = idOf(array);
      expect(await endOf('array_0')).toMatchObject({ state: 'succeeded', slurmJobId: `${id}_0` });
      for (const index of [2, 4, 7]) {
        const end = { state: 'failed', exitCode: index, slurmJobId: `${id}_${index}` };
        expect(await endOf(`array_${index}`)).toMatchObject(end);
      }
      expect((await viewOf('array_1')).state).toBe('submitting');
    });

    it('adopts an array instead of making it again, while tasks of it live and after the end of all', async () => {
      const both = [
        { key: 'lives', command: ['sleep', '100'], array: { indexes: '0-3', maxRunningTasks: 1 } },
        { key: 'ended', command: ['true'], array: { indexes: '5' } },
      ];
      const first = await submit(...both);
      await endOf('ended_5');
      const again = await submitAgain(...both);
      expect(again.map(({ status }) => status)).toEqual(['adopted', 'adopted']);
      expect(again.map(idOf)).toEqual(first.map(idOf));
    });

    it('lets no more tasks run at a time than are wanted, and says so of the others', async () => {
      // Longer than what Slurm shows of a list, unless it is told not to cut it off.
      const indexes = '1,3,4,7,9,10,13,15,16,19,21,22,25,27,28,31,33,34,37,39,40,43,79';
      await submit({ key: 'few', command: ['sleep', '100'], array: { indexes, maxRunningTasks: 1 } });
      await expect.poll(async () => (await viewOf('few_1')).state, { timeout: 20_000 }).toBe('running');
      for (const key of ['few_3', 'few_39', 'few_79']) {
        expect(await viewOf(key)).toMatchObject({ state: 'pending', pendingCause: 'limit' });
      }
    });

    it('cancels the tasks that are named, whether they run or wait, and no others', async () => {
      await submit({ key: 'some', command: ['sleep', '100'], array: { indexes: '0-4', maxRunningTasks: 1 } });
      await expect.poll(async () => (await viewOf('some_0')).state, { timeout: 20_000 }).toBe('running');
      const { gateway, head } = rigOf();
      await gateway.cancel(head, { campaignId: jobs.campaignId, jobKeys: ['some_0', 'some_3', 'some_9'] });
      expect(await endOf('some_3')).toMatchObject({ state: 'cancelled' });
      expect(await endOf('some_0')).toMatchObject({ state: 'cancelled' });
      for (const key of ['some_1', 'some_2', 'some_4']) {
        expect(isTerminal((await viewOf(key)).state), key).toBe(false);
      }
    });

    it('starts a job after a whole array or after one task of it, and cancels what never can', async () => {
      jobs.begin();
      const answers = await submitWith(
        {
          afterAll: [{ key: 'array', condition: 'afterany' }],
          afterOne: [{ key: 'array', condition: 'afterok', arrayTaskId: 0 }],
          never: [{ key: 'array', condition: 'afterok' }],
          rescue: [{ key: 'array', condition: 'afternotok' }],
        },
        { key: 'array', command: exitsWithItsIndex, array: { indexes: '0-2' } },
        { key: 'afterAll', command: ['true'] },
        { key: 'afterOne', command: ['true'] },
        { key: 'never', command: ['true'] },
        { key: 'rescue', command: ['true'] },
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(5).fill('submitted'));
      expect((await endOf('afterOne')).state).toBe('succeeded');
      expect((await endOf('afterAll')).state).toBe('succeeded');
      expect((await endOf('rescue')).state).toBe('succeeded');
      expect(await endOf('never')).toMatchObject({
        state: 'cancelled',
        reason: 'A job that it depends on did not end as required',
      });
      const last = Math.max(
        ...(await Promise.all([0, 1, 2].map(async (index) => viewOf(`array_${index}`)))).map(({ endedAt }) =>
          Date.parse(endedAt ?? ''),
        ),
      );
      expect(Date.parse((await viewOf('afterAll')).startedAt ?? '')).toBeGreaterThanOrEqual(last);
    });

    it.runIf(isThorough)('tells how tasks ended that Slurm has forgotten', async () => {
      const [array] = await submit({
        key: 'old',
        command: exitsWithItsIndex,
        array: { indexes: '0-1' },
      });
      await endOf('old_0');
      await endOf('old_1');
      await rigOf().purge(idOf(array));
      expect(await viewOf('old_0')).toMatchObject({ state: 'succeeded' });
      // Accounting of 22.05 does not tell slurmrestd exit codes.
      expect(await viewOf('old_1')).toMatchObject({ state: 'failed' });
    });
  });
}
