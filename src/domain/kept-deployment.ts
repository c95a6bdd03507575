import { z } from 'zod';
import type { ClusterSpec } from './cluster-spec.ts';
import type { ClusterAccess } from './cluster-view.ts';
import { type CostRates, costRatesSchema } from './cost-rates.ts';
import { clusterSpecSchema } from './entity-requests.ts';
import { jobTransports, slurmApiTrusts } from './slurm-api-spec.ts';

/**
 * What is kept of a deployment from the moment on in which it can run jobs, for the case that its workflow is lost: whoever
 * gives it back then must know what is mounted, and how its head node is reached. Secrets are named by their ARN.
 */
export interface KeptDeployment {
  readonly spec: ClusterSpec;
  readonly access: ClusterAccess;
  /** ISO 8601, as all times. */
  readonly startedAt: string;
  readonly readyAt?: string;
  /** What its nodes cost. Absent where nobody said that. */
  readonly rates?: CostRates;
}

const accessSchema = z.object({
  address: z.string().min(1),
  port: z.int(),
  user: z.string().min(1),
  hostKey: z.string().min(1),
  privateKeySecretArn: z.string().min(1),
  slurmApi: z
    .object({
      port: z.int(),
      certificateSha256: z.string(),
      trust: z.enum(slurmApiTrusts),
      jobsOver: z.enum(jobTransports),
      signingKeySecretArn: z.string(),
    })
    .optional(),
});

const schema = z.object({
  version: z.literal(1),
  spec: clusterSpecSchema,
  access: accessSchema,
  startedAt: z.iso.datetime(),
  readyAt: z.iso.datetime().optional(),
  rates: costRatesSchema.optional().catch(undefined),
});

/** Undefined for what another release wrote that this one cannot read. */
export function parseKeptDeployment(text: string): KeptDeployment | undefined {
  const { data } = schema.safeParse(JSON.parse(text));
  if (!data) return undefined;
  const { spec, access, startedAt, readyAt, rates } = data;
  return { spec, access, startedAt, ...(readyAt && { readyAt }), ...(rates && { rates }) };
}
