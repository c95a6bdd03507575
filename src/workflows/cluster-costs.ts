import { CancellationScope, log, patched } from '@temporalio/workflow';
import { type BudgetStanding, isExhausted, isWorse, standingInWords } from '../domain/budget.ts';
import { budgetAt, hardLimitInMs, nextLevelInMs } from '../domain/cluster-cost.ts';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { clusterName } from '../domain/cluster-name.ts';
import { type Failure, failureOf } from '../domain/failures.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { countBudgetLevel } from './cost-metrics.ts';
import { failureFrom, rejection } from './failure.ts';
import { COSTS_THROUGHOUT, NOTIFY_BUDGET } from './patches.ts';

/** How often what a deployment has cost is copied into the control bucket, for the case that its workflow is lost. */
const KEPT_EVERY_MS = 3_600_000;

/** Refuses what costs more, or makes spending last longer, once the budget is used up. Changes nothing. */
export function refuseWhenExhausted(entity: ClusterEntity): void {
  const found = budgetAt(entity.snapshot, nowIso());
  if (!found || !isExhausted(found.standing)) return;
  const { budget, standing } = found;
  const { month, spentUsd, share, level } = standing;
  throw rejection('BudgetExhausted', standingInWords(budget, standing), {
    budget: { ...budget, month, spentUsd, share, level },
  });
}

/**
 * Refuses new work of a tenant whose budget is used up, or cannot be watched because a part of the cluster has no price: what
 * is unknown is not free. Changes nothing.
 */
export function refuseBeyondBudget(entity: ClusterEntity, notes: SpecNotes | undefined): void {
  refuseWhenExhausted(entity);
  const budget = entity.snapshot.account?.budget;
  const unpriced = notes?.rates ? (notes.rates.unpriced ?? []) : ['the cluster'];
  if (budget && unpriced.length > 0) {
    const { limitUsd } = budget;
    throw rejection(
      'PriceUnknown',
      `The project has a budget of ${limitUsd} USD a month, and nobody knows the price of ${unpriced.join(', ')}.`,
      { unpriced },
    );
  }
}

/** Whether nothing may cost anything any more that can be helped. */
export function isPastHardLimit(entity: ClusterEntity): boolean {
  return budgetAt(entity.snapshot, nowIso())?.standing.level === 'hard-limit';
}

/** Why the next deployment, which was asked for while the budget had room, does not begin; undefined if it may. */
export function budgetFailure(entity: ClusterEntity): Failure | undefined {
  const found = budgetAt(entity.snapshot, nowIso());
  if (!found || !isExhausted(found.standing)) return undefined;
  return failureOf('BudgetExhausted', standingInWords(found.budget, found.standing));
}

/**
 * Says once when the budget has reached a level, and ends the deployment at the hard limit as its maximum lifetime would:
 * jobs are cancelled, logs copied, what Lustre holds exported.
 */
export function watchBudget(entity: ClusterEntity, record: DeploymentRecord): void {
  const standing = noteBudgetLevel(entity, record);
  const budget = entity.snapshot.account?.budget;
  if (budget && standing?.level === 'hard-limit')
    entity.beginTeardown({
      kind: 'budget',
      reason: `The hard limit of the budget is reached. ${standingInWords(budget, standing)}`,
    });
}

/** Says once when the budget has reached a level. Returns how it stands, if there is one. */
export function noteBudgetLevel(entity: ClusterEntity, record: DeploymentRecord): BudgetStanding | undefined {
  const { snapshot } = entity;
  entity.settleCosts();
  const found = budgetAt(snapshot, nowIso());
  if (!found || !snapshot.account) return undefined;
  const { budget, standing } = found;
  const { month, level, spentUsd, share } = standing;
  const { told } = snapshot.account;
  const lastLevel = told?.month === month ? told.level : 'ok';
  if (isWorse(level, lastLevel)) {
    countBudgetLevel(entity.tenant, level);
    const { limitUsd, hardLimitUsd } = budget;
    log.warn(`Budget: ${level}. ${standingInWords(budget, standing)}`, {
      ...entity.tenant,
      epoch: record.epoch,
      budget: { month, level, spentUsd, share, limitUsd, hardLimitUsd },
    });
    snapshot.account = { ...snapshot.account, told: { month, level } };
  }
  return standing;
}

/** How long after a message that did not go out it is tried again. */
const NOTIFIED_AGAIN_AFTER_MS = 600_000;

/**
 * Tells the topic of alarms the level that was reached last, if it was not told yet. No failure concerns the cluster, which waits
 * for half a minute at most.
 */
export async function notifyBudget(entity: ClusterEntity): Promise<void> {
  const found = budgetAt(entity.snapshot, nowIso());
  const { told, notified, budget: asked } = entity.snapshot.account ?? {};
  if (!found || !told || told.month !== found.standing.month) return;
  if (notified?.month === told.month && notified.level === told.level) return;
  if (Date.now() - entity.notifiedBudgetAtMs < NOTIFIED_AGAIN_AFTER_MS || !patched(NOTIFY_BUDGET)) return;
  entity.notifiedBudgetAtMs = Date.now();
  const { limitUsd, hardLimitUsd, setAt } = found.budget;
  const notice = {
    tenant: entity.tenant,
    clusterName: clusterName(entity.tenant),
    budget: { limitUsd, ...(hardLimitUsd !== undefined && { hardLimitUsd }), setAt },
    standing: found.standing,
  };
  try {
    // What the hard limit ends must not end the message about it.
    await CancellationScope.nonCancellable(async () => activities.notifyBudget(notice));
  } catch (error) {
    const problem = failureFrom(error).message;
    log.warn('Nobody could be told how the budget stands', { ...entity.tenant, problem });
    return;
  }
  // The next level is told at once.
  entity.notifiedBudgetAtMs = 0;
  const { account } = entity.snapshot;
  if (account && account.budget === asked) entity.snapshot.account = { ...account, notified: told };
}

/** Milliseconds until the hard limit, if everything stays as it is. */
export function hardLimitDueInMs({ snapshot }: ClusterEntity): number {
  return hardLimitInMs(snapshot, nowIso());
}

/** The same until the next level. */
export function nextLevelDueInMs({ snapshot }: ClusterEntity): number {
  return nextLevelInMs(snapshot, nowIso());
}

/** Copies the account, and what the deployment has cost, into the control bucket. No failure concerns the cluster. */
export async function keepCosts(entity: ClusterEntity, record?: DeploymentRecord): Promise<void> {
  // What was read earlier must not be written later.
  while (entity.copyUnderWay && patched(COSTS_THROUGHOUT)) await entity.copyUnderWay;
  entity.settleCosts();
  const { account } = entity.snapshot;
  if (!account) return;
  const { meter, notes, readyAt } = record ?? {};
  const ofDeployment = record &&
    meter && {
      deployment: entity.deployment(record),
      costs: {
        meter,
        ...(notes?.rates && { rates: notes.rates }),
        startedAt: record.startedAt,
        ...(readyAt && { readyAt }),
      },
    };
  try {
    const copying = activities.keepCosts({ tenant: entity.tenant, account, ...ofDeployment });
    entity.copyUnderWay = copying.catch(() => undefined);
    await copying;
    if (record) record.costKeptAt = nowIso();
  } catch (error) {
    log.warn('Costs could not be kept', { ...entity.tenant, problem: failureFrom(error).message });
  } finally {
    entity.copyUnderWay = undefined;
  }
}

/** The same now and then. */
export async function keepCostsIfDue(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  if (copyDueInMs(record) <= 0) await keepCosts(entity, record);
}

/** Milliseconds until the next copy; negative when it is overdue, infinite where there is no meter. */
export function copyDueInMs({ meter, costKeptAt }: DeploymentRecord): number {
  if (!meter) return Number.POSITIVE_INFINITY;
  return Date.parse(costKeptAt ?? meter.since) + KEPT_EVERY_MS - Date.now();
}
