import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import { type CampaignNeeds, campaignNeedsSchema } from './campaign-needs.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { type InstanceType, instanceTypes } from './instance-types.ts';
import type { Alternative, FeasiblePlan, PlanAnswer, PlanningGround } from './plan.ts';
import { pricesIn } from './estimate.ts';
import { planCampaign } from './planner.ts';
import { planningGround } from './planning-ground.ts';
import { lustreInterfaces } from './lustre.ts';
import { fitOf, workloadOf } from './planner-workload.ts';

const ground = planningGround({ region: 'us-east-1', hasLustre: true });
const here = pricesIn(ground.prices, 'us-east-1') ?? expect.unreachable();
const times = { idleTimeoutSeconds: 1800, maxLifetimeSeconds: 90 * 86_400 };

function plan(needs: CampaignNeeds, where: PlanningGround = ground): PlanAnswer {
  return planCampaign(campaignNeedsSchema.parse(needs), times, where);
}

function planned(needs: CampaignNeeds, where: PlanningGround = ground): FeasiblePlan {
  const answer = plan(needs, where);
  if (answer.outcome === 'planned') return answer;
  return expect.unreachable(`${answer.limit}: ${answer.message}`);
}

function refused(needs: CampaignNeeds, where: PlanningGround = ground): Exclude<PlanAnswer, FeasiblePlan> {
  const answer = plan(needs, where);
  if (answer.outcome === 'infeasible') return answer;
  return expect.unreachable(`planned: ${answer.explanation.join(' ')}`);
}

/** A thousand jobs of an hour, each on one CPU with 4,000 MiB. */
const sweep: CampaignNeeds = { tasks: 1000, memoryMebibytesPerTask: 4000, expectedSecondsPerJob: 3600 };

const size = (max: number): fc.Arbitrary<number> =>
  fc.double({ min: 0, max: 1, noNaN: true }).map((part) => Math.ceil(max ** part));

/** Sizes are as often small as large: of numbers that are evenly spread nearly all needs would be too much. */
const anyNeeds: fc.Arbitrary<CampaignNeeds> = fc
  .record(
    {
      jobs: size(10_000),
      tasksPerJob: size(1000),
      mpi: fc.boolean(),
      cpusPerTask: fc.constantFrom(1, 1, 2, 4, 16, 96, 500),
      memoryMebibytesPerTask: size(500_000),
      jobsAtOnce: size(10_000),
      expectedSecondsPerJob: size(10 * 86_400),
      deadlineSeconds: size(20 * 86_400).map((seconds) => seconds + 3600),
      budgetUsd: size(1_000_000).map((usd) => usd + 0.5),
      storageGibibytes: size(240_000),
      lustre: fc.constantFrom('yes', 'no', 'auto'),
      capacityType: fc.constantFrom('ONDEMAND', 'SPOT'),
    },
    { requiredKeys: ['jobs', 'memoryMebibytesPerTask', 'expectedSecondsPerJob'] },
  )
  .map(({ jobs, ...needs }) => ({ ...needs, tasks: jobs * (needs.tasksPerJob ?? 1) }));

/** What of a plan does not hold, by name; nothing where there is none. */
function wrongIn(needs: CampaignNeeds, answer: PlanAnswer): string[] {
  if (answer.outcome !== 'planned') return [];
  const { shape, spec, estimate } = answer;
  const { tasksPerJob = 1, cpusPerTask = 1, memoryMebibytesPerTask, mpi = false } = needs;
  const { deadlineSeconds = Infinity, budgetUsd = Infinity, jobsAtOnce = Infinity } = needs;
  const type = typeOf(shape.instanceType);
  const isSpread = shape.nodesPerJob > 1;
  const tasksOnANode = Math.ceil(tasksPerJob / shape.nodesPerJob) * shape.jobsPerNode;
  const nodes = Math.ceil(shape.jobsAtOnce / shape.jobsPerNode) * shape.nodesPerJob;
  const { total, ...parts } = estimate.usd;
  const sum = Object.values(parts).reduce((all, each) => all + each, 0);
  const [queue] = resolveClusterSpec(clusterSpecInputSchema.parse(spec)).queues;
  const [resource] = queue?.computeResources ?? [];
  const rules: Record<string, boolean> = {
    cpus: tasksOnANode * cpusPerTask <= type.cores,
    memory: tasksOnANode * memoryMebibytesPerTask <= 0.95 * type.memoryMebibytes,
    nodes: shape.nodes === nodes && resource?.maxCount === nodes,
    jobsAtOnce: shape.jobsAtOnce <= jobsAtOnce,
    rounds: shape.jobsAtOnce * shape.rounds >= workloadOf(needs).jobs,
    mpi: !isSpread || (mpi && type.efa),
    spot: needs.capacityType !== 'SPOT' || type.spot,
    addresses: nodes + 1 + lustreInterfaces(spec.lustre?.sizeGibibytes) <= 251,
    type: resource?.instanceType === shape.instanceType,
    network: queue?.placementGroup === isSpread && resource?.efa === isSpread,
    deadline: estimate.seconds <= deadlineSeconds,
    budget: total <= budgetUsd,
    sum: Math.abs(total - sum) < 0.01 && Object.values(parts).every((each) => each >= 0),
  };
  return Object.entries(rules).flatMap(([name, holds]) => (holds ? [] : [name]));
}

function typeOf(name: string): InstanceType {
  const type = instanceTypes[name];
  if (!type) throw new Error(`no data of ${name}`);
  return type;
}

/** Whether one plan is no worse than another, which need not exist. */
function isNoWorse(than: PlanAnswer, answer: PlanAnswer, of: (plan: FeasiblePlan) => number): boolean {
  return than.outcome !== 'planned' || (answer.outcome === 'planned' && of(answer) <= of(than));
}

describe('a plan', () => {
  it('gives every job what it needs, on nodes that EC2 and ParallelCluster know, in time and for the money', () => {
    expectAlways(
      fc.property(anyNeeds, (needs) => {
        expect(wrongIn(needs, plan(needs))).toEqual([]);
      }),
      1000,
    );
  });

  it('leaves addresses of its subnet to the file system', () => {
    const needs: CampaignNeeds = {
      tasks: 4000,
      cpusPerTask: 96,
      memoryMebibytesPerTask: 1000,
      expectedSecondsPerJob: 3600,
      storageGibibytes: 120_000,
    };
    const shapeFor = (lustre: 'yes' | 'no') =>
      planned({ ...needs, lustre, deadlineSeconds: 12 * 3600 }).shape;
    expect(shapeFor('no').nodes).toBeGreaterThan(149);
    expect(plan({ ...needs, lustre: 'yes', deadlineSeconds: 12 * 3600 }).outcome).toBe('infeasible');
    expect(planned({ ...needs, lustre: 'yes', deadlineSeconds: 16 * 3600 }).shape.nodes).toBeLessThanOrEqual(
      149,
    );
  });

  it('is there for many needs and not for many others, so that these tests say something', () => {
    const outcomes = fc
      .sample(anyNeeds, { numRuns: 200, seed: 20_260_115 })
      .map((needs) => plan(needs).outcome);
    const planned = outcomes.filter((outcome) => outcome === 'planned').length;
    expect(planned).toBeGreaterThan(40);
    expect(planned).toBeLessThan(160);
  });

  it('is not refused where what comes nearest would do', () => {
    expectAlways(
      fc.property(anyNeeds, (needs) => {
        const answer = plan(needs);
        const { deadlineSeconds = Infinity, budgetUsd = Infinity } = needs;
        const nearest = answer.outcome === 'infeasible' ? answer.nearest : [];
        const isTold = answer.outcome === 'planned' || answer.limit === 'no-type' || nearest.length > 0;
        const good = nearest.filter(
          ({ estimate }) =>
            estimate.seconds <= Math.min(deadlineSeconds, times.maxLifetimeSeconds) &&
            estimate.usd.total <= budgetUsd,
        );
        expect({ isTold, good }).toEqual({ isTold: true, good: [] });
      }),
    );
  });

  it('is never slower for more money', () => {
    expectAlways(
      fc.property(anyNeeds, fc.double({ min: 1, max: 20, noNaN: true }), (needs, factor) => {
        const { budgetUsd = 50 } = needs;
        const less = plan({ ...needs, budgetUsd });
        const more = plan({ ...needs, budgetUsd: budgetUsd * factor });
        expect(isNoWorse(less, more, ({ estimate }) => estimate.seconds)).toBe(true);
      }),
    );
  });

  it('is never dearer for more time', () => {
    expectAlways(
      fc.property(anyNeeds, fc.integer({ min: 0, max: 86_400 }), (needs, extra) => {
        const { deadlineSeconds = 7200, budgetUsd: _budgetUsd, ...rest } = needs;
        const short = plan({ ...rest, deadlineSeconds });
        const long = plan({ ...rest, deadlineSeconds: deadlineSeconds + extra });
        expect(isNoWorse(short, long, ({ estimate }) => estimate.usd.total)).toBe(true);
      }),
    );
  });

  it('is the same for the same needs, in whatever order the types come', () => {
    const reversed = Object.fromEntries(Object.entries(instanceTypes).toReversed());
    expectAlways(
      fc.property(anyNeeds, (needs) => {
        expect(plan(needs, { ...ground, instanceTypes: reversed })).toEqual(plan(needs));
      }),
      50,
    );
  });
});

describe('what is chosen', () => {
  it('is the cheapest that is in time, and with a budget about the fastest that it pays for', () => {
    const patient = planned({ ...sweep, deadlineSeconds: 86_400 });
    const hasty = planned({ ...sweep, deadlineSeconds: 7200 });
    expect(patient.shape).toMatchObject({ instanceType: 'm7a.24xlarge', nodes: 1, rounds: 11 });
    expect(hasty.shape).toMatchObject({ instanceType: 'm7a.24xlarge', nodes: 11, rounds: 1 });
    expect(hasty.estimate.usd.total).toBeGreaterThan(patient.estimate.usd.total);
    expect(planned({ ...sweep, budgetUsd: 100 }).shape).toEqual(hasty.shape);
    expect(planned(sweep).shape).toEqual(patient.shape);
  });

  it('has memory for its jobs: the same type is not best for little and for much', () => {
    expect(planned({ ...sweep, memoryMebibytesPerTask: 500 }).shape.instanceType).toMatch(/^c7a\./);
    expect(planned({ ...sweep, memoryMebibytesPerTask: 9000 }).shape.instanceType).toMatch(/^r/);
    expect(planned({ ...sweep, memoryMebibytesPerTask: 500 }).explanation.join(' ')).toContain(
      'CPUs are what limits',
    );
    expect(planned({ ...sweep, memoryMebibytesPerTask: 9000 }).explanation.join(' ')).toContain(
      'memory is what limits',
    );
  });

  it('joins the nodes of a job by EFA and gives them Lustre, where MPI spreads jobs', () => {
    const needs = { ...sweep, tasks: 1536, tasksPerJob: 384, mpi: true, memoryMebibytesPerTask: 1500 };
    const { spec, shape, explanation } = planned(needs);
    expect(shape).toMatchObject({
      nodesPerJob: expect.toSatisfy((nodes: number) => nodes > 1),
      jobsPerNode: 1,
    });
    expect(spec.queues?.[0]).toMatchObject({ placementGroup: true, computeResources: [{ efa: true }] });
    expect(spec.lustre).toEqual({ sizeGibibytes: 1200, throughputMegabytesPerSecondPerTebibyte: 250 });
    expect(explanation.join(' ')).toContain('jobs run on several nodes');
    expect(planned({ ...needs, lustre: 'no' }).spec.lustre).toBeUndefined();
    expect(planned(needs, { ...ground, hasLustre: false }).spec.lustre).toBeUndefined();
    expect(refused({ ...needs, mpi: false }).limit).toBe('no-type');
  });

  it.each([
    [0, undefined],
    [800, undefined],
    [840, 1200],
    [1200, 1200],
    [1201, undefined],
    [1700, 2400],
    [5000, undefined],
    [5100, 7200],
  ])(
    'has for %d GiB of files Lustre of %s GiB: the smallest that holds them, once it costs less than EFS',
    (storageGibibytes, size) => {
      expect(planned({ ...sweep, storageGibibytes }).spec.lustre?.sizeGibibytes).toBe(size);
    },
  );

  it('spreads a job over nodes only by MPI, and only on types with EFA', () => {
    const [withEfa, without] = [typeOf('c7a.48xlarge'), typeOf('c7a.24xlarge')];
    const workload = workloadOf({ ...sweep, tasksPerJob: 500, mpi: true, memoryMebibytesPerTask: 1 });
    expect(fitOf(workload, withEfa)).toMatchObject({ nodesPerJob: 3, jobsPerNode: 1 });
    expect(fitOf(workload, without)).toBeUndefined();
    expect(fitOf({ ...workload, isMpi: false }, withEfa)).toBeUndefined();
  });

  it('counts node hours in nodes of 192 CPUs', () => {
    const { jobs, secondsPerJob } = workloadOf({
      tasks: 192,
      memoryMebibytesPerTask: 1,
      expectedNodeHours: 10,
    });
    expect([jobs, secondsPerJob]).toEqual([192, 36_000]);
  });

  it('is the newer of two types that are alike in size and price', () => {
    const alike = ['m5.8xlarge', 'm6i.8xlarge'].map((name) => [name, typeOf(name)] as const);
    for (const types of [alike, alike.toReversed()]) {
      const { shape } = planned(sweep, { ...ground, instanceTypes: Object.fromEntries(types) });
      expect(shape.instanceType).toBe('m6i.8xlarge');
    }
  });

  it('switches threads off where a core has two, and takes spot instances only if asked', () => {
    const intel = {
      ...ground,
      instanceTypes: { 'c7i.48xlarge': typeOf('c7i.48xlarge') },
    };
    expect(planned(sweep, intel).spec.queues?.[0]?.computeResources[0]).toMatchObject({
      multithreading: false,
    });
    const spot = planned({ ...sweep, capacityType: 'SPOT' });
    expect(spot.spec.queues?.[0]?.capacityType).toBe('SPOT');
    expect(spot.estimate.isUpperBound).toBe(true);
    expect(planned(sweep).estimate).not.toHaveProperty('isUpperBound');
  });
});

function theOne(alternatives: readonly Alternative[], kind: string): Alternative {
  const [one, ...more] = alternatives.filter((each) => each.kind === kind);
  if (!one || more.length > 0) throw new Error(`${more.length + 1} of ${kind}`);
  return one;
}

describe('the alternatives', () => {
  it('are a cheaper one, a faster one, spot, and the best tier, each with what it costs', () => {
    const { alternatives, estimate } = planned({ ...sweep, deadlineSeconds: 5 * 3600 });
    const of = (kind: string) => theOne(alternatives, kind);
    expect(alternatives.map(({ kind }) => kind)).toEqual(['cheaper', 'faster', 'spot', 'tier']);
    expect(of('cheaper').estimate.usd.total).toBeLessThan(estimate.usd.total);
    expect(of('cheaper').estimate.seconds).toBeGreaterThan(estimate.seconds);
    expect(of('faster').estimate.seconds).toBeLessThan(estimate.seconds);
    expect(of('spot').estimate).toMatchObject({ isUpperBound: true, usd: estimate.usd });
    expect(of('tier').spec).toMatchObject({ tier: 'prod-mpi-mem' });
    expect(clusterSpecInputSchema.safeParse(of('tier').spec).success).toBe(true);
  });

  it('name no tier whose jobs may not run so long, and none whose types have no price', () => {
    const kinds = (needs: CampaignNeeds): (string | undefined)[] =>
      planned(needs).alternatives.map(({ spec }) => spec.tier);
    // 720 minutes in prod-mpi, 120 in prod-batch.
    const small = { ...sweep, tasks: 10, memoryMebibytesPerTask: 500 };
    expect(kinds({ ...small, expectedSecondsPerJob: 7200 })).toContain('prod-batch');
    expect(kinds({ ...small, expectedSecondsPerJob: 7201 })).not.toContain('prod-batch');
    expect(kinds({ ...small, expectedSecondsPerJob: 43_201 })).not.toContain('prod-mpi');
    expect(kinds(small)).not.toContain('prod-mpi-hpc');
  });
});

describe('needs that nothing satisfies', () => {
  it.each<[string, CampaignNeeds, string[]]>([
    ['deadline', { ...sweep, deadlineSeconds: 4000 }, ['faster']],
    ['budget', { ...sweep, budgetUsd: 1 }, ['cheaper']],
    ['deadline-and-budget', { ...sweep, deadlineSeconds: 7200, budgetUsd: 65 }, ['faster', 'cheaper']],
  ])('are told that it is the %s, and what comes nearest', (limit, needs, kinds) => {
    const { nearest, message, ...answer } = refused(needs);
    expect(answer.limit).toBe(limit);
    expect(nearest.map(({ kind }) => kind)).toEqual(kinds);
    expect(message).toContain(`${nearest[0]?.estimate.usd.total} USD`);
  });

  it('are told what the largest node has, and which types would do if they had a price', () => {
    const { message, nearest, limit } = refused({ ...sweep, memoryMebibytesPerTask: 1_600_000 });
    expect([limit, nearest]).toEqual(['no-type', []]);
    expect(message).toMatch(/The largest in us-east-1 have 192 CPUs and 1494220 MiB for jobs\.$/);
    const usdPerHour = { 't3.medium': 0.0416 };
    const poor = { ...here, ec2OnDemandLinux: { ...here.ec2OnDemandLinux, usdPerHour } };
    const prices = { ...ground.prices, regions: { 'us-east-1': poor } };
    const { message: unpriced } = refused({ ...sweep, cpusPerTask: 192 }, { ...ground, prices });
    expect(unpriced).toContain('hpc7a.96xlarge');
    expect(unpriced).toContain('would do, but us-east-1 has no price of them');
  });

  it('are told when the cluster may not live so long, when there are no prices, and when there is no Lustre', () => {
    const long = { ...sweep, expectedSecondsPerJob: 8 * 86_400 };
    const week = { ...times, maxLifetimeSeconds: 7 * 86_400 };
    const answer = planCampaign(long, week, ground);
    expect(answer).toMatchObject({
      outcome: 'infeasible',
      limit: 'max-lifetime',
      nearest: [{ kind: 'faster' }],
    });
    expect(refused(sweep, { ...ground, region: 'mars-north-1' }).limit).toBe('no-prices');
    expect(refused({ ...sweep, lustre: 'yes' }, { ...ground, hasLustre: false }).limit).toBe('no-lustre');
  });
});
