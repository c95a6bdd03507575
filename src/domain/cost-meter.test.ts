import { describe, expect, it } from 'vitest';
import { array, assert, integer, property } from 'fast-check';
import { addedByMonth, readMeter, startMeter, withRate } from './cost-meter.ts';
import { fixedNodes, hourlyUsd, NOTHING, sumOfParts } from './cost-rates.ts';
import { queueSchema } from './queue.ts';

const START = '2026-01-15T00:00:00.000Z';
const at = (seconds: number) => new Date(Date.parse(START) + seconds * 1000).toISOString();

const rates = {
  version: 1 as const,
  region: 'us-east-1',
  headNodeUsdPerHour: 0.1,
  rootVolumeUsdPerHour: 0.004,
  computeResources: [
    { queue: 'main', name: 'small', instanceType: 'm5.large', usdPerHour: 0.5 },
    { queue: 'main', name: 'odd', instanceType: 'x9.none' },
  ],
  lustreUsdPerHour: 0.2,
  endpointsUsdPerHour: 0.13,
};

describe('the meter of a deployment', () => {
  const running = withRate(startMeter(START), { ...NOTHING, headNode: 0.1, nodes: 3 }, false);
  const seconds = integer({ min: 0, max: 90 * 86_400 });

  it('says the same however often it is read in between, also copied, as by a continue-as-new', () => {
    assert(
      property(array(seconds, { maxLength: 20 }), seconds, (moments, end) => {
        const before = moments.filter((moment) => moment <= end).toSorted((a, b) => a - b);
        const often = before.reduce(
          (meter, moment) => structuredClone(readMeter(meter, at(moment))),
          running,
        );
        const once = readMeter(running, at(end));
        const read = readMeter(often, at(end));
        expect(sumOfParts(read.usd)).toBeCloseTo(sumOfParts(once.usd), 6);
        expect(read.upTo).toBe(once.upTo);
      }),
    );
  });

  it('never falls, not even when the clock goes back', () => {
    assert(
      property(array(seconds, { maxLength: 20 }), (moments) => {
        let meter = running;
        for (const moment of moments) {
          const next = readMeter(meter, at(moment));
          expect(sumOfParts(next.usd)).toBeGreaterThanOrEqual(sumOfParts(meter.usd));
          meter = next;
        }
      }),
    );
  });

  it('gives each calendar month its part, and all parts together what it has counted', () => {
    assert(
      property(seconds, (end) => {
        const added = addedByMonth(running, at(end));
        const sum = Object.values(added).reduce((all, usd) => all + usd, 0);
        expect(sum).toBeCloseTo(sumOfParts(readMeter(running, at(end)).usd), 6);
      }),
    );
    const spring = addedByMonth(running, '2026-03-01T01:00:00.000Z');
    expect(Object.keys(spring)).toEqual(['2026-01', '2026-02', '2026-03']);
    expect(spring['2026-02']).toBeCloseTo(28 * 24 * 3.1, 6);
    expect(spring['2026-03']).toBeCloseTo(3.1, 6);
  });

  it('says for how long nobody saw which nodes were up', () => {
    const assumed = withRate(running, running.usdPerHour, true);
    expect(readMeter(assumed, at(600)).assumedSeconds).toBe(600);
    expect(readMeter(running, at(600)).assumedSeconds).toBe(0);
  });
});

describe('what exists costs an hour', () => {
  const nodes = { 'main-dy-small': 3, 'main-st-small': 1 };

  it('the head node, each node by its type with its volume, Lustre and the share of the endpoints', () => {
    const parts = hourlyUsd(rates, { stack: true, lustre: true, nodes });
    expect(parts.headNode).toBe(0.1);
    expect(parts.nodes).toBeCloseTo(2);
    expect(parts.rootVolumes).toBeCloseTo(5 * 0.004);
    expect(parts.lustre).toBe(0.2);
    expect(parts.endpoints).toBe(0.13);
  });

  it('nothing once everything is gone; Lustre and endpoints until the file system is gone', () => {
    expect(hourlyUsd(rates, { stack: false, lustre: false, nodes })).toEqual(NOTHING);
    expect(hourlyUsd(rates, { stack: false, lustre: true, nodes })).toEqual({
      ...NOTHING,
      lustre: 0.2,
      endpoints: 0.13,
    });
  });

  it('before anybody has looked, the nodes that never power down', () => {
    const small = { name: 'small', instanceType: 'm5.large', minCount: 2, maxCount: 4 };
    const queue = queueSchema.parse({ name: 'main', computeResources: [small] });
    expect(fixedNodes([queue])).toEqual({ 'main-st-small': 2 });
  });
});
