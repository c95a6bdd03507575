import { z } from 'zod';
import { type ClusterSpecInput, clusterSpecInputSchema } from './cluster-spec-input.ts';
import type { ClusterSpec } from './cluster-spec.ts';

/** Fields of a specification by which its queues are chosen: one takes the place of the others. */
const QUEUE_SOURCES = ['tier', 'queues', 'needs'] as const;

/** A change of a specification: each field that it names takes the place of the present one as a whole. */
export type ClusterSpecPatch = { readonly [K in keyof ClusterSpecInput]?: ClusterSpecInput[K] | null };

const fields = Object.entries(clusterSpecInputSchema.shape).map(
  ([name, field]) =>
    [name, (field instanceof z.ZodDefault ? field.unwrap() : field).nullable().optional()] as const,
);

/** `null` takes a field back to what it is when nobody says anything. */
export const clusterSpecPatchSchema: z.ZodType<ClusterSpecPatch> = z
  .strictObject(Object.fromEntries(fields))
  .refine((patch) => Object.keys(patch).length > 0, 'names no field to change')
  .meta({
    description:
      'Fields of the specification that change, each as a whole; `null` takes one back to its default.',
    examples: [{ idleTimeoutSeconds: 3600, scaledownIdleTimeSeconds: null }],
  });

/** Whether the queues are others than those that the cluster has. */
export function isQueuesChosenBy(patch: ClusterSpecPatch): boolean {
  return QUEUE_SOURCES.some((source) => patch[source] !== null && patch[source] !== undefined);
}

/**
 * What a caller would have to ask for to get the changed specification. Without a field that chooses queues it keeps those
 * that it has.
 */
export function patchedInput(spec: ClusterSpec, patch: ClusterSpecPatch): ClusterSpecInput {
  const { tier: _tier, queues, ...rest } = spec;
  const merged = { ...rest, ...(!isQueuesChosenBy(patch) && { queues }), ...patch };
  return Object.fromEntries(
    Object.entries(merged).filter(([, value]) => value !== null && value !== undefined),
  );
}
