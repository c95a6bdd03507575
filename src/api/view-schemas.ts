import { z } from 'zod';
import {
  type CampaignView,
  campaignStates,
  type JobView,
  type LogLocation,
} from '../domain/campaign-view.ts';
import { clusterOptionsSchema } from '../domain/cluster-options.ts';
import type { ClusterSpec, ClusterSpecSummary } from '../domain/cluster-spec.ts';
import {
  clusterStates,
  type ClusterView,
  type Hold,
  type LustreView,
  type PublishedAccess,
  type SlurmApiAccess,
} from '../domain/cluster-view.ts';
import { type ExportProblem, exportProblemKinds } from '../domain/export-proof.ts';
import { campaignIdSchema, jobKeySchema, projectIdSchema, virtualLabIdSchema } from '../domain/ids.ts';
import type { CampaignContentReference } from '../domain/job.ts';
import type { OperatorDecision } from '../domain/lustre-export.ts';
import { lustreSpecSchema } from '../domain/lustre.ts';
import { queueSchema } from '../domain/queue.ts';
import { jobTransports, type SlurmApiSpec, slurmApiTrusts } from '../domain/slurm-api-spec.ts';
import type { PlacementTryView } from '../domain/placement.ts';
import type { SlurmKeysView } from '../domain/slurm-keys.ts';
import { pendingCauses } from '../domain/slurm-reasons.ts';
import { jobStates } from '../domain/slurm-states.ts';
import { tierNames } from '../domain/tiers.ts';
import { budgetViewSchema, costViewSchema } from './cost-schemas.ts';
import { failureFields, failureSchema } from './failure-schema.ts';
import { viewEstimateSchema, viewPlanSchema } from './plan-schemas.ts';
import { specUpdateSchema } from './update-schemas.ts';

/*
 * The domain's views as schemas: memos are parsed with them, answers written with them, and the
 * OpenAPI document made from them. `Fields` makes the compiler complain when a view gains a field that is not here.
 */
type Fields<T> = Record<keyof T, z.ZodType>;

/** Described, not checked: a time in an unusual form is no reason to withhold everything else. */
const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);

const slurmApiSpecFields = {
  trust: z.enum(slurmApiTrusts),
  jobsOver: z.enum(jobTransports),
} satisfies Fields<SlurmApiSpec>;

const clusterSpecFields = {
  tier: z.enum([...tierNames, 'custom']),
  queues: z.array(queueSchema),
  idleTimeoutSeconds: z.int(),
  maxLifetimeSeconds: z.int(),
  slurmApi: z.object(slurmApiSpecFields).optional(),
  lustre: lustreSpecSchema.optional(),
  scaledownIdleTimeSeconds: z
    .int()
    .optional()
    .meta({ description: 'After which nodes without a job are powered down; 10 minutes if absent.' }),
  ...clusterOptionsSchema.shape,
} satisfies Fields<ClusterSpec>;

const clusterSpecSummaryFields = {
  tier: clusterSpecFields.tier,
  queueNames: z.array(z.string()),
  idleTimeoutSeconds: z.int(),
  maxLifetimeSeconds: z.int(),
  slurmApi: clusterSpecFields.slurmApi,
  lustre: clusterSpecFields.lustre,
  scaledownIdleTimeSeconds: clusterSpecFields.scaledownIdleTimeSeconds,
  os: clusterSpecFields.os,
  customAmi: clusterSpecFields.customAmi,
  headNode: clusterSpecFields.headNode,
  cloudWatch: clusterSpecFields.cloudWatch,
  fallbackTiers: clusterSpecFields.fallbackTiers,
  s3Mounts: clusterSpecFields.s3Mounts,
} satisfies Fields<ClusterSpecSummary>;

const slurmApiFields = {
  port: z.int().meta({ description: 'Of Slurm’s REST API, behind TLS, at the address of the head node.' }),
  certificateSha256: z
    .string()
    .meta({ description: 'SHA-256 of the certificate that it shows, in hexadecimal digits.' }),
  trust: z.enum(slurmApiTrusts).meta({
    description: 'Whose tokens Slurm accepts: those of the epoch’s own key, or Keycloak’s as well.',
  }),
  jobsOver: z.enum(jobTransports).meta({ description: 'What the service itself sends jobs over.' }),
  signingKeySecretArn: z
    .string()
    .meta({ description: 'Secrets Manager ARN of the private key that signs the service’s own tokens.' }),
} satisfies Fields<SlurmApiAccess>;

const accessFields = {
  address: z.string().meta({ description: 'Private address of the head node.' }),
  port: z.int(),
  user: z.string().meta({ description: 'The job user: all campaigns’ jobs run as it.' }),
  hostKey: z
    .string()
    .meta({ description: 'Public host key of the head node, pinned when the cluster became ready.' }),
  hostKeyFingerprint: z
    .string()
    .optional()
    .meta({ description: 'Of that key, as `ssh-keygen -l` shows it.' }),
  knownHosts: z
    .string()
    .optional()
    .meta({ description: 'The line of a `known_hosts` file, for `StrictHostKeyChecking=yes`.' }),
  privateKeySecretArn: z
    .string()
    .meta({ description: 'Secrets Manager ARN of the private key of the job user.' }),
  slurmApi: z.object(slurmApiFields).optional(),
} satisfies Fields<PublishedAccess>;

const keyIds = z.array(z.string());
const slurmKeysFields = {
  ownKeyIds: keyIds.meta({
    description: 'Ids (`kid`) of the keys of the epoch that Slurm accepts; the first one signs.',
  }),
  keycloakKeyIds: keyIds,
  rotation: z
    .object({
      requestedAt: time,
      by: z.string(),
      reason: z.string(),
      oldKeyEndsAt: time.optional().meta({ description: 'Absent until Slurm has the new key.' }),
    })
    .optional()
    .meta({ description: 'Of the signing key, while it is under way.' }),
  problem: z.string().optional().meta({ description: 'Why the last change of keys did not succeed yet.' }),
} satisfies Fields<SlurmKeysView>;

const tryFields = {
  epoch: z.string(),
  subnetId: z.string().optional(),
  availabilityZone: z.string().optional(),
  tier: clusterSpecFields.tier,
  startedAt: time.optional().meta({ description: 'Of the latest tries.' }),
  failedAt: time.optional().meta({ description: 'Of the latest tries.' }),
  failure: z.object({
    type: failureFields.type,
    message: z.string().optional().meta({ description: 'Of the latest tries, shortened.' }),
  }),
  supportBundle: z.string().optional().meta({
    description:
      '`s3://` address of the events of its stacks, the logs of its nodes, and its Lustre file system as FSx had it.',
  }),
} satisfies Fields<PlacementTryView>;

const exportProblemFields = {
  kind: z.enum(exportProblemKinds),
  message: z.string(),
  files: z.array(z.object({ path: z.string(), error: z.string() })).optional(),
  fileCount: count.optional().meta({ description: 'How many files there are, of which `files` has some.' }),
} satisfies Fields<ExportProblem>;

const lustreFields = {
  fileSystemId: z.string(),
  exportTaskId: z
    .string()
    .optional()
    .meta({ description: 'The data repository task of FSx that exported everything last.' }),
  automaticExportProblem: z
    .string()
    .optional()
    .meta({ description: 'Why automatic export is still off on a cluster that was called back.' }),
  notExported: z
    .array(z.object(exportProblemFields))
    .optional()
    .meta({ description: 'What kept the last export from proving that everything is in S3, shortened.' }),
  discard: z
    .object({ by: z.string(), reason: z.string(), at: time } satisfies Fields<OperatorDecision>)
    .optional()
    .meta({ description: 'Who said that what is not in S3 may be lost.' }),
} satisfies Fields<LustreView>;

const holdFields = { name: z.string(), reason: z.string(), until: time } satisfies Fields<Hold>;

const activitySchema = z.object({
  running: count,
  pending: count,
  stuck: count,
  interactiveSessions: count.meta({
    description:
      'Connections on the head node with a terminal or a program that is not this service’s own, of whatever user.',
  }),
  unreadable: count.optional().meta({
    description: 'Of those that run: jobs of which Slurm’s record could not be read.',
  }),
  at: time,
});

const clusterViewFields = {
  version: z.literal(1),
  virtualLabId: virtualLabIdSchema,
  projectId: projectIdSchema,
  clusterName: z.string(),
  state: z.enum(clusterStates),
  since: time,
  message: z.string(),
  observedAt: time,
  epoch: z.string().optional(),
  spec: z.object(clusterSpecFields).optional(),
  specSummary: z
    .object(clusterSpecSummaryFields)
    .optional()
    .meta({ description: 'In the place of `spec` where that is large.' }),
  estimate: viewEstimateSchema.optional(),
  plan: viewPlanSchema.optional(),
  cost: costViewSchema.optional(),
  budget: budgetViewSchema.optional(),
  subnetId: z.string().optional(),
  stackId: z.string().optional(),
  lustre: z.object(lustreFields).optional(),
  logGroupName: z.string().optional(),
  access: z.object(accessFields).optional(),
  adminPrivateKeySecretArn: z.string().optional(),
  slurmKeys: z.object(slurmKeysFields).optional(),
  readyAt: time.optional(),
  activity: activitySchema.optional(),
  blindSince: time.optional(),
  blindBecause: failureSchema.optional().meta({ description: 'Why looks at Slurm fail since `blindSince`.' }),
  idleSince: time.optional(),
  teardownAt: time.optional(),
  update: specUpdateSchema.optional().meta({ description: 'The last change that was asked for.' }),
  holds: z.array(z.object(holdFields)),
  openCampaigns: count,
  activeJobs: count,
  failure: failureSchema.optional(),
  tries: z
    .array(z.object(tryFields))
    .optional()
    .meta({
      description:
        'Deployments of what was asked for last that did not come to be, the latest at the end, as far as a view has room for ' +
        'them (of older ones without times and message, at most 8): ' +
        'while AWS has no capacity the cluster is tried in other availability zones, then with `fallbackTiers`.',
    }),
  abandonedEpochs: z
    .array(z.string())
    .optional()
    .meta({ description: 'Epochs whose remains somebody has taken over: no sweep touches them.' }),
  choices: z.array(z.string()).optional(),
} satisfies Fields<ClusterView>;

export const clusterSpecSchema: z.ZodType<ClusterSpec> = z.object(clusterSpecFields);

export const clusterViewSchema: z.ZodType<ClusterView> = z.object(clusterViewFields);

export const jobViewFields = {
  key: jobKeySchema,
  arrayKey: jobKeySchema.optional().describe('Of a task of a job array: the key of the array.'),
  arrayTaskId: count.optional().describe('Of a task of a job array: its SLURM_ARRAY_TASK_ID.'),
  state: z.enum(jobStates),
  reason: z.string(),
  nextStep: z.string().optional().describe('What to do about it; absent where nothing needs to be done.'),
  pendingCause: z.enum(pendingCauses).optional().describe('What a job that Slurm has waits for.'),
  slurmJobId: z.string().optional(),
  slurmState: z.string().optional(),
  exitCode: z.int().optional(),
  signal: z.int().optional(),
  submittedAt: time.optional(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  nodes: z.string().optional(),
  restarts: count.optional(),
  logsComplete: z.boolean(),
  logsProblem: z.string().optional(),
} satisfies Fields<JobView>;

export const jobViewSchema: z.ZodType<JobView> = z.object(jobViewFields);

const contentFields = {
  bucket: z.string(),
  key: z.string(),
  sha256: z.string(),
} satisfies Fields<CampaignContentReference>;
const contentReferenceSchema = z.object(contentFields);

const logLocationFields = { logGroupName: z.string(), epoch: z.string() } satisfies Fields<LogLocation>;
const logLocationSchema = z.object(logLocationFields);

const campaignViewFields = {
  version: z.literal(1),
  virtualLabId: virtualLabIdSchema,
  projectId: projectIdSchema,
  campaignId: campaignIdSchema,
  state: z.enum(campaignStates),
  since: time,
  message: z.string(),
  observedAt: time,
  acceptedAt: time,
  endedAt: time.optional(),
  jobCount: count,
  jobsByState: z.partialRecord(z.enum(jobStates), count),
  content: contentReferenceSchema,
  logs: logLocationSchema.optional(),
  failure: failureSchema.optional(),
} satisfies Fields<CampaignView>;

export const campaignViewSchema: z.ZodType<CampaignView> = z.object(campaignViewFields);

/** A page of clusters of all tenants. */
export const clusterPageSchema = z.object({
  clusters: z.array(clusterViewSchema),
  nextPageToken: z.string().optional(),
});

/** What a campaign's submission answers: the same for every repetition, but for the cluster's present state. */
export const campaignReceiptSchema = z.object({
  virtualLabId: virtualLabIdSchema,
  projectId: projectIdSchema,
  campaignId: campaignIdSchema,
  jobCount: count,
  sha256: z.string().meta({ description: 'Of the campaign’s content as it was stored.' }),
  cluster: z
    .object({ state: clusterViewFields.state, since: time, message: z.string() })
    .optional()
    .meta({ description: 'What the cluster is doing now, and so what the jobs wait for.' }),
});

export type CampaignReceipt = z.output<typeof campaignReceiptSchema>;

const campaignSummaryFields = {
  virtualLabId: virtualLabIdSchema,
  projectId: projectIdSchema,
  campaignId: campaignIdSchema,
  state: campaignViewFields.state,
  since: time.optional(),
  message: z.string(),
  observedAt: time.optional(),
  acceptedAt: time.optional(),
  endedAt: time.optional(),
  jobCount: count,
  jobsByState: campaignViewFields.jobsByState,
  failure: failureSchema.optional(),
};

/** A campaign without its jobs. */
export const campaignSummarySchema = z.object(campaignSummaryFields);

export type CampaignSummary = z.output<typeof campaignSummarySchema>;

/** A campaign with one page of its jobs. */
export const campaignPageSchema = z.object({
  ...campaignSummaryFields,
  blindSince: time.optional().meta({
    description:
      'Slurm has not answered since then: the states of the jobs are the last known ones. Absent while it answers.',
  }),
  blindBecause: failureSchema.optional().meta({ description: 'Why it has not.' }),
  jobs: z.array(jobViewSchema),
  nextPageToken: z.string().optional(),
  jobsUnavailable: failureSchema.optional().meta({
    description:
      'Why `jobs` is empty although there are some: the rest of the answer needs no worker, they do.',
  }),
});

export type CampaignPage = z.output<typeof campaignPageSchema>;
