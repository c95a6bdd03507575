import {
  extensionRequestSchema,
  holdNameSchema,
  holdRequestSchema,
  problemWithEnd,
  resolutionSchema,
} from '../domain/lifetime.ts';
import { answer, problemResponses } from './openapi.ts';
import type { Clusters } from './ports.ts';
import { answerBy, CLUSTER_PATH, type Server, tenantParams } from './server.ts';
import { clusterViewSchema } from './view-schemas.ts';

const tags = ['Clusters'];

const extensionBody = extensionRequestSchema.superRefine(({ until }, context) => {
  const problem = problemWithEnd(until, Date.now());
  if (problem) context.addIssue({ code: 'custom', path: [problem.path], message: problem.reason });
});

/** What keeps a cluster, ends its keeping, or resolves its block. Each answers the view that results. */
export function registerLifetimeRoutes(app: Server, clusters: Clusters): void {
  app.post(
    `${CLUSTER_PATH}/holds`,
    {
      schema: {
        operationId: 'holdCluster',
        summary: 'Keep the cluster although it is idle',
        description:
          'For a named reason and a bounded time, e.g. while results are being registered. The same name replaces ' +
          'the hold. A cluster that is to go for another reason (it was asked for, its maximum lifetime is over) ends its jobs and ' +
          'keeps its files until its holds are over, or are taken back; a hard limit of the budget goes past them. ' +
          'Once the budget of the project is used up, no hold ends later than those that there are.',
        tags,
        params: tenantParams,
        body: holdRequestSchema,
        response: {
          200: answer('The cluster, held', clusterViewSchema),
          ...problemResponses('body', 'NotFound', 'NoCluster', 'BudgetExhausted', 'temporal'),
        },
      },
    },
    async ({ params, body }) => clusters.hold(params, body, answerBy()),
  );

  app.delete(
    `${CLUSTER_PATH}/holds/:name`,
    {
      schema: {
        operationId: 'releaseHold',
        summary: 'Take a hold back',
        description: 'Repeating it is harmless.',
        tags,
        params: tenantParams.extend({ name: holdNameSchema }),
        response: {
          200: answer('The cluster without the hold', clusterViewSchema),
          ...problemResponses('NotFound', 'temporal'),
        },
      },
    },
    async ({ params: { name, ...tenant } }) => clusters.release(tenant, name, answerBy()),
  );

  app.post(
    `${CLUSTER_PATH}/extensions`,
    {
      schema: {
        operationId: 'extendCluster',
        summary: 'Move the end of the maximum lifetime',
        description:
          'To a moment at most 30 days from now; to no later one once the budget of the project is used up. Repeating it is harmless.',
        tags,
        params: tenantParams,
        body: extensionBody,
        response: {
          200: answer('The cluster with its new end', clusterViewSchema),
          ...problemResponses('body', 'NotFound', 'ClusterNotReady', 'BudgetExhausted', 'temporal'),
        },
      },
    },
    async ({ params, body }) => clusters.extend(params, body.until, answerBy()),
  );

  app.post(
    `${CLUSTER_PATH}/resolution`,
    {
      schema: {
        operationId: 'resolveBlock',
        summary: 'Decide about a blocked cluster',
        description:
          '`retry` repeats what did not go. `abandon` gives the record up and leaves what remains in AWS to the ' +
          'person named in `by`.',
        tags,
        params: tenantParams,
        body: resolutionSchema,
        response: {
          200: answer('The cluster', clusterViewSchema),
          ...problemResponses('body', 'NotFound', 'temporal'),
        },
      },
    },
    async ({ params, body }) => clusters.resolve(params, body, answerBy()),
  );
}
