import { setHandler } from '@temporalio/workflow';
import { budgetRequestSchema, withBudget, withoutBudget } from '../domain/budget.ts';
import { problemWith } from '../domain/lifetime.ts';
import { nowIso } from './clock.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { refuseWhenCancelled } from './cluster-campaigns.ts';
import { keepCosts } from './cluster-costs.ts';
import { refuse } from './failure.ts';
import { removeBudget, setBudget } from './messages.ts';

/** Registers what changes the tenant's budget. Each is in force when it answers, and copied to the control bucket. */
export function registerBudgetHandlers(entity: ClusterEntity): void {
  setHandler(
    setBudget,
    async (request) => {
      const account = await entity.openAccount();
      refuseWhenCancelled(entity);
      const after = withBudget(account, budgetRequestSchema.parse(request), nowIso());
      if (after !== account) await change(entity, after);
      return entity.view();
    },
    {
      validator: (request) => {
        refuse(problemWith(budgetRequestSchema, request));
        refuseWhenCancelled(entity);
      },
      description: 'Say what the project may spend in a calendar month',
    },
  );

  setHandler(
    removeBudget,
    async () => {
      const account = await entity.openAccount();
      if (account.budget) await change(entity, withoutBudget(account));
      return entity.view();
    },
    { description: 'Let the project spend without a limit' },
  );
}

async function change(entity: ClusterEntity, after: NonNullable<ClusterEntity['snapshot']['account']>) {
  entity.snapshot.account = after;
  // Somebody asked this of a project that has never had a cluster: the workflow stays for the budget.
  if (entity.snapshot.state === 'requested' && !entity.isAskedFor())
    entity.enter('deleted', 'The project has a budget, and has not asked for a cluster yet.');
  entity.publish();
  entity.wake();
  await keepCosts(entity, entity.snapshot.deployment);
}
