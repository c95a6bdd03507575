import { CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { sumOfParts } from '../domain/cost-rates.ts';
import { hardLimitDueInMs, notifyBudget, watchBudget } from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { WATCH_BUDGET_ALWAYS } from './patches.ts';

/** Between two looks at a budget while what exists stays as it is. */
const LOOK_EVERY_MS = 600_000;

/**
 * Watches the budget beside steps that take long: a stack, a Lustre file system and a head node cost money before anybody can
 * use them, and a creation may be tried for hours. At the hard limit the teardown begins, which cancels the steps.
 */
export class BudgetWatch {
  private readonly scope = new CancellationScope({ cancellable: true });
  private readonly running: Promise<void>;

  constructor(entity: ClusterEntity, record: DeploymentRecord) {
    this.running = this.run(entity, record);
  }

  async stop(): Promise<void> {
    this.scope.cancel();
    await this.running;
  }

  private async run(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
    try {
      await this.scope.run(async () => watch(entity, record));
    } catch (error) {
      if (!isCancellation(error)) throw error;
    }
  }
}

async function watch(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const budget = () => entity.snapshot.account?.budget;
  const perHour = () => (record.meter ? sumOfParts(record.meter.usdPerHour) : 0);
  for (;;) {
    await condition(() => budget() !== undefined);
    if (!patched(WATCH_BUDGET_ALWAYS)) return;
    watchBudget(entity, record);
    await notifyBudget(entity);
    if (entity.snapshot.teardown) return;
    const seen = { budget: budget(), perHour: perHour() };
    await condition(
      () => budget() !== seen.budget || perHour() !== seen.perHour,
      Math.max(1, Math.min(hardLimitDueInMs(entity), LOOK_EVERY_MS)),
      { summary: 'Until the budget is looked at again' },
    );
  }
}
