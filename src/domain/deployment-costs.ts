import { z } from 'zod';
import type { CostMeter } from './cost-meter.ts';
import { type CostRates, costRatesSchema } from './cost-rates.ts';

/** What is kept of a deployment's cost beside its export proof, when the deployment is long gone. */
export interface DeploymentCosts {
  readonly meter: CostMeter;
  readonly rates?: CostRates;
  /** ISO 8601, as all times. */
  readonly startedAt: string;
  readonly readyAt?: string;
}

const usd = z.number().min(0);

/** What is read of it again, whichever release wrote it. */
export const keptCostsSchema = z.object({
  meter: z.object({
    upTo: z.iso.datetime(),
    usd: z.object({ headNode: usd, nodes: usd, rootVolumes: usd, lustre: usd, endpoints: usd }),
  }),
  rates: costRatesSchema.optional().catch(undefined),
});
export type KeptCosts = z.output<typeof keptCostsSchema>;
