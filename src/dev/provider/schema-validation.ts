import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';

const VALIDATOR = join(import.meta.dirname, '..', 'python', 'validate_pcluster_schema.py');
/** It takes a quarter of a second; imports on a cold disk take the rest. */
const DEADLINE_SECONDS = 60;

const findingsSchema = z.array(z.object({ level: z.string(), type: z.string(), message: z.string() }));

/** One finding of ParallelCluster about a configuration. */
export type Finding = z.infer<typeof findingsSchema>[number];

/** Judges a configuration; an empty list means valid. */
export type ValidateConfiguration = (clusterName: string, configuration: object) => Promise<Finding[]>;

/**
 * ParallelCluster's own schema, from the real package in the virtual environment `venv`. `awsEnv` decides where
 * the look-ups of some of its fields go, and in which Region.
 */
export function pclusterSchemaValidation(
  venv: string,
  awsEnv: Readonly<Record<string, string>>,
): ValidateConfiguration {
  return async (clusterName, configuration) => {
    const { stdout } = await execa(join(venv, 'bin', 'python'), [VALIDATOR, clusterName], {
      input: JSON.stringify(configuration),
      env: awsEnv,
      extendEnv: false,
      timeout: DEADLINE_SECONDS * 1000,
    });
    return findingsSchema.parse(JSON.parse(stdout));
  };
}
