import { z } from 'zod';
import { clusterSpecInputSchema } from '../domain/cluster-spec-input.ts';
import { clusterStates } from '../domain/cluster-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { Tenant } from '../domain/ids.ts';
import { isPassed } from '../domain/preflight.ts';
import { answer, problemResponses } from './openapi.ts';
import { type SpecGround, takeSpec } from './planning.ts';
import type { Clusters } from './ports.ts';
import { queryFlag } from './query-flag.ts';
import { dryRunAnswerSchema } from './preflight-schemas.ts';
import { answerBy, CLUSTER_PATH, dryRunAnswerBy, clusterPath, type Server, tenantParams } from './server.ts';
import { clusterPageSchema, clusterViewSchema } from './view-schemas.ts';

const tags = ['Clusters'];

const listQuery = z.strictObject({
  state: z.enum(clusterStates).optional(),
  pageSize: z.coerce.number().int().min(1).max(100).default(50),
  pageToken: z.string().min(1).max(2048).optional(),
});

const putQuery = z.strictObject({
  dryRun: queryFlag(
    '`true`: says whether the cluster could come up, with all that stands against it, and makes nothing. Takes some seconds, ' +
      'a minute at most.',
  ),
});

/** Ask for a cluster, look at it, give it back; list those of all tenants. */
export function registerClusterRoutes(
  app: Server,
  { clusters, ...ground }: SpecGround & { readonly clusters: Clusters },
): void {
  app.put(
    CLUSTER_PATH,
    {
      schema: {
        operationId: 'putCluster',
        summary: 'Make the cluster exist',
        description:
          'Repeat it as often as you like: the same specification finds the same cluster. Another one is refused ' +
          'with the `differences`. With `needs` a cluster is planned (`POST /v1/plans`); the same needs find the cluster again, ' +
          'whatever a later release would plan. The same look as with `dryRun` comes before anything is made: what fails it ' +
          'ends as `failed` with `PreflightFailed`.',
        tags,
        params: tenantParams,
        querystring: putQuery,
        body: clusterSpecInputSchema,
        response: {
          200: answer(
            'The cluster exists with this specification, or `dryRun`',
            z.union([dryRunAnswerSchema, clusterViewSchema]),
          ),
          202: answer('Accepted: the cluster is being made', clusterViewSchema),
          ...problemResponses(
            'body',
            'ClusterSpecConflict',
            'BudgetExhausted',
            'PriceUnknown',
            'NeedsInfeasible',
            'temporal',
          ),
        },
      },
    },
    async (request, reply) => {
      const tenant = request.params;
      const asked = await takeSpec(request.body, ground);
      if (request.query.dryRun === 'true') {
        const preflight = await clusters.preflight(tenant, asked.spec, dryRunAnswerBy());
        const outcome = isPassed(preflight) ? 'passed' : 'failed';
        const { estimate, plan } = asked.notes;
        return reply.code(200).send({
          outcome,
          preflight,
          spec: asked.spec,
          ...(estimate && { estimate }),
          ...(plan && { plan }),
        });
      }
      const { outcome, view } = await clusters.ensure(tenant, asked, answerBy());
      if (outcome === 'exists') return reply.code(200).send(view);
      return reply.code(202).header('location', clusterPath(tenant)).send(view);
    },
  );

  app.get(
    CLUSTER_PATH,
    {
      schema: {
        operationId: 'getCluster',
        summary: 'Look at the cluster',
        description:
          'The view as it was last written (`observedAt`), also while no worker runs. Deleted and failed clusters ' +
          'stay visible; 404 means that nobody ever asked for one.',
        tags,
        params: tenantParams,
        response: {
          200: answer('The cluster', clusterViewSchema),
          ...problemResponses('NotFound', 'TemporalUnavailable'),
        },
      },
    },
    async (request) => {
      const view = await clusters.view(request.params, answerBy());
      if (!view) throw clusterNotFound(request.params);
      return view;
    },
  );

  app.delete(
    CLUSTER_PATH,
    {
      schema: {
        operationId: 'deleteCluster',
        summary: 'Give the cluster back',
        description: 'Jobs are cancelled, logs copied, everything deleted. Repeating it is harmless.',
        tags,
        params: tenantParams,
        response: {
          202: answer('The cluster goes, or has gone', clusterViewSchema),
          ...problemResponses('NotFound', 'temporal'),
        },
      },
    },
    async (request, reply) => {
      const tenant = request.params;
      const view = await clusters.teardown(tenant, 'Asked for through the API.', answerBy());
      return reply.code(202).header('location', clusterPath(tenant)).send(view);
    },
  );

  app.get(
    '/v1/clusters',
    {
      schema: {
        operationId: 'listClusters',
        summary: 'List the clusters of all tenants',
        description:
          'From Temporal’s index, which can lag a moment behind. A page can hold fewer clusters than asked for: ' +
          'only a missing `nextPageToken` says that it was the last.',
        tags,
        querystring: listQuery,
        response: {
          200: answer('One page', clusterPageSchema),
          ...problemResponses('TemporalUnavailable'),
        },
      },
    },
    async (request) => {
      const { items, nextPageToken } = await clusters.list(request.query, answerBy());
      return { clusters: [...items], ...(nextPageToken !== undefined && { nextPageToken }) };
    },
  );
}

function clusterNotFound({ virtualLabId, projectId }: Tenant): KnownFailure {
  return new KnownFailure(
    'NotFound',
    `Nobody has asked for a cluster of project ${projectId} in virtual lab ${virtualLabId}.`,
  );
}
