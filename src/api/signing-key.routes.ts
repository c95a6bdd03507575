import { keyRotationRequestSchema } from '../domain/slurm-keys.ts';
import { answer, problemResponses } from './openapi.ts';
import type { Clusters } from './ports.ts';
import { answerBy, CLUSTER_PATH, clusterPath, type Server, tenantParams } from './server.ts';
import { clusterViewSchema } from './view-schemas.ts';

/** For operators: the key that signs the service's tokens for Slurm's REST API. */
export function registerSigningKeyRoute(app: Server, clusters: Clusters): void {
  app.post(
    `${CLUSTER_PATH}/signing-key/rotation`,
    {
      schema: {
        operationId: 'rotateSigningKey',
        summary: 'Replace the key that signs tokens for Slurm’s REST API',
        description:
          'Slurm accepts both keys for a while, then the new one alone; jobs run on. `slurmKeys` of the cluster tells how ' +
          'far it is. Repeating it while a rotation is under way begins no other one; a shorter `overlapSeconds` ends that ' +
          'one sooner.',
        tags: ['Clusters'],
        params: tenantParams,
        body: keyRotationRequestSchema,
        response: {
          202: answer('The rotation is under way', clusterViewSchema),
          ...problemResponses('body', 'NotFound', 'ClusterNotReady', 'temporal'),
        },
      },
    },
    async ({ params, body }, reply) => {
      const view = await clusters.rotateSigningKey(params, body, answerBy());
      return reply.code(202).header('location', clusterPath(params)).send(view);
    },
  );
}
