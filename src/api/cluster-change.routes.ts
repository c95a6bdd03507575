import { z } from 'zod';
import { clusterSpecInputSchema } from '../domain/cluster-spec-input.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import {
  type ClusterSpecPatch,
  clusterSpecPatchSchema,
  isQueuesChosenBy,
  patchedInput,
} from '../domain/spec-patch.ts';
import { planUpdate } from '../domain/spec-update.ts';
import { failureSchema } from './failure-schema.ts';
import { answer, problemResponses } from './openapi.ts';
import { type AskedSpec, type SpecGround, takeSpec } from './planning.ts';
import type { Clusters } from './ports.ts';
import { queryFlag } from './query-flag.ts';
import { invalidRequest } from './request-validation.ts';
import { answerBy, CLUSTER_PATH, clusterPath, type Server, tenantParams } from './server.ts';
import { viewEstimateSchema } from './plan-schemas.ts';
import { updatePlanSchema } from './update-schemas.ts';
import { clusterSpecSchema, clusterViewSchema } from './view-schemas.ts';

const changeQuery = z.strictObject({
  dryRun: queryFlag('`true`: says what the change would take, and changes nothing.'),
});

const planFields = {
  plan: updatePlanSchema,
  spec: clusterSpecSchema.meta({ description: 'The specification with the change.' }),
  estimate: viewEstimateSchema.optional(),
};

const dryAnswerSchema = z.object({
  outcome: z.literal('planned'),
  ...planFields,
  refusal: failureSchema.optional().meta({
    description:
      'What the change would be refused with if it were asked for now: a cluster that is not ready, another change, a budget. ' +
      'Absent where it would be taken.',
  }),
});
const changeAnswerSchema = z.object({
  outcome: z.enum(['unchanged', 'done', 'accepted']),
  ...planFields,
  cluster: clusterViewSchema,
});

/** A change that lost a race with another one is made of what that one has left, so often. */
const TRIES = 3;

/** Changes the specification of a living cluster. */
export function registerClusterChangeRoute(
  app: Server,
  { clusters, ...ground }: SpecGround & { readonly clusters: Clusters },
): void {
  app.patch(
    CLUSTER_PATH,
    {
      schema: {
        operationId: 'patchCluster',
        summary: 'Change the cluster',
        description:
          'The body names fields of the specification: each takes the place of the present one as a whole, and `null` takes one ' +
          'back to its default. `plan.mode` says what the change takes: `at-once` nothing; ' +
          '`in-place` an update of the stack, while jobs run; `after-drain` another cluster: new campaigns wait for it, and it is ' +
          'made when those that run have ended, with all their data exported. What would replace storage is refused. ' +
          '`update` of the cluster tells how far it is. Repeating a change is harmless; the present specification withdraws one ' +
          'that waits for campaigns.',
        tags: ['Clusters'],
        params: tenantParams,
        querystring: changeQuery,
        body: clusterSpecPatchSchema,
        response: {
          200: answer(
            'Nothing in AWS had to change, or `dryRun`',
            z.union([dryAnswerSchema, changeAnswerSchema]),
          ),
          202: answer('The change is under way, or waits for campaigns', changeAnswerSchema),
          ...problemResponses(
            'body',
            'NotFound',
            'NoCluster',
            'ChangeRefused',
            'ClusterUpdating',
            'ClusterNotReady',
            'ClusterSpecConflict',
            'NeedsInfeasible',
            'BudgetExhausted',
            'PriceUnknown',
            'temporal',
          ),
        },
      },
    },
    async ({ params, query, body }, reply) => {
      const by = answerBy();
      for (let attempt = 1; ; attempt++) {
        const { spec: from, notes } = await clusters.comingSpec(params, by);
        if (!from) throw new KnownFailure('NoCluster', 'The project has no cluster that could be changed.');
        const asked = await changed({ spec: from, notes }, body, ground);
        const { spec } = asked;
        const plan = planUpdate(from, spec);
        const { estimate } = asked.notes;
        const said = { plan, spec, ...(estimate && { estimate }) };
        const request = { ...asked, reason: 'Asked for through the API.' };
        if (query.dryRun === 'true') {
          const judgement = await clusters.judgeChange(params, request, by);
          return reply.code(200).send({ outcome: 'planned', ...said, ...judgement });
        }
        try {
          const { outcome, view: cluster } = await clusters.changeSpec(params, { ...request, from }, by);
          if (outcome !== 'accepted') return await reply.code(200).send({ outcome, ...said, cluster });
          return await reply
            .code(202)
            .header('location', clusterPath(params))
            .send({ outcome, ...said, cluster });
        } catch (error) {
          if (attempt === TRIES || !(error instanceof KnownFailure) || error.type !== 'ClusterSpecConflict')
            throw error;
        }
      }
    },
  );
}

/** The changed specification, which must be one that a caller may ask for. InvalidRequest with the fields' paths. */
async function changed(
  { spec: from, notes }: { readonly spec: ClusterSpec; readonly notes: SpecNotes | undefined },
  patch: ClusterSpecPatch,
  ground: SpecGround,
): Promise<AskedSpec> {
  const parsed = clusterSpecInputSchema.safeParse(patchedInput(from, patch));
  if (!parsed.success) throw invalidRequest('body', parsed.error.issues);
  const asked = await takeSpec(parsed.data, ground);
  if (isQueuesChosenBy(patch)) return asked;
  return {
    spec: { ...asked.spec, tier: from.tier },
    notes: { ...asked.notes, ...(notes?.plan && { plan: notes.plan }) },
  };
}
