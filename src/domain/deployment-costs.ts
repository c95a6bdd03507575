import type { CostMeter } from './cost-meter.ts';
import type { CostRates } from './cost-rates.ts';

/** What is kept of a deployment's cost beside its export proof, when the deployment is long gone. */
export interface DeploymentCosts {
  readonly meter: CostMeter;
  readonly rates?: CostRates;
  /** ISO 8601, as all times. */
  readonly startedAt: string;
  readonly readyAt?: string;
}
