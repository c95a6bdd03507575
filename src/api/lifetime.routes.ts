import { z } from 'zod';
import { answer, problemResponses } from './openapi.ts';
import type { Clusters } from './ports.ts';
import { answerBy, CLUSTER_PATH, type Server, tenantParams } from './server.ts';
import { clusterViewSchema } from './view-schemas.ts';

const tags = ['Clusters'];

/** A hold or an extension is a promise to pay: nobody makes one for longer than a month at a time. */
const MAX_DURATION_SECONDS = 30 * 86_400;

const holdName = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/,
    'must be 1 to 64 letters, digits, dots, underscores or hyphens, beginning and ending with a letter or digit',
  );
const sentence = z
  .string()
  .regex(/^(?=.*\S)[^\p{Cc}]{1,500}$/u, 'must be 1 to 500 printable characters, not only spaces');

const holdBody = z.strictObject({
  name: holdName,
  reason: sentence,
  durationSeconds: z.int().min(1).max(MAX_DURATION_SECONDS),
});
const extensionBody = z.strictObject({
  until: z.iso
    .datetime({ offset: true })
    .refine(
      (until) => !(Date.parse(until) > Date.now() + MAX_DURATION_SECONDS * 1000),
      'must be at most 30 days from now',
    )
    .meta({ description: 'The new end of the lifetime, ISO 8601.' }),
});
const resolutionBody = z.strictObject({
  choice: z.enum(['retry', 'abandon']),
  by: sentence.meta({ description: 'Who decides.' }),
  reason: sentence,
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
          'the hold.',
        tags,
        params: tenantParams,
        body: holdBody,
        response: {
          200: answer('The cluster, held', clusterViewSchema),
          ...problemResponses('body', 'NotFound', 'NoCluster', 'temporal'),
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
        params: tenantParams.extend({ name: holdName }),
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
        description: 'To a moment at most 30 days from now. Repeating it is harmless.',
        tags,
        params: tenantParams,
        body: extensionBody,
        response: {
          200: answer('The cluster with its new end', clusterViewSchema),
          ...problemResponses('body', 'NotFound', 'ClusterNotReady', 'temporal'),
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
        body: resolutionBody,
        response: {
          200: answer('The cluster', clusterViewSchema),
          ...problemResponses('body', 'NotFound', 'temporal'),
        },
      },
    },
    async ({ params, body }) => clusters.resolve(params, body, answerBy()),
  );
}
