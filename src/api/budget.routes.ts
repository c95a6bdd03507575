import { budgetNow } from '../domain/cluster-cost.ts';
import { budgetRequestSchema } from '../domain/budget.ts';
import type { BudgetView } from '../domain/cluster-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import { budgetViewSchema } from './cost-schemas.ts';
import { answer, problemResponses } from './openapi.ts';
import type { Clusters } from './ports.ts';
import { answerBy, type Server, tenantParams } from './server.ts';
import { clusterViewSchema } from './view-schemas.ts';

const tags = ['Budget'];

const BUDGET_PATH = '/v1/virtual-labs/:virtualLabId/projects/:projectId/budget';

/** What a project may spend in a calendar month. A budget outlives clusters. */
export function registerBudgetRoutes(app: Server, clusters: Clusters): void {
  app.put(
    BUDGET_PATH,
    {
      schema: {
        operationId: 'putBudget',
        summary: 'Say what the project may spend in a month',
        description:
          'List prices × time of all its clusters in a calendar month (UTC). At 50 and 80 % the worker warns; from `limitUsd` on ' +
          'new clusters and campaigns are refused; at `hardLimitUsd` the cluster goes as at its maximum lifetime, its data exported. ' +
          'In force at once, also where it lifts a refusal. Repeating it is harmless.',
        tags,
        params: tenantParams,
        body: budgetRequestSchema,
        response: {
          200: answer('The budget, and how much of it is spent', budgetViewSchema),
          ...problemResponses('body', 'temporal'),
        },
      },
    },
    async ({ params, body }) => {
      const view = await clusters.setBudget(params, body, answerBy());
      return present(view.budget);
    },
  );

  app.get(
    BUDGET_PATH,
    {
      schema: {
        operationId: 'getBudget',
        summary: 'How much of the budget is spent',
        description: 'As last counted by the workflow of the cluster. Needs no worker.',
        tags,
        params: tenantParams,
        response: {
          200: answer('The budget, and how much of it is spent', budgetViewSchema),
          ...problemResponses('NotFound', 'temporal'),
        },
      },
    },
    async ({ params }) => {
      const view = await clusters.view(params, answerBy());
      return budgetNow(present(view?.budget), Date.now());
    },
  );

  app.delete(
    BUDGET_PATH,
    {
      schema: {
        operationId: 'deleteBudget',
        summary: 'Let the project spend without a limit',
        description: 'Repeating it is harmless. What was spent stays counted.',
        tags,
        params: tenantParams,
        response: {
          200: answer('The cluster, without a budget', clusterViewSchema),
          ...problemResponses('temporal'),
        },
      },
    },
    async ({ params }) => clusters.removeBudget(params, answerBy()),
  );
}

/** NotFound where there is none. */
function present(budget: BudgetView | undefined): BudgetView {
  if (budget) return budget;
  throw new KnownFailure('NotFound', 'The project has no budget.');
}
