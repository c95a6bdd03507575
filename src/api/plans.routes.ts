import { planCampaign } from '../domain/planner.ts';
import { answer, problemResponses } from './openapi.ts';
import { planAnswerSchema, planRequestSchema } from './plan-schemas.ts';
import type { Planning } from './planning.ts';
import type { Server } from './server.ts';

/** Ask what cluster a campaign would get, and what it would cost. Nothing is made or kept. */
export function registerPlanRoute(app: Server, planning: Planning): void {
  app.post(
    '/v1/plans',
    {
      schema: {
        operationId: 'planCampaign',
        summary: 'Plan a cluster for what a campaign needs',
        description:
          'Chooses instance type, number of nodes and storage, says why and for how much, and offers alternatives. ' +
          'Nothing is made. With `budgetUsd` the fastest that it pays for, otherwise the cheapest that is in time. ' +
          'Needs that nothing satisfies are answered by `outcome: infeasible` and what comes nearest.',
        tags: ['Plans'],
        body: planRequestSchema,
        response: {
          200: answer('The plan, or why there is none', planAnswerSchema),
          ...problemResponses('body'),
        },
      },
    },
    async ({ body: { needs, ...times } }) => planCampaign(needs, times, await planning()),
  );
}
