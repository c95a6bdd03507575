import { z } from 'zod';
import { budgetLevels } from '../domain/budget.ts';
import type { BudgetView, CostView } from '../domain/cluster-view.ts';
import { costParts, notMetered } from '../domain/cost-rates.ts';

type Fields<T> = Record<keyof T, z.ZodType>;

const time = z.string().meta({ format: 'date-time' });
const usd = z.number().min(0);
const month = z.string().meta({ description: 'Calendar month in UTC, e.g. `2026-11`.' });

const costFields = {
  currency: z.literal('USD'),
  upTo: time.meta({ description: 'Up to when the sums count; `ratePerHourUsd` says how they go on.' }),
  ratePerHourUsd: usd,
  sinceStartUsd: usd.optional().meta({ description: 'Of the present deployment.' }),
  month,
  thisMonthUsd: usd.meta({ description: 'Of all deployments of the project in that month.' }),
  parts: z
    .array(z.object({ part: z.enum(costParts), usd, usdPerHour: usd }))
    .meta({ description: 'Of the present deployment: what has cost something.' }),
  pricesAsOf: z.string().optional().meta({ format: 'date' }),
  assumedSeconds: z
    .number()
    .min(0)
    .optional()
    .meta({
      description:
        'For how long nobody saw which nodes are up, or knew what they cost: they were counted as they were seen last, at the ' +
        'dearest price that is known.',
    }),
  isUpperBound: z
    .literal(true)
    .optional()
    .meta({ description: 'Spot nodes are counted like on-demand ones: they cost less than this.' }),
  isLowerBound: z.literal(true).optional().meta({
    description: 'What `estimate.unpriced` names has no price and is in none of the sums.',
  }),
  notMetered: z
    .array(z.enum(notMetered))
    .optional()
    .meta({ description: 'What the project may cost beside this, by what is stored or sent.' }),
} satisfies Fields<CostView>;

/** What a cluster has cost: list price × time. No bill: taxes, discounts, EFS, S3, logs and data transfer are not in it. */
export const costViewSchema = z.object(costFields);

const budgetFields = {
  limitUsd: usd.meta({ description: 'A month. From there on new clusters and campaigns are refused.' }),
  hardLimitUsd: usd
    .optional()
    .meta({ description: 'From there on the cluster goes with what runs on it; what it holds is exported.' }),
  by: z.string(),
  reason: z.string(),
  setAt: time,
  month,
  spentUsd: usd.meta({ description: 'Of all deployments of the project in that month, as last counted.' }),
  share: usd.meta({ description: 'Of `limitUsd`; 1 is all of it.' }),
  level: z
    .enum(budgetLevels)
    .meta({ description: 'From 0.5, 0.8 and 1 of the limit on, and the hard limit.' }),
} satisfies Fields<BudgetView>;

export const budgetViewSchema = z.object(budgetFields);
