import { CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { sumOfParts } from '../domain/cost-rates.ts';
import {
  copyDueInMs,
  keepCostsIfDue,
  nextLevelDueInMs,
  noteBudgetLevel,
  notifyBudget,
  watchBudget,
} from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { COSTS_THROUGHOUT, WATCH_BUDGET_ALWAYS } from './patches.ts';

export interface WatchOptions {
  /** Whether the hard limit begins the teardown, which cancels the steps. */
  readonly endsAtHardLimit: boolean;
  /** Between two looks while what exists stays as it is, at most. */
  readonly lookEverySeconds: number;
}

/** A stack, a Lustre file system and a head node cost money before anybody can use them, and a creation may be tried for hours. */
export const WHILE_IT_IS_MADE: WatchOptions = { endsAtHardLimit: true, lookEverySeconds: 600 };

/** An export may take a week, and an operator's answer longer: each look is a dozen events of history. */
const WHILE_IT_GOES: WatchOptions = { endsAtHardLimit: false, lookEverySeconds: 3600 };

/**
 * Watches what a deployment costs beside steps that take long: reads the meter, tells levels of the budget, copies the sums.
 * None of that keeps or fails the steps.
 */
export class CostWatch {
  /** The history has become so long that the run should continue as new. */
  isHistoryLong = false;
  private readonly isThroughout = patched(COSTS_THROUGHOUT);
  private readonly scope = new CancellationScope({ cancellable: true });
  private readonly running: Promise<void>;
  private readonly entity: ClusterEntity;
  private readonly record: DeploymentRecord;
  private readonly options: WatchOptions;

  constructor(entity: ClusterEntity, record: DeploymentRecord, options: WatchOptions) {
    this.entity = entity;
    this.record = record;
    this.options = options;
    this.running = this.run();
  }

  /** Ends it without waiting: a message or copy that is under way comes to its end by itself. */
  cancel(): void {
    this.scope.cancel();
  }

  /** The same; runs of older code wait for a message that is under way. */
  async stop(): Promise<void> {
    this.cancel();
    if (!this.isThroughout) await this.running;
  }

  private async run(): Promise<void> {
    try {
      await this.scope.run(async () => this.watch());
    } catch (error) {
      if (!isCancellation(error)) throw error;
    }
  }

  private async watch(): Promise<void> {
    const { entity, record, options, scope, isThroughout } = this;
    if (!isThroughout && !options.endsAtHardLimit) return;
    const budget = () => entity.snapshot.account?.budget;
    const perHour = () => (record.meter ? sumOfParts(record.meter.usdPerHour) : 0);
    for (;;) {
      await condition(() => budget() !== undefined || (isThroughout && perHour() > 0));
      if (!isThroughout && !patched(WATCH_BUDGET_ALWAYS)) return;
      if (options.endsAtHardLimit) watchBudget(entity, record);
      // Holds keep what goes, but not past that.
      else if (noteBudgetLevel(entity, record)?.level === 'hard-limit') entity.wake();
      await notifyBudget(entity);
      if (scope.consideredCancelled) return;
      if (isThroughout) {
        // A copy can be written after it was cancelled: whoever makes the next one waits for it.
        await CancellationScope.nonCancellable(async () => keepCostsIfDue(entity, record));
        if (scope.consideredCancelled) return;
        entity.publish();
      }
      if (options.endsAtHardLimit && entity.snapshot.teardown) return;
      this.isHistoryLong = entity.mustRollOver;
      const seen = { budget: budget(), perHour: perHour() };
      const hasChanged = () => budget() !== seen.budget || perHour() !== seen.perHour;
      const summary = 'Until the costs are looked at again';
      if (isThroughout && seen.perHour === 0) await condition(hasChanged);
      else await condition(hasChanged, this.nextLookInMs(), { summary });
    }
  }

  private nextLookInMs(): number {
    const copyMs = copyDueInMs(this.record);
    const lookMs = this.options.lookEverySeconds * 1000;
    // One that is overdue has just failed.
    return Math.max(1, Math.min(nextLevelDueInMs(this.entity), lookMs, copyMs > 0 ? copyMs : lookMs));
  }
}

/** Does one of the steps by which a deployment goes, with its costs watched beside it. */
export async function watchingCosts(
  entity: ClusterEntity,
  step: (watch: CostWatch) => Promise<void>,
): Promise<void> {
  const watch = new CostWatch(entity, entity.record(), WHILE_IT_GOES);
  try {
    await step(watch);
  } finally {
    watch.cancel();
  }
}
