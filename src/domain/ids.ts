import { z } from 'zod';

/**
 * Identifiers of the platform's tenants: lower-case letters, digits and inner hyphens, at most 63 characters.
 * UUIDs fit. Lower case only, because the Slurm database that is named after a tenant is case-insensitive.
 */
const platformId = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 lower-case letters, digits or inner hyphens',
  );

export const virtualLabIdSchema = platformId;
export const projectIdSchema = platformId;

/** The owner of one cluster: a project of a virtual lab. */
export interface Tenant {
  readonly virtualLabId: string;
  readonly projectId: string;
}

/**
 * A campaign's id: derived from the tenant and the caller's `Idempotency-Key` (see `campaignIdFor` in the API),
 * so a repeated request finds the campaign that it made before. 26 characters of lower-case base 32.
 */
export const campaignIdSchema = z
  .string()
  .regex(/^[a-z2-7]{26}$/, 'must be a campaign id as returned when the campaign was accepted');

/** Of a job's key; the pattern below counts them too. */
export const MAX_KEY_CHARACTERS = 64;

/** The key of a job within its campaign, chosen by the caller; also part of the job's Slurm comment. */
export const jobKeySchema = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/,
    'must be 1 to 64 letters, digits, dots, underscores or hyphens, beginning and ending with a letter or digit',
  );

/** Workflow id of a tenant's cluster entity. */
export function clusterWorkflowId({ virtualLabId, projectId }: Tenant): string {
  return `cluster/${virtualLabId}/${projectId}`;
}

/** The tenant of a cluster entity's id; undefined for another id. */
export function tenantOfClusterWorkflow(workflowId: string): Tenant | undefined {
  const [kind, virtualLabId, projectId, ...rest] = workflowId.split('/');
  if (kind !== 'cluster' || !virtualLabId || !projectId || rest.length > 0) return undefined;
  return { virtualLabId, projectId };
}

/** Workflow id of what gives back a deployment that its entity left behind. */
export function reaperWorkflowId({
  virtualLabId,
  projectId,
  epoch,
}: Tenant & { readonly epoch: string }): string {
  return `orphan/${virtualLabId}/${projectId}/${epoch}`;
}

/** Workflow id of the dry run of a specification, given by its hash: who asks again meanwhile gets the same answer. */
export function preflightWorkflowId({ virtualLabId, projectId }: Tenant, specSha256: string): string {
  return `preflight/${virtualLabId}/${projectId}/${specSha256.slice(0, 16)}`;
}

/** Workflow id of one campaign. */
export function campaignWorkflowId(tenant: Tenant, campaignId: string): string {
  return `campaign/${tenant.virtualLabId}/${tenant.projectId}/${campaignId}`;
}

/** Workflow id of the entity that leases a VPC's cluster subnets. */
export function subnetPoolWorkflowId(vpcId: string): string {
  return `subnet-pool/${vpcId}`;
}

const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';
const EPOCH_TIME_CHARACTERS = 9;

/**
 * The id of one deployment of a cluster: nine characters of time (milliseconds, base 32, so ids sort by age until
 * the year 3084) and five of `randomHex`'s. Names of key pairs, secrets and log streams carry it, because Secrets
 * Manager reserves the names of deleted secrets and Slurm's job ids begin at 1 in every deployment.
 */
export function newEpochId(nowMs: number, randomHex: string): string {
  let rest = Math.floor(nowMs);
  let time = '';
  for (let i = 0; i < EPOCH_TIME_CHARACTERS; i++) {
    time = CROCKFORD.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  return time + randomHex.replaceAll('-', '').slice(0, 5);
}

/** When an epoch was made, in seconds since 1970; 0 for an id of another form. */
export function epochStartSeconds(epoch: string): number {
  let milliseconds = 0;
  for (const character of epoch.slice(0, EPOCH_TIME_CHARACTERS)) {
    const digit = CROCKFORD.indexOf(character);
    if (digit < 0) return 0;
    milliseconds = milliseconds * 32 + digit;
  }
  return Math.floor(milliseconds / 1000);
}

/** What ties a Slurm job to us: carried in the job's comment, so that a retry finds the job that it already made. */
export interface JobReference {
  readonly epoch: string;
  readonly campaignId: string;
  readonly jobKey: string;
}

const COMMENT_PREFIX = 'pcp';

/** The Slurm comment of a job, e.g. `pcp/1k2m9x0aab12cd/mfrggzdfmztwq2lknnwg23tpou/sim-3`. */
export function jobComment({ epoch, campaignId, jobKey }: JobReference): string {
  return [COMMENT_PREFIX, epoch, campaignId, jobKey].join('/');
}

/** The reference in a Slurm comment, or undefined for a job that did not come through us. */
export function parseJobComment(comment: string): JobReference | undefined {
  const [prefix, epoch, campaignId, jobKey, ...rest] = comment.trim().split('/');
  if (prefix !== COMMENT_PREFIX || !epoch || !campaignId || !jobKey || rest.length > 0) return undefined;
  return { epoch, campaignId, jobKey };
}
