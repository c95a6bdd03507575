import type { ClusterSpec } from './cluster-spec.ts';
import type { SubnetLease } from './deployment.ts';
import type { Tenant } from './ids.ts';
import { sentence } from './wording.ts';

/** What is looked at before anything that costs money is made. */
export const preflightCheckNames = [
  'names',
  'instance-types',
  'vcpu-quota',
  'addresses',
  'endpoints',
  'image',
  'lustre-quota',
  'bucket-notifications',
  'database',
] as const;

export type PreflightCheckName = (typeof preflightCheckNames)[number];

/**
 * `failed`: the cluster cannot come up as it was asked for. `unknown`: it could not be found out, which keeps nobody from
 * trying: AWS itself refuses what is impossible, only later.
 */
export type PreflightOutcome = 'ok' | 'failed' | 'unknown';

export interface PreflightCheck {
  readonly name: PreflightCheckName;
  readonly outcome: PreflightOutcome;
  /** What was found, in plain words. */
  readonly cause: string;
  /** What somebody should do; absent where all is well. */
  readonly nextStep?: string;
}

/** Where a cluster would be: the leased subnet, or the one that would be leased now. */
export interface PreflightPlace {
  readonly subnetId: string;
  readonly availabilityZone: string;
}

export interface PreflightReport {
  readonly place?: PreflightPlace;
  /** All that concern the cluster, in the order of their names' list. */
  readonly checks: readonly PreflightCheck[];
}

/** Whether the cluster can be made as far as anybody knows. */
export function isPassed({ checks }: PreflightReport): boolean {
  return checks.every(({ outcome }) => outcome !== 'failed');
}

/** What a failed preflight says: every failed check with its cause and next step. */
export function describeFailedChecks({ checks }: PreflightReport): string {
  return checks
    .filter(({ outcome }) => outcome === 'failed')
    .map(({ name, cause, nextStep }) => `${name}: ${sentence(cause)} ${sentence(nextStep ?? '')}`.trim())
    .join(' · ');
}

/** The cluster to judge. */
export interface PreflightRequest extends Tenant {
  readonly clusterName: string;
  readonly spec: ClusterSpec;
  /** Absent where nothing is to be made: then only what others have made can be in the way. */
  readonly epoch?: string;
  readonly lease?: SubnetLease;
}
