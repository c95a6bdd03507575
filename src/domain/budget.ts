import { z } from 'zod';
import { type Month, monthOf } from './cost-meter.ts';
import { sentenceSchema } from './lifetime.ts';

/*
 * What a tenant may spend in a calendar month (UTC), and what it has. Kept by the tenant's cluster workflow, which outlives
 * deployments, with a copy in the control bucket, which outlives that.
 */

const limit = z.number().positive().max(10_000_000);

const budgetFields = {
  limitUsd: limit.meta({
    description: 'US dollars in a calendar month (UTC). From there on new work is refused.',
  }),
  hardLimitUsd: limit.optional().meta({
    description: 'From there on the cluster goes with what runs on it. Nothing is ended if absent.',
  }),
  by: sentenceSchema.meta({ description: 'Who sets it.' }),
  reason: sentenceSchema,
};

/** What a caller sends. */
export const budgetRequestSchema = z
  .strictObject(budgetFields)
  .refine(({ limitUsd, hardLimitUsd = limitUsd }) => hardLimitUsd >= limitUsd, {
    path: ['hardLimitUsd'],
    message: 'must be at least limitUsd',
  });

export type BudgetRequest = z.output<typeof budgetRequestSchema>;

const budgetSchema = z.object({ ...budgetFields, setAt: z.string() });

export type Budget = z.output<typeof budgetSchema>;

/** The form in which it lies in the control bucket as well: a member that is added must be optional. */
export const costAccountSchema = z.object({
  version: z.literal(1),
  /** US dollars that all deployments of the tenant have cost, by calendar month. */
  months: z.record(z.string(), z.number().min(0)),
  budget: budgetSchema.optional(),
  /** The last word about the budget that somebody was told. */
  told: z.object({ month: z.string(), level: z.string() }).optional(),
  /** The last of these words that went to the topic of alarms, if there is one. */
  notified: z.object({ month: z.string(), level: z.string() }).optional(),
});

export type CostAccount = z.output<typeof costAccountSchema>;

export const NEW_ACCOUNT: CostAccount = { version: 1, months: {} };

/** Months that an account remembers; what deployments cost stays with their records. */
const MONTHS_KEPT = 24;

/** How far a budget is used up, worst last. */
export const budgetLevels = ['ok', 'half-spent', 'nearly-spent', 'exhausted', 'hard-limit'] as const;
export type BudgetLevel = (typeof budgetLevels)[number];

/** Shares of the limit from which the levels below `exhausted` count. */
const HALF = 0.5;
const NEARLY = 0.8;

export interface BudgetStanding {
  readonly month: Month;
  readonly spentUsd: number;
  /** Of the limit; 1 is all of it. */
  readonly share: number;
  readonly level: BudgetLevel;
}

export function standingOf(
  { limitUsd, hardLimitUsd }: Pick<Budget, 'limitUsd' | 'hardLimitUsd'>,
  spentUsd: number,
  month: Month,
): BudgetStanding {
  const share = spentUsd / limitUsd;
  return { month, spentUsd, share, level: levelOf(spentUsd, share, hardLimitUsd) };
}

function levelOf(spentUsd: number, share: number, hardLimitUsd: number | undefined): BudgetLevel {
  if (hardLimitUsd !== undefined && spentUsd >= hardLimitUsd) return 'hard-limit';
  if (share >= 1) return 'exhausted';
  if (share >= NEARLY) return 'nearly-spent';
  return share >= HALF ? 'half-spent' : 'ok';
}

/** How much more can be spent until the next level is reached; infinite at the last one. */
export function usdToNextLevel(
  { limitUsd, hardLimitUsd = Number.POSITIVE_INFINITY }: Pick<Budget, 'limitUsd' | 'hardLimitUsd'>,
  spentUsd: number,
): number {
  const levels = [HALF * limitUsd, NEARLY * limitUsd, limitUsd, hardLimitUsd];
  return Math.min(...levels.filter((usd) => usd > spentUsd).map((usd) => usd - spentUsd));
}

export function isExhausted({ level }: Pick<BudgetStanding, 'level'>): boolean {
  return level === 'exhausted' || level === 'hard-limit';
}

/** Whether one level is worse than another. */
export function isWorse(level: BudgetLevel, than: string): boolean {
  return budgetLevels.indexOf(level) > budgetLevels.findIndex((each) => each === than);
}

/** What was spent in the month of a moment (milliseconds since 1970). */
export function spentInMonth({ months }: CostAccount, nowMs: number): number {
  return months[monthOf(nowMs)] ?? 0;
}

/** The account after more was spent. */
export function withSpending(account: CostAccount, added: Readonly<Record<Month, number>>): CostAccount {
  const months: Record<Month, number> = { ...account.months };
  for (const [month, usd] of Object.entries(added)) months[month] = (months[month] ?? 0) + usd;
  const kept = Object.entries(months)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(-MONTHS_KEPT);
  return { ...account, months: Object.fromEntries(kept) };
}

/** The account with another budget; the same one said again stays as it is. */
export function withBudget(account: CostAccount, request: BudgetRequest, now: string): CostAccount {
  const { limitUsd, hardLimitUsd, by, reason } = request;
  const before = account.budget;
  const isSame =
    before?.limitUsd === limitUsd &&
    before.hardLimitUsd === hardLimitUsd &&
    before.by === by &&
    before.reason === reason;
  if (isSame) return account;
  const budget = { limitUsd, ...(hardLimitUsd !== undefined && { hardLimitUsd }), by, reason, setAt: now };
  return { ...withoutBudget(account), budget };
}

/** Who sets a budget anew wants to hear of it anew. */
export function withoutBudget({ version, months }: CostAccount): CostAccount {
  return { version, months };
}

/** The standing as it is said in a sentence. */
export function standingInWords(
  budget: Pick<Budget, 'limitUsd' | 'hardLimitUsd'>,
  standing: BudgetStanding,
): string {
  const { month, spentUsd, share } = standing;
  const hard = budget.hardLimitUsd === undefined ? '' : `, hard limit ${budget.hardLimitUsd}`;
  return `In ${month} the project has spent ${spentUsd.toFixed(2)} of ${budget.limitUsd} USD (${Math.floor(share * 100)} %${hard}).`;
}
