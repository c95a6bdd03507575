import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';

const JUDGE = join(import.meta.dirname, 'python', 'judge_update.py');
/** Two seconds of imports and milliseconds for each pair; a cold disk may need ten times that. */
const DEADLINE_SECONDS = 120;

const reportsSchema = z.array(
  z.object({
    allowed: z.boolean(),
    changes: z.array(
      z.object({
        parameter: z.string(),
        currentValue: z.unknown(),
        requestedValue: z.unknown(),
        check: z.enum(['SUCCEEDED', 'ACTION NEEDED', 'FAILED']),
        reason: z.string(),
        updatePolicy: z.string(),
      }),
    ),
  }),
);

/** What ParallelCluster says of a change to a cluster whose nodes may run. No changes: it sees no difference. */
export type UpdateReport = z.infer<typeof reportsSchema>[number];

/**
 * Judges changes of ParallelCluster configurations by the update policies of the real aws-parallelcluster in the virtual
 * environment `venv`. Nothing leaves the machine.
 *
 * @param pairs configurations before and after.
 * @returns one report per pair, in their order.
 * @throws when no judgement was possible.
 */
export async function judgeUpdates(
  pairs: readonly (readonly [before: object, after: object])[],
  venv: string,
): Promise<UpdateReport[]> {
  const { stdout } = await execa(join(venv, 'bin', 'python'), [JUDGE], {
    input: JSON.stringify(pairs),
    env: { PYTHONDONTWRITEBYTECODE: '1', LANG: 'C.UTF-8' },
    extendEnv: false,
    timeout: DEADLINE_SECONDS * 1000,
  });
  return reportsSchema.parse(JSON.parse(stdout));
}
