import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { JobSpecInput } from '../../src/domain/job.ts';
import { isTerminal } from '../../src/domain/slurm-states.ts';
import { describeJobArrays } from './slurm-arrays.contract.ts';
import { gatewayJobs, type SlurmGatewayRig } from './slurm-gateway-jobs.ts';

/**
 * What every `SlurmGateway` must do, on whatever it stands.
 *
 * @param options.isThorough whether to run also what waits for Slurm's own clock (half a minute and more)
 */
export function describeSlurmGateway(
  name: string,
  makeRig: () => Promise<SlurmGatewayRig>,
  { isThorough = true }: { readonly isThorough?: boolean } = {},
): void {
  describe(`the Slurm gateway ${name}`, () => {
    let rig: SlurmGatewayRig;
    const jobs = gatewayJobs(() => rig);
    const { submit, submitAgain, submitWith, viewOf, endOf, idOf } = jobs;

    beforeAll(async () => {
      rig = await makeRig();
    });
    afterAll(async () => rig?.close());
    afterEach(async () => {
      await expect
        .poll(async () => rig.gateway.cancel(rig.head, {}), { timeout: 30_000 })
        .toEqual({ remaining: 0 });
    });

    it('says which queues there are and that accounting keeps comments', async () => {
      const health = await rig.gateway.ping(rig.head);
      // Not every transport can see it.
      expect(health.storesComments).not.toBe(false);
      expect(health.partitions).toContainEqual({ name: 'debug', availability: 'up', nodes: 2 });
    });

    it('runs jobs and tells how each of them ended', async () => {
      await submit(
        { key: 'ok', name: 'a name', command: ['true'] },
        { key: 'exits', command: ['sh', '-c', 'exit 3'] },
        { key: 'dies', command: ['sh', '-c', 'kill -11 $$'] },
      );
      expect(await endOf('ok')).toMatchObject({ state: 'succeeded', exitCode: 0, restarts: 0 });
      expect(await endOf('exits')).toMatchObject({ state: 'failed', exitCode: 3, reason: 'Exit code 3' });
      expect(await endOf('dies')).toMatchObject({ state: 'failed', signal: 11 });
      const { submittedAt, startedAt, endedAt, nodes } = await viewOf('ok');
      expect([submittedAt, startedAt, endedAt].every((time) => time !== undefined)).toBe(true);
      expect(nodes).not.toBe('');
    });

    it('adopts a job instead of making it again, while it lives and after its end', async () => {
      const both: JobSpecInput[] = [
        { key: 'lives', command: ['sleep', '100'] },
        { key: 'ended', command: ['true'] },
      ];
      const first = await submit(...both);
      await endOf('ended');
      const again = await submitAgain(...both);
      expect(again.map(({ status }) => status)).toEqual(['adopted', 'adopted']);
      expect(again.map(idOf)).toEqual(first.map(idOf));
    });

    it('makes one job for a key that is submitted many times at once', async () => {
      jobs.begin();
      const answers = await Promise.all(
        Array.from({ length: 5 }, async () => submitAgain({ key: 'one', command: ['true'] })),
      );
      expect(new Set(answers.map(([answer]) => idOf(answer))).size).toBe(1);
      expect(answers.filter(([answer]) => answer?.status === 'submitted')).toHaveLength(1);
    });

    it('reports a refusal in Slurm’s words and makes the other jobs', async () => {
      const answers = await submit(
        { key: 'wrong', queue: 'nowhere', command: ['true'] },
        { key: 'right', command: ['true'] },
      );
      expect(answers).toMatchObject([{ status: 'rejected' }, { status: 'submitted' }]);
      expect(answers[0]).toHaveProperty('message', expect.stringContaining('Invalid partition name'));
      expect((await endOf('right')).state).toBe('succeeded');
    });

    it('runs a job that can end before its deadline, and tells of one that cannot', async () => {
      const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
      const limited = { timeLimitSeconds: 600, command: ['true'] };
      const answers = await submit(
        { key: 'late', deadline: inSeconds(300), ...limited },
        { key: 'in-time', deadline: inSeconds(1200), ...limited },
      );
      const [late] = answers;
      // Slurm 22.05 takes it, and gives it up at once.
      const told = late?.status === 'rejected' ? late.message : (await endOf('late')).reason;
      expect(told).toMatch(/before its deadline|time limit is invalid/);
      expect((await endOf('in-time')).state).toBe('succeeded');
    });

    it('cancels one job, then all of a campaign, and says when none is left', async () => {
      await submit({ key: 'a', command: ['sleep', '100'] }, { key: 'ab', command: ['sleep', '100'] });
      await rig.gateway.cancel(rig.head, { campaignId: jobs.campaignId, jobKeys: ['a'] });
      expect((await endOf('a')).state).toBe('cancelled');
      expect(isTerminal((await viewOf('ab')).state)).toBe(false);
      await rig.gateway.cancel(rig.head, { campaignId: jobs.campaignId });
      expect((await endOf('ab')).state).toBe('cancelled');
      expect(await rig.gateway.cancel(rig.head, { campaignId: jobs.campaignId })).toEqual({ remaining: 0 });
    });

    it('starts jobs after those that they depend on, and cancels those that never can', async () => {
      jobs.begin();
      const first = await submitWith(
        {
          second: [{ key: 'first', condition: 'afterok' }],
          rescue: [{ key: 'first', condition: 'afternotok' }],
          behind: [{ key: 'rescue', condition: 'afterok' }],
          always: [
            { key: 'fails', condition: 'afterany' },
            { key: 'second', condition: 'afterok' },
          ],
        },
        { key: 'first', command: ['true'] },
        { key: 'fails', command: ['sh', '-c', 'exit 3'] },
        { key: 'second', command: ['true'] },
        { key: 'rescue', command: ['true'] },
        { key: 'behind', command: ['true'] },
        { key: 'always', command: ['true'] },
      );
      expect(first.map(({ status }) => status)).toEqual(Array(6).fill('submitted'));
      expect((await endOf('always')).state).toBe('succeeded');
      const [before, after] = [await viewOf('first'), await viewOf('second')];
      expect(Date.parse(after.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(before.endedAt ?? ''));
      const never = { state: 'cancelled', reason: 'A job that it depends on did not end as required' };
      expect(await endOf('rescue')).toMatchObject(never);
      expect(await endOf('behind')).toMatchObject(never);
    });

    it('starts a singleton after all jobs of its name that came before, in whatever campaign', async () => {
      const name = `only-one-${Date.now()}`;
      await submit({ key: 'first', name, command: ['sleep', '100'] });
      const { campaignId } = jobs;
      await submit({ key: 'second', name, singleton: true, command: ['true'] });
      await expect
        .poll(async () => (await viewOf('second')).pendingCause, { timeout: 20_000 })
        .toBe('dependency');
      await rig.gateway.cancel(rig.head, { campaignId });
      expect((await endOf('second')).state).toBe('succeeded');
    });

    it('takes a dependency on a job that has ended for met, or cancels, as long as Slurm knows it', async () => {
      await submit({ key: 'ended', command: ['true'] });
      await endOf('ended');
      await submitWith(
        {
          runs: [{ key: 'ended', condition: 'afterok' }],
          never: [{ key: 'ended', condition: 'afternotok' }],
        },
        { key: 'runs', command: ['true'] },
        { key: 'never', command: ['true'] },
      );
      expect((await endOf('runs')).state).toBe('succeeded');
      expect((await endOf('never')).state).toBe('cancelled');
    });

    it.runIf(isThorough)(
      'defers a job whose dependency Slurm has forgotten, and makes it once it is asked without',
      async () => {
        const [ended] = await submit({ key: 'ended', command: ['true'] });
        await endOf('ended');
        await rig.purge(idOf(ended));
        const waits = { late: [{ key: 'ended', condition: 'afterok' as const }] };
        const answers = await submitWith(waits, { key: 'late', command: ['true'] });
        expect(answers).toMatchObject([{ jobKey: 'late', status: 'deferred' }]);
        expect((await viewOf('late')).state).toBe('submitting');
        await submitAgain({ key: 'late', command: ['true'] });
        expect((await endOf('late')).state).toBe('succeeded');
        expect((await viewOf('ended')).state).toBe('succeeded');
      },
    );

    it('cancels the jobs that are named and no others', async () => {
      const four = ['a', 'b', 'c', 'd'].map((key) => ({ key, command: ['sleep', '100'] }));
      await submit(...four);
      await rig.gateway.cancel(rig.head, { campaignId: jobs.campaignId, jobKeys: ['a', 'c', 'nobody'] });
      expect([(await endOf('a')).state, (await endOf('c')).state]).toEqual(['cancelled', 'cancelled']);
      expect(await rig.gateway.cancel(rig.head, { campaignId: jobs.campaignId, jobKeys: [] })).toEqual({
        remaining: 0,
      });
      for (const key of ['b', 'd']) expect(isTerminal((await viewOf(key)).state)).toBe(false);
    });

    it('tells a held job from one that waits for its turn', async () => {
      // The first one fills the queue, so that the second waits and can be held.
      const [, held] = await submit(
        { key: 'fills', nodes: 2, cpusPerTask: 8, command: ['sleep', '100'] },
        { key: 'held', nodes: 2, cpusPerTask: 8, command: ['true'] },
      );
      await rig.hold(idOf(held));
      await expect
        .poll(async () => (await viewOf('held')).reason, { timeout: 10_000 })
        .toContain('Held by its user');
      expect((await viewOf('held')).state).toBe('pending');
    });

    // The same state of the same daemons is in slurm-states.contract.test.ts.
    it.runIf(isThorough && inject('fullTests'))('tells a reached time limit from a failure', async () => {
      const [job] = await submit({ key: 'slow', command: ['sleep', '100'] });
      await expect.poll(async () => (await viewOf('slow')).state, { timeout: 20_000 }).toBe('running');
      await rig.reachTimeLimit(idOf(job));
      expect(await endOf('slow')).toMatchObject({ state: 'timed-out', reason: 'Its time limit was reached' });
    });

    it('fails in every verb, and never answers "no jobs", while the controller is down', async () => {
      await submit({ key: 'stays', command: ['sleep', '100'] });
      await rig.stopController();
      try {
        const down = { type: 'SlurmUnavailable' };
        await Promise.all([
          expect(rig.gateway.observe(rig.head, {})).rejects.toMatchObject(down),
          expect(rig.gateway.ping(rig.head)).rejects.toMatchObject(down),
          expect(submitAgain({ key: 'later', command: ['true'] })).rejects.toMatchObject(down),
          expect(rig.gateway.cancel(rig.head, {})).rejects.toMatchObject(down),
        ]);
      } finally {
        await rig.startController();
      }
      expect(isTerminal((await viewOf('stays')).state)).toBe(false);
      expect(await submitAgain({ key: 'later', command: ['true'] })).toEqual([
        { jobKey: 'later', status: 'submitted', jobId: expect.any(String) as unknown },
      ]);
    });

    it('refuses a head node that proves another identity than the pinned one', async () => {
      await expect(rig.gateway.ping(rig.impostor)).rejects.toMatchObject({ type: 'HostKeyMismatch' });
      await expect(rig.gateway.observe(rig.impostor, {})).rejects.toMatchObject({ type: 'HostKeyMismatch' });
    });

    it('ends with the reason of a signal that has aborted', async () => {
      const signal = AbortSignal.abort(new Error('cancelled by the caller'));
      await expect(rig.gateway.observe(rig.head, {}, { signal })).rejects.toThrow('cancelled by the caller');
    });

    it('answers again after it was told to forget the connection', async () => {
      rig.gateway.disconnect(rig.head.epoch);
      await expect(rig.gateway.ping(rig.head)).resolves.toBeDefined();
    });

    describeJobArrays(() => rig, { isThorough });
  });
}
