import { describe, expect, it } from 'vitest';
import {
  type BudgetLevel,
  budgetLevels,
  type BudgetRequest,
  budgetRequestSchema,
  type CostAccount,
  isExhausted,
  isWorse,
  NEW_ACCOUNT,
  spentInMonth,
  standingInWords,
  standingOf,
  usdToNextLevel,
  withBudget,
  withoutBudget,
  withSpending,
} from './budget.ts';

const limits = { limitUsd: 200, hardLimitUsd: 300 };
const levelAt = (spentUsd: number) => standingOf(limits, spentUsd, '2026-11').level;

describe('the level of a budget', () => {
  it.each<[number, BudgetLevel]>([
    [0, 'ok'],
    [99.99, 'ok'],
    [100, 'half-spent'],
    [159.99, 'half-spent'],
    [160, 'nearly-spent'],
    [199.99, 'nearly-spent'],
    [200, 'exhausted'],
    [299.99, 'exhausted'],
    [300, 'hard-limit'],
  ])('of 200 USD, 300 at most, is after %d USD %s', (spentUsd, level) => {
    expect(levelAt(spentUsd)).toBe(level);
    expect(isExhausted({ level })).toBe(spentUsd >= 200);
  });

  it('without a hard limit never ends anything', () => {
    expect(standingOf({ limitUsd: 200 }, 1e6, '2026-11')).toMatchObject({ level: 'exhausted', share: 5000 });
  });

  it('is worse than those before it, and than none that is unknown', () => {
    for (const [index, level] of budgetLevels.entries())
      for (const [other, than] of budgetLevels.entries()) expect(isWorse(level, than)).toBe(index > other);
  });

  it.each([
    [0, 100],
    [99, 1],
    [100, 60],
    [199, 1],
    [200, 100],
    [300, Number.POSITIVE_INFINITY],
  ])('after %d USD is the next one after %d more', (spentUsd, more) => {
    expect(usdToNextLevel(limits, spentUsd)).toBeCloseTo(more, 9);
    expect(levelAt(spentUsd + more) === levelAt(spentUsd)).toBe(levelAt(spentUsd) === 'hard-limit');
  });

  it('without a hard limit is followed by none from the limit on', () => {
    expect(usdToNextLevel({ limitUsd: 200 }, 200)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is said with the month, the sums and the hard limit', () => {
    const standing = standingOf(limits, 159.999, '2026-11');
    expect(standingInWords(limits, standing)).toBe(
      'In 2026-11 the project has spent 160.00 of 200 USD (79 %, hard limit 300).',
    );
  });
});

describe('a request for a budget', () => {
  const by = { by: 'Ada', reason: 'autumn' };

  it('has a hard limit that is not below the limit, or none', () => {
    const problem = (request: Omit<BudgetRequest, 'by' | 'reason'>) =>
      budgetRequestSchema.safeParse({ ...request, ...by }).error?.issues[0]?.path.join('.');
    expect(problem({ limitUsd: 10 })).toBeUndefined();
    expect(problem({ limitUsd: 10, hardLimitUsd: 10 })).toBeUndefined();
    expect(problem({ limitUsd: 10, hardLimitUsd: 9 })).toBe('hardLimitUsd');
    expect(problem({ limitUsd: 0 })).toBe('limitUsd');
  });
});

describe('an account', () => {
  const request = { limitUsd: 10, by: 'Ada', reason: 'autumn' };
  const spent = withSpending(NEW_ACCOUNT, { '2026-10': 4, '2026-11': 5 });
  const said: CostAccount = {
    ...withBudget(spent, request, '2026-11-01T00:00:00.000Z'),
    told: { month: '2026-11', level: 'half-spent' },
    notified: { month: '2026-11', level: 'half-spent' },
  };

  it('adds up each month by itself', () => {
    const more = withSpending(spent, { '2026-11': 2 });
    expect(more.months).toEqual({ '2026-10': 4, '2026-11': 7 });
    expect(spentInMonth(more, Date.parse('2026-11-30T23:59:59Z'))).toBe(7);
    expect(spentInMonth(more, Date.parse('2026-12-01T00:00:00Z'))).toBe(0);
  });

  it('remembers two years', () => {
    const months = Array.from({ length: 30 }, (_, index) => `20${10 + index}-01`);
    const all = months.reduce((account, month) => withSpending(account, { [month]: 1 }), NEW_ACCOUNT);
    expect(Object.keys(all.months)).toEqual(months.slice(-24));
  });

  it('says everything anew after another budget, keeps what was spent, and takes the same one as said', () => {
    expect(withBudget(said, request, '2026-11-09T00:00:00.000Z')).toBe(said);
    const raised = withBudget(said, { ...request, limitUsd: 20 }, '2026-11-09T00:00:00.000Z');
    expect(raised).toEqual({
      version: 1,
      months: spent.months,
      budget: { ...request, limitUsd: 20, setAt: '2026-11-09T00:00:00.000Z' },
    });
    expect(withoutBudget(said)).toEqual(spent);
  });
});
