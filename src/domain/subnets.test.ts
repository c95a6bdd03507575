import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import {
  acquire,
  type AcquireDecision,
  emptyPool,
  freeSubnets,
  nextWaiters,
  type PoolSnapshot,
  type PoolSubnet,
  release,
  renderPoolDetails,
} from './subnets.ts';

const START = Date.parse('2026-01-15T12:00:00.000Z');
const HOUR_SECONDS = 3600;

function subnet(subnetId: string, changes: Partial<PoolSubnet> = {}): PoolSubnet {
  return { subnetId, availabilityZone: 'us-east-1a', availableAddresses: 250, usedByEpochs: [], ...changes };
}

/** A pool and the VPC that it leases, as EC2 and CloudFormation would show it. */
class Vpc {
  pool: PoolSnapshot = emptyPool;
  nowSeconds = 0;
  private readonly stacks = new Map<string, Set<string>>();

  constructor(subnetCount: number) {
    for (let index = 0; index < subnetCount; index++) this.stacks.set(`subnet-${index}`, new Set());
  }

  subnets(): PoolSubnet[] {
    return [...this.stacks].map(([id, epochs]) => subnet(id, { usedByEpochs: [...epochs] }));
  }

  acquire(epoch: string): AcquireDecision {
    const now = new Date(START + this.nowSeconds * 1000).toISOString();
    const decision = acquire(this.pool, { epoch, holderWorkflowId: `cluster/${epoch}`, now }, this.subnets());
    this.pool = decision.pool;
    return decision;
  }

  /** A stack begins to live in a subnet, or goes. */
  toggleStack(index: number, epoch: string): void {
    const epochs = [...this.stacks.values()][index % this.stacks.size];
    if (!epochs?.delete(epoch)) epochs?.add(epoch);
  }

  release(epoch: string): void {
    this.pool = release(this.pool, epoch);
  }
}

const epochs = fc.constantFrom('e1', 'e2', 'e3', 'e4', 'e5', 'e6');
type Step = (
  vpc: Vpc,
  check: (epoch: string, decision: AcquireDecision, before: Vpc['pool']) => void,
) => void;
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: epochs.map((epoch): Step => (vpc, check) => {
      const before = vpc.pool;
      check(epoch, vpc.acquire(epoch), before);
    }),
  },
  {
    weight: 3,
    arbitrary: epochs.map(
      (epoch): Step =>
        (vpc) =>
          vpc.release(epoch),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(4).map(
      (index): Step =>
        (vpc) =>
          vpc.toggleStack(index, 'foreign'),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 1800 }).map((seconds): Step => (vpc) => {
      vpc.nowSeconds += seconds;
    }),
  },
);

/** Plays random histories of a pool of one to four subnets and looks at every answer to `acquire`. */
function expectOfEveryAnswer(
  look: (answer: { epoch: string; decision: AcquireDecision; before: PoolSnapshot; vpc: Vpc }) => void,
): void {
  const histories = fc.array(steps, { minLength: 1, maxLength: 60, size: 'max' });
  expectAlways(
    fc.property(fc.integer({ min: 1, max: 4 }), histories, (count, history) => {
      const vpc = new Vpc(count);
      for (const step of history) {
        step(vpc, (epoch, decision, before) => look({ epoch, decision, before, vpc }));
      }
    }),
    300,
  );
}

describe('over any history of a pool', () => {
  it('no subnet has two leases, no epoch has two, and none both leases and waits', () => {
    expectOfEveryAnswer(({ vpc: { pool } }) => {
      const leased = pool.leases.map(({ subnetId }) => subnetId);
      const holders = [...pool.leases, ...pool.waiting].map(({ epoch }) => epoch);
      expect(new Set(leased).size).toBe(leased.length);
      expect(new Set(holders).size).toBe(holders.length);
    });
  });

  it('an epoch that has a lease gets it again and changes nothing', () => {
    let repeated = 0;
    expectOfEveryAnswer(({ epoch, decision, before }) => {
      const held = before.leases.find((lease) => lease.epoch === epoch);
      if (!held) return;
      repeated += 1;
      expect(decision).toEqual({ pool: before, lease: held, position: 0 });
    });
    expect(repeated).toBeGreaterThan(100);
  });

  it('a subnet in which a foreign stack lives is never given', () => {
    let given = 0;
    expectOfEveryAnswer(({ decision: { lease }, before, vpc }) => {
      if (!lease || before.leases.includes(lease)) return;
      given += 1;
      const inhabited = vpc.subnets().filter(({ usedByEpochs }) => usedByEpochs.length > 0);
      expect(inhabited.map(({ subnetId }) => subnetId)).not.toContain(lease.subnetId);
    });
    expect(given).toBeGreaterThan(100);
  });

  it('first come, first served: whoever gets a subnet leaves one for everybody who waited longer', () => {
    let overtaken = 0;
    expectOfEveryAnswer(({ epoch, decision, before, vpc }) => {
      if (!decision.lease || before.leases.includes(decision.lease)) return;
      const place = before.waiting.findIndex((waiter) => waiter.epoch === epoch);
      const longer = place < 0 ? before.waiting : before.waiting.slice(0, place);
      const alive = new Set(decision.pool.waiting.map((waiter) => waiter.epoch));
      const waitedLonger = longer.filter((waiter) => alive.has(waiter.epoch));
      overtaken += waitedLonger.length;
      expect(freeSubnets(vpc.pool, vpc.subnets()).length).toBeGreaterThanOrEqual(waitedLonger.length);
    });
    expect(overtaken).toBeGreaterThan(10);
  });

  it('nobody waits while a subnet is left for him, and everybody knows his place', () => {
    let waited = 0;
    expectOfEveryAnswer(({ epoch, decision: { lease, position, pool }, vpc }) => {
      if (lease) return;
      waited += 1;
      expect(pool.waiting[position - 1]?.epoch).toBe(epoch);
      expect(freeSubnets(pool, vpc.subnets()).length).toBeLessThan(position);
    });
    expect(waited).toBeGreaterThan(100);
  });

  it('an epoch that gave its subnet back holds nothing and waits for nothing', () => {
    expectOfEveryAnswer(({ epoch, vpc }) => {
      const { leases, waiting } = release(vpc.pool, epoch);
      expect([...leases, ...waiting].map((each) => each.epoch)).not.toContain(epoch);
      const others = [...vpc.pool.leases, ...vpc.pool.waiting].filter((each) => each.epoch !== epoch);
      expect([...leases, ...waiting]).toEqual(others);
    });
  });
});

describe('the pool', () => {
  it('prefers the subnet with most free addresses, and leaves one alone that has no room for a cluster', () => {
    const subnets = [
      subnet('small', { availableAddresses: 2 }),
      subnet('full', { availableAddresses: 1 }),
      subnet('b', { availableAddresses: 100 }),
      subnet('a', { availableAddresses: 100 }),
    ];
    expect(freeSubnets(emptyPool, subnets).map(({ subnetId }) => subnetId)).toEqual(['a', 'b', 'small']);
  });

  it('gives the place of a waiter that asked for the last time more than an hour ago to the next', () => {
    const vpc = new Vpc(1);
    vpc.acquire('holder');
    expect(vpc.acquire('dead').position).toBe(1);
    expect(vpc.acquire('alive').position).toBe(2);
    vpc.nowSeconds = HOUR_SECONDS;
    expect(vpc.acquire('alive').position).toBe(2);
    vpc.nowSeconds = HOUR_SECONDS + 1;
    expect(vpc.acquire('alive').position).toBe(1);
  });

  it('keeps the place and the time of a waiter that asks again', () => {
    const vpc = new Vpc(1);
    vpc.acquire('holder');
    vpc.acquire('first');
    vpc.acquire('second');
    for (let asked = 0; asked < 10; asked++) {
      vpc.nowSeconds += 900;
      vpc.acquire('second');
      expect(vpc.acquire('first').position).toBe(1);
    }
    expect(vpc.pool.waiting[0]).toMatchObject({ epoch: 'first', since: '2026-01-15T12:00:00.000Z' });
    vpc.release('holder');
    expect(vpc.acquire('second').lease).toBeUndefined();
    expect(vpc.acquire('first').lease?.subnetId).toBe('subnet-0');
  });

  it('tells the first three that wait, in their order', () => {
    const vpc = new Vpc(1);
    for (const epoch of ['holder', 'a', 'b', 'c', 'd']) vpc.acquire(epoch);
    expect(nextWaiters(vpc.pool).map(({ epoch }) => epoch)).toEqual(['a', 'b', 'c']);
  });

  it('shows an operator who holds which subnet and who waits', () => {
    const vpc = new Vpc(1);
    for (const epoch of ['e1', 'e2']) vpc.acquire(epoch);
    expect(renderPoolDetails('vpc-1', vpc.pool).split('\n')).toEqual([
      '## Subnets of vpc-1: 1 leased, 1 waiting',
      '',
      '| subnet | zone | held by | epoch | since |',
      '| --- | --- | --- | --- | --- |',
      '| subnet-0 | us-east-1a | cluster/e1 | e1 | 2026-01-15T12:00:00.000Z |',
      '| waits |  | cluster/e2 | e2 | 2026-01-15T12:00:00.000Z |',
    ]);
  });

  it('survives a journey as JSON', () => {
    const vpc = new Vpc(1);
    for (const epoch of ['e1', 'e2']) vpc.acquire(epoch);
    expect(JSON.parse(JSON.stringify(vpc.pool))).toEqual(vpc.pool);
  });
});

describe('a cluster that avoids zones', () => {
  const inZones = (zones: readonly string[]) =>
    zones.map((availabilityZone, index) =>
      subnet(`subnet-${index}`, { availabilityZone, availableAddresses: 250 - index }),
    );
  const ask = (pool: PoolSnapshot, epoch: string, zones: readonly string[], avoidZones: readonly string[]) =>
    acquire(
      pool,
      { epoch, holderWorkflowId: epoch, now: new Date(START).toISOString(), avoidZones },
      inZones(zones),
    );

  it('gets the first subnet elsewhere', () => {
    expect(ask(emptyPool, 'e1', ['a', 'a', 'b'], ['a']).lease).toMatchObject({ subnetId: 'subnet-2' });
  });

  it('waits while only those are free, and keeps nobody behind it from them', () => {
    const first = ask(emptyPool, 'e1', ['a'], ['a']);
    expect(first).toMatchObject({ position: 1 });
    expect(first.lease).toBeUndefined();
    const second = ask(first.pool, 'e2', ['a'], []);
    expect(second.lease).toMatchObject({ epoch: 'e2', subnetId: 'subnet-0' });
    expect(second.pool.waiting.map(({ epoch }) => epoch)).toEqual(['e1']);
  });

  it('is before those who came later when one comes free that is of use to it, and is told of no other', () => {
    const { pool } = ask(emptyPool, 'e1', [], ['a']);
    const behind = ask(pool, 'e2', ['b'], []);
    expect(behind.lease).toBeUndefined();
    expect(nextWaiters(behind.pool, 'b').map(({ epoch }) => epoch)).toEqual(['e1', 'e2']);
    expect(nextWaiters(behind.pool, 'a').map(({ epoch }) => epoch)).toEqual(['e2']);
  });
});
