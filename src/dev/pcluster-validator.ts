import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';

const VALIDATOR = join(import.meta.dirname, 'python', 'validate_pcluster.py');
/** Two seconds of imports and about one per document; a cold disk may need ten times that. */
const DEADLINE_SECONDS = 120;
/** The validator's exit status when it has judged, and not all documents are valid. */
const SOME_INVALID = 1;

const verdictsSchema = z.array(
  z.object({
    valid: z.boolean(),
    findings: z.array(
      z.object({ level: z.enum(['INFO', 'WARNING', 'ERROR']), type: z.string(), message: z.string() }),
    ),
    validators: z.array(z.string()),
  }),
);

/** What ParallelCluster says of one configuration, in its own words. Valid when no finding is an ERROR. */
export type Verdict = z.infer<typeof verdictsSchema>[number];

export interface ValidationOptions {
  /** The virtual environment `parallelcluster`, see `ensureVenv`. */
  readonly venv: string;
  /** `schema`: names and types of all fields, in half a second. `full`: everything that runs before a cluster is created. */
  readonly mode: 'schema' | 'full';
  readonly clusterName?: string;
}

/**
 * Judges ParallelCluster configurations by the real aws-parallelcluster. Nothing leaves the machine: the validators
 * ask an emulated AWS that holds every id which a document names.
 *
 * @param documents YAML or JSON texts of one document each.
 * @returns one verdict per document, in their order.
 * @throws when no judgement was possible.
 */
export async function validateClusterConfigurations(
  documents: readonly string[],
  { venv, mode, clusterName }: ValidationOptions,
): Promise<Verdict[]> {
  const { exitCode, stdout, stderr } = await execa(
    join(venv, 'bin', 'python'),
    [
      VALIDATOR,
      ...(mode === 'schema' ? ['--schema-only'] : []),
      ...(clusterName === undefined ? [] : ['--cluster-name', clusterName]),
    ],
    {
      input: documents.join('\n---\n'),
      env: { PYTHONDONTWRITEBYTECODE: '1', LANG: 'C.UTF-8' },
      extendEnv: false,
      timeout: DEADLINE_SECONDS * 1000,
      reject: false,
    },
  );
  if (exitCode !== 0 && exitCode !== SOME_INVALID) {
    throw new Error(`${VALIDATOR} could not judge (exit status ${exitCode}): ${stderr.slice(-2000)}`);
  }
  return verdictsSchema.parse(JSON.parse(stdout));
}
