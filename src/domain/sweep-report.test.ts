import { describe, expect, it } from 'vitest';
import type { OrphanCost } from './orphan-costs.ts';
import type { Orphan } from './orphans.ts';
import { renderSweep, reportOf } from './sweep-report.ts';

const costing = (usdPerHour: number, more: Partial<OrphanCost> = {}): OrphanCost => ({
  usdPerHour,
  usdPerMonth: usdPerHour * 730,
  usdSoFar: usdPerHour * 10,
  unpriced: [],
  ...more,
});
const orphan = (projectId: string, cost?: OrphanCost): Orphan => ({
  virtualLabId: 'lab',
  projectId,
  clusterName: `pcluster-lab-${projectId}`,
  epoch: `epoch-of-${projectId}`,
  resources: [
    { kind: 'stack', id: 'stack-1', cost: { usdPerHour: 1.5 } },
    { kind: 'instance', id: 'i-1', cost: { unpriced: 'no price of x9.huge' } },
    { kind: 'key-pair', id: 'key-1', cost: { usdPerHour: 0 } },
  ],
  ...(cost && { cost }),
});
const operator = { taskQueue: 'queue', namespace: 'default', request: {} };
const at = '2026-11-26T10:00:00.000Z';
const render = (orphans: readonly Orphan[]) =>
  renderSweep(
    reportOf({ orphans, lookAlikes: [], attended: 3 }, { at, reapers: ['orphan/1'], removed: [], operator }),
  );

describe('the report of a sweep', () => {
  it('begins with the sum, and has the dearest orphan first', () => {
    const lines = render([orphan('cheap', costing(0.5)), orphan('dear', costing(2))]).split('\n');
    expect(lines[1]).toBe(
      '**What is left behind costs 2.5000 USD an hour (1825.00 a month), 25.00 USD so far.**',
    );
    expect(lines.flatMap((line) => /^\| \*\*(lab\/\w+)/.exec(line)?.slice(1) ?? [])).toEqual([
      'lab/dear',
      'lab/cheap',
    ]);
  });

  it('tells of each thing what it costs, and what has no price', () => {
    const text = render([orphan('one', costing(1.5, { unpriced: ['instance i-1: no price of x9.huge'] }))]);
    expect(text).toContain('at least 1.5000 USD an hour');
    expect(text).toContain('1 thing without a price or a date not counted');
    expect(text.split('\n').slice(5)).toEqual([
      '| orphan | has | which costs |',
      '| --- | --- | --- |',
      expect.stringContaining(
        '| **lab/one**, epoch `epoch-of-one` | 3 resources | at least 1.5000 USD an hour',
      ),
      '|  | stack `stack-1` | 1.5000 USD an hour |',
      '|  | instance `i-1` | **no price** (no price of x9.huge) |',
      '|  | key-pair `key-1` |  |',
      '',
    ]);
  });

  it('says where the price of spot is a bound', () => {
    expect(render([orphan('one', costing(1, { isUpperBound: true }))])).toContain(
      'at most 1.0000 USD an hour',
    );
  });

  it('takes findings of a release that knew no prices', () => {
    expect(render([orphan('old')])).toContain('| 3 resources | nobody knows what |');
  });

  it('counts what is kept of what is over', () => {
    const records = { epochs: 2, objects: 1, bytes: 3 * 2 ** 20, usdPerMonth: 0.01 };
    const findings = { orphans: [], lookAlikes: [], attended: 0, records };
    expect(renderSweep(reportOf(findings, { at, reapers: [], removed: [], operator }))).toContain(
      '- kept: the control bucket has 1 object (3.0 MiB, 0.01 USD a month) of 2 deployments of which nothing else is left',
    );
  });

  it('tells what went by itself, and what stayed', () => {
    const remnant = { kind: 'log-group' as const, because: 'It is empty.' };
    const removed = [
      { ...remnant, id: '/gone', isRemoved: true },
      { ...remnant, id: '/there', isRemoved: false },
    ];
    const text = renderSweep(
      reportOf({ orphans: [], lookAlikes: [], attended: 0 }, { at, reapers: [], removed, operator }),
    );
    expect(text).toContain('- **removed** log-group `/gone`: It is empty.');
    expect(text).toContain('- **left alone** log-group `/there`: It is empty.');
  });

  it('says that nothing is left', () => {
    expect(render([])).toContain('**Nothing is left behind.**');
  });

  it('says what was not done, what was not seen, and by which command an operator has it done', () => {
    const text = renderSweep(
      reportOf(
        {
          orphans: [orphan('one')],
          lookAlikes: [],
          attended: 0,
          unclaimed: ['1k2m9x0aab12cd'],
          unlisted: [{ what: 'lustre', because: 'denied' }],
        },
        {
          at,
          reapers: [],
          removed: [],
          brake: 'Too many.',
          operator: { ...operator, request: { claim: ['1k2m9x0aab12ce'] } },
        },
      ),
    );
    expect(text).toContain('**Nothing was done.** Too many.');
    expect(text).toContain('- **not seen** lustre: denied');
    const start =
      "temporal workflow start --namespace 'default' --task-queue 'queue' --type reconcile --workflow-id reconcile-by-hand --input ";
    expect(text).toContain(`${start}'{"claim":["1k2m9x0aab12ce"],"beginUpTo":1}'`);
    expect(text).toContain(`${start}'{"claim":["1k2m9x0aab12cd"]}'`);
  });
});
