import { z } from 'zod';
import type { Findings } from './orphans.ts';
import { counted } from './wording.ts';

/*
 * A Temporal that is new, restored from before, or simply another one knows of no cluster, and everything in AWS looks left
 * behind. So much at once is not given back before somebody says so.
 */

/** So many orphans at once are nothing unusual. */
const HANDFUL = 5;

/** What an operator can say to a sweep. */
export const reconcileRequestSchema = z.strictObject({
  beginUpTo: z.int().min(1).optional(),
  claim: z
    .array(z.string().regex(/^[0-9a-z]{14}$/, 'must be an epoch: 14 characters'))
    .min(1)
    .max(200)
    .optional(),
});

/** Input of the workflow `reconcile`; the schedule gives none. */
export interface ReconcileRequest {
  /** Begins although most deployments look left behind, if they are no more than that. */
  readonly beginUpTo?: number;
  /** Epochs that are this installation's although nothing says so. */
  readonly claim?: readonly string[];
}

/** Why the sweep begins nothing; undefined when it may. */
export function brakeOf(findings: Findings, { beginUpTo = 0 }: ReconcileRequest): string | undefined {
  const { orphans, deployments = orphans.length } = findings;
  if (orphans.length <= HANDFUL || orphans.length * 2 <= deployments) return undefined;
  if (orphans.length <= beginUpTo) return undefined;
  return (
    `No workflow looks after ${orphans.length} of ${counted(deployments, 'deployment')}. Is this the Temporal namespace that made ` +
    'them, with all that it had? Nothing was begun or removed.'
  );
}
