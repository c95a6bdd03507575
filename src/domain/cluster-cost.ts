import {
  type Budget,
  type BudgetStanding,
  type CostAccount,
  isExhausted,
  spentInMonth,
  standingOf,
  usdToNextLevel,
  withSpending,
} from './budget.ts';
import type { ClusterSnapshot, DeploymentRecord } from './cluster-snapshot.ts';
import type { BudgetView, CostView } from './cluster-view.ts';
import {
  addedByMonth,
  type CostMeter,
  monthOf,
  nextMonthMs,
  readMeter,
  startMeter,
  withRate,
} from './cost-meter.ts';
import {
  type CostLoad,
  costParts,
  type CostRates,
  fixedNodes,
  hasUnknownNodes,
  hourlyUsd,
  notMetered,
  sumOfParts,
  withComingRates,
} from './cost-rates.ts';
import { pendingUpdate } from './spec-update-record.ts';

/*
 * What the cluster of a snapshot has cost. Prices are said when it is asked for (SpecNotes); here they are multiplied by time.
 */

type Costs = Pick<
  ClusterSnapshot,
  'deployment' | 'account' | 'state' | 'since' | 'activity' | 'blindSince' | 'update'
>;

/** So many looks at Slurm may fail to come before nobody is said to know which nodes are up. */
const TICKS_OF_A_LOOK = 2;

/** What the account and the meter of the deployment are at a moment. Changes nothing. */
export function costsAt(
  { deployment, account }: Costs,
  now: string,
): { readonly account?: CostAccount; readonly meter?: CostMeter } {
  if (!account) return {};
  const meter = deployment?.meter;
  if (!meter) return { account };
  return { account: withSpending(account, addedByMonth(meter, now)), meter: readMeter(meter, now) };
}

/**
 * Reads the meter of the deployment and sets it to what exists now; to be called after every change of that. Does nothing
 * where nobody said what the deployment costs.
 *
 * @param tickSeconds between two looks at Slurm, at most.
 */
export function settleCosts(snapshot: Costs, now: string, tickSeconds: number): void {
  const { deployment, update } = snapshot;
  const known = deployment?.notes?.rates;
  if (!deployment || !known || !snapshot.account) return;
  const pending = pendingUpdate(update);
  const rates = withComingRates(known, pending?.mode === 'in-place' ? pending.notes?.rates : undefined);
  deployment.meter ??= startMeter(now);
  const { account, meter = deployment.meter } = costsAt(snapshot, now);
  if (account) snapshot.account = account;
  const load = loadOf(deployment);
  const assumed = hasUnknownNodes(rates, load) || isAssumed(snapshot, deployment);
  deployment.meter = withRate(meter, hourlyUsd(rates, load), assumed, seenUntil(snapshot, load, tickSeconds));
}

/** A worker that is away does not look either. */
function seenUntil(
  { state, since, activity }: Costs,
  { stack }: CostLoad,
  tickSeconds: number,
): string | undefined {
  if (!isLookedAt(state) || !stack) return undefined;
  const lastMs = Date.parse(activity?.at ?? since);
  return new Date(lastMs + TICKS_OF_A_LOOK * tickSeconds * 1000).toISOString();
}

function loadOf({ resources, nodesUp, spec }: DeploymentRecord): CostLoad {
  const stack = resources.stack !== undefined;
  return { stack, lustre: resources.lustre !== undefined, nodes: nodesUp ?? fixedNodes(spec.queues) };
}

/** Slurm is not asked before the cluster is ready and while it is deleted; then no node is seen. For holds it is asked. */
function isLookedAt(state: ClusterSnapshot['state']): boolean {
  return state === 'ready' || state === 'exporting';
}

function isAssumed({ state, blindSince }: Costs, { resources }: DeploymentRecord): boolean {
  if (resources.stack === undefined) return false;
  return !isLookedAt(state) || blindSince !== undefined;
}

/** How the budget stands at a moment; undefined where there is none. */
export function budgetAt(
  snapshot: Costs,
  now: string,
): { readonly budget: Budget; readonly standing: BudgetStanding } | undefined {
  const { account } = costsAt(snapshot, now);
  const budget = account?.budget;
  if (!account || !budget) return undefined;
  const nowMs = Date.parse(now);
  return { budget, standing: standingOf(budget, spentInMonth(account, nowMs), monthOf(nowMs)) };
}

/**
 * Milliseconds until the hard limit is reached if everything stays as it is; infinite if that is not in this month, whose
 * end begins a new sum.
 */
export function hardLimitInMs(snapshot: Costs, now: string): number {
  return dueInMs(
    snapshot,
    now,
    ({ hardLimitUsd = Number.POSITIVE_INFINITY }, spentUsd) => hardLimitUsd - spentUsd,
  );
}

/** The same until the next level of the budget is reached. */
export function nextLevelInMs(snapshot: Costs, now: string): number {
  return dueInMs(snapshot, now, usdToNextLevel);
}

function dueInMs(
  snapshot: Costs,
  now: string,
  leftUsdOf: (budget: Budget, spentUsd: number) => number,
): number {
  const { account, meter } = costsAt(snapshot, now);
  if (!account?.budget || !meter) return Number.POSITIVE_INFINITY;
  const nowMs = Date.parse(now);
  const perHour = sumOfParts(meter.usdPerHour);
  const leftUsd = leftUsdOf(account.budget, spentInMonth(account, nowMs));
  const ms = Math.ceil(perHour > 0 ? (leftUsd / perHour) * 3_600_000 : Number.POSITIVE_INFINITY);
  return nowMs + ms < nextMonthMs(nowMs) ? Math.max(0, ms) : Number.POSITIVE_INFINITY;
}

/** What a view says of the costs at a moment. */
export function costFields(
  snapshot: Costs,
  now: string,
): { readonly cost?: CostView; readonly budget?: BudgetView } {
  const { account, meter } = costsAt(snapshot, now);
  const rates = snapshot.deployment?.notes?.rates;
  const found = budgetAt(snapshot, now);
  const isAnySpent = account && Object.keys(account.months).length > 0;
  return {
    ...(account &&
      (meter ?? isAnySpent) && { cost: { ...spending(account, meter, now), ...remarks(meter, rates) } }),
    ...(found && { budget: budgetView(found) }),
  };
}

function spending(account: CostAccount, meter: CostMeter | undefined, now: string): CostView {
  const nowMs = Date.parse(now);
  const month = { month: monthOf(nowMs), thisMonthUsd: rounded(spentInMonth(account, nowMs)) };
  if (!meter) return { currency: 'USD', upTo: now, ratePerHourUsd: 0, ...month, parts: [] };
  const { usd, usdPerHour, upTo } = meter;
  return {
    currency: 'USD',
    upTo,
    ratePerHourUsd: rounded(sumOfParts(usdPerHour)),
    sinceStartUsd: rounded(sumOfParts(usd)),
    ...month,
    parts: costParts
      .filter((part) => usd[part] > 0 || usdPerHour[part] > 0)
      .map((part) => ({ part, usd: rounded(usd[part]), usdPerHour: rounded(usdPerHour[part]) })),
  };
}

/** What is to be known of the sums. */
function remarks(meter: CostMeter | undefined, rates: CostRates | undefined): Partial<CostView> {
  const assumedSeconds = Math.round(meter?.assumedSeconds ?? 0);
  const { pricesAsOf, isUpperBound, unpriced } = rates ?? {};
  return {
    notMetered,
    ...(pricesAsOf && { pricesAsOf }),
    ...(assumedSeconds > 0 && { assumedSeconds }),
    ...(isUpperBound && { isUpperBound }),
    ...(unpriced && { isLowerBound: true }),
  };
}

/** Hundredths of a cent: a small cluster costs few cents an hour. */
function rounded(usd: number): number {
  return Math.round(usd * 10_000) / 10_000;
}

function budgetView({
  budget,
  standing,
}: {
  readonly budget: Budget;
  readonly standing: BudgetStanding;
}): BudgetView {
  const { month, spentUsd, share, level } = standing;
  return { ...budget, month, spentUsd: rounded(spentUsd), share: rounded(share), level };
}

/**
 * A budget that was read from a view of earlier, as it stands now as far as that is known: nothing is spent yet in a month
 * that has begun since.
 */
export function budgetNow(view: BudgetView, nowMs: number): BudgetView {
  const month = monthOf(nowMs);
  return month === view.month ? view : { ...view, ...standingOf(view, 0, month) };
}

/** How often sums are published that only grow with time. Who reads one in between has the rate. */
const PUBLISHED_EVERY_MS = 600_000;

/** What of the costs is worth a new view by itself: not each cent, but rates, levels, and now and then the sums. */
export function worthPublishing({
  cost,
  budget,
}: {
  readonly cost?: CostView;
  readonly budget?: BudgetView;
}): unknown {
  return [
    cost && [cost.ratePerHourUsd, cost.month, Math.floor(Date.parse(cost.upTo) / PUBLISHED_EVERY_MS)],
    budget && { ...budget, spentUsd: 0, share: 0 },
    budget && isExhausted(budget),
  ];
}
