import { metricMeter } from '@temporalio/workflow';
import type { BudgetLevel } from '../domain/budget.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import type { Tenant } from '../domain/ids.ts';

/*
 * Metrics of costs and budgets, which a worker gives to Prometheus together with Temporal's own. A workflow that is replayed sets
 * none. Each has the labels `virtual_lab_id` and `project_id`: four series for each tenant that a worker has looked after.
 */
export const costMetrics = {
  rate: {
    name: 'pcluster_cost_rate_usd_per_hour',
    kind: 'gauge',
    description: 'What exists of the project’s cluster costs an hour',
  },
  month: {
    name: 'pcluster_cost_month_usd',
    kind: 'gauge',
    description: 'What all deployments of the project have cost in the calendar month (UTC)',
  },
  used: {
    name: 'pcluster_budget_used_ratio',
    kind: 'gauge',
    description:
      'How much of the project’s budget of the month is spent, 1 is all of it; 0 once the budget is taken back',
  },
  observed: {
    name: 'pcluster_cost_observed_timestamp_seconds',
    kind: 'gauge',
    description: 'When this worker last set the others, since 1970',
  },
  levels: {
    name: 'pcluster_budget_levels_total',
    kind: 'counter',
    description: 'How often the project’s budget has reached the level of the label `level`',
  },
} as const;

function gauge(
  { name, description }: { readonly name: string; readonly description: string },
  tenant: Tenant,
) {
  return metricMeter.createGauge(name, 'float', undefined, description).withTags(tagsOf(tenant));
}

function tagsOf({ virtualLabId, projectId }: Tenant) {
  return { virtual_lab_id: virtualLabId, project_id: projectId };
}

/** Says what a view says of costs. A gauge that was set cannot be taken back, only set to nothing. */
export function measureCosts(view: ClusterView, before: ClusterView | undefined): void {
  const { cost, budget, observedAt } = view;
  if (budget ?? before?.budget) gauge(costMetrics.used, view).set(budget?.share ?? 0);
  if (!cost) return;
  gauge(costMetrics.rate, view).set(cost.ratePerHourUsd);
  gauge(costMetrics.month, view).set(cost.thisMonthUsd);
  gauge(costMetrics.observed, view).set(Date.parse(observedAt) / 1000);
}

export function countBudgetLevel(tenant: Tenant, level: BudgetLevel): void {
  const { name, description } = costMetrics.levels;
  metricMeter.createCounter(name, undefined, description).add(1, { ...tagsOf(tenant), level });
}
