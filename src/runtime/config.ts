import { z } from 'zod';
import type { AwsClientsConfig } from '../clients/aws.ts';
import type { ClusterPolicy } from '../domain/cluster-snapshot.ts';
import type { KeyReaders } from '../domain/key-policy.ts';
import type { LustreSettings } from '../activities/lustre-deps.ts';
import type { AttachableFileSystems } from '../domain/file-systems.ts';
import type { LogLimits } from '../domain/log-limits.ts';
import type { StorageBuckets } from '../domain/lustre.ts';
import { DATABASE_PLACEHOLDER } from '../domain/pcluster-slurm-settings.ts';
import type { DeploymentSettings } from '../domain/cluster-configuration-input.ts';
import type { Secret } from './secret.ts';
import {
  apiVariables,
  commonVariables,
  policyVariables,
  temporalVariables,
  workerVariables,
} from './variables.ts';

/** How both processes reach Temporal. */
export interface TemporalConfig {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly tls: boolean;
  readonly apiKey?: Secret;
}

interface CommonConfig {
  readonly temporal: TemporalConfig;
  readonly aws: AwsClientsConfig;
  readonly controlBucket: { readonly bucket: string; readonly kmsKeyId?: string };
  /** Without them no cluster can have Lustre. */
  readonly storageBuckets: StorageBuckets | undefined;
  /** Where Keycloak's keys are; without it no cluster can be asked to trust its tokens. */
  readonly keycloakJwksUrl?: URL;
  /** Without it no specification may name scripts. */
  readonly customActionsBucket?: string;
  /** Without it no specification may name existing file systems. */
  readonly attachableFileSystems?: AttachableFileSystems;
  readonly logLevel: string;
}

export interface ApiConfig extends CommonConfig {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly token: Secret;
  readonly policy: ClusterPolicy;
}

export interface WorkerConfig extends CommonConfig {
  readonly providerArn: string;
  readonly vpcId: string;
  /** Value of the pool's tag on subnets. */
  readonly subnetPool: string;
  readonly settings: Omit<DeploymentSettings, 'jobUserScriptUri' | 'jobEnvironmentScriptUri'>;
  /** Who may read private keys; IAM alone decides without it. */
  readonly keyReaders: KeyReaders | undefined;
  readonly logRetentionDays: NonNullable<DeploymentSettings['logRetentionDays']>;
  readonly logLimits: LogLimits;
  readonly logFollowSeconds: number;
  readonly stackPollSeconds: number;
  readonly sweepSeconds: number;
  /** 0: never. */
  readonly pricesRefreshSeconds: number;
  readonly efsFileSystemId: string | undefined;
  readonly lustre: LustreSettings | undefined;
  readonly lustrePollSeconds: number;
  readonly exportStallSeconds: number;
  /** `host:port` of the metrics for Prometheus. */
  readonly metricsAddress: string | undefined;
  /** Where levels of budgets are told; nowhere but in the log without it. */
  readonly budgetAlarmTopicArn: string | undefined;
}

const commonShape = { ...temporalVariables, ...commonVariables };

type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that is wrong with the environment, at once. Never names a value, which could be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      [
        'The environment is not complete:',
        ...problems.map((problem) => `  - ${problem}`),
        'See .env.example.',
      ].join('\n'),
    );
    this.problems = problems;
  }
}

/** What the API process needs. ConfigError names every variable that is missing or wrong. */
export function readApiConfig(env: Environment = process.env): ApiConfig {
  const read = readVariables({ ...commonShape, ...policyVariables, ...apiVariables }, env);
  return {
    ...commonConfig(read),
    host: read.API_HOST,
    port: read.API_PORT,
    token: read.API_TOKEN,
    policy: {
      busyTickSeconds: read.BUSY_TICK_SECONDS,
      idleTickSeconds: read.IDLE_TICK_SECONDS,
      readyTimeoutSeconds: read.READY_TIMEOUT_SECONDS,
      drainTimeoutSeconds: read.DRAIN_TIMEOUT_SECONDS,
      usageRecordSeconds: read.USAGE_RECORD_SECONDS,
      unclaimedTimeoutSeconds: read.UNCLAIMED_TIMEOUT_SECONDS,
      historyEventLimit: read.HISTORY_EVENT_LIMIT,
    },
  };
}

/** What the worker process needs. ConfigError names every variable that is missing or wrong. */
export function readWorkerConfig(env: Environment = process.env): WorkerConfig {
  const read = readVariables({ ...commonShape, ...workerVariables }, env);
  return {
    ...commonConfig(read),
    providerArn: read.PCLUSTER_PROVIDER_ARN,
    vpcId: read.VPC_ID,
    subnetPool: read.SUBNET_POOL,
    settings: {
      region: read.AWS_REGION,
      sshAllowedCidr: read.SSH_ALLOWED_CIDR,
      ...(read.ADDITIONAL_SECURITY_GROUP_IDS && {
        additionalSecurityGroupIds: read.ADDITIONAL_SECURITY_GROUP_IDS,
      }),
      ...(read.HEAD_NODE_SECURITY_GROUP_IDS && {
        headNodeSecurityGroupIds: read.HEAD_NODE_SECURITY_GROUP_IDS,
      }),
      ...(read.PERMISSIONS_BOUNDARY_ARN && { permissionsBoundaryArn: read.PERMISSIONS_BOUNDARY_ARN }),
      ...(read.CUSTOM_AMI && { customAmi: read.CUSTOM_AMI }),
      ...(read.CUSTOM_ACTIONS_BUCKET && { customActionsBucket: read.CUSTOM_ACTIONS_BUCKET }),
      ...withoutHomes(read.ATTACHABLE_FILE_SYSTEMS, read.EFS_FILE_SYSTEM_ID),
      ...slurmDatabase(
        read.SLURM_DATABASE_URI,
        read.SLURM_DATABASE_USER,
        read.SLURM_DATABASE_PASSWORD_SECRET_ARN,
      ),
      logRetentionDays: read.LOG_RETENTION_DAYS,
    },
    keyReaders: keyReaders(read.PROVISIONER_ROLE_ARN, read.WORKFLOW_SERVICE_ROLE_ARN),
    logRetentionDays: read.LOG_RETENTION_DAYS,
    logLimits: { headBytes: read.LOG_HEAD_BYTES, tailBytes: read.LOG_TAIL_BYTES },
    logFollowSeconds: read.LOG_FOLLOW_SECONDS,
    stackPollSeconds: read.STACK_POLL_SECONDS,
    sweepSeconds: read.SWEEP_SECONDS,
    pricesRefreshSeconds: read.PRICES_REFRESH_SECONDS,
    efsFileSystemId: read.EFS_FILE_SYSTEM_ID,
    lustre: lustreSettings(storageBuckets(read), read.LUSTRE_SECURITY_GROUP_IDS, read.LUSTRE_KMS_KEY_ID),
    lustrePollSeconds: read.LUSTRE_POLL_SECONDS,
    exportStallSeconds: read.EXPORT_STALL_SECONDS,
    metricsAddress: read.METRICS_ADDRESS,
    budgetAlarmTopicArn: read.BUDGET_ALARM_TOPIC_ARN,
  };
}

/** All three buckets or none: a cluster sees all of them. */
function storageBuckets(read: z.output<z.ZodObject<typeof commonShape>>): StorageBuckets | undefined {
  const {
    SCRATCH_BUCKET: scratch,
    PROJECT_PUBLIC_BUCKET: projectPublic,
    PROJECT_PRIVATE_BUCKET: projectPrivate,
  } = read;
  if (scratch && projectPublic && projectPrivate) return { scratch, projectPublic, projectPrivate };
  if (!scratch && !projectPublic && !projectPrivate) return undefined;
  const names = 'SCRATCH_BUCKET, PROJECT_PUBLIC_BUCKET and PROJECT_PRIVATE_BUCKET';
  throw new ConfigError([`${names} belong together. Set all three, or none.`]);
}

function lustreSettings(
  buckets: StorageBuckets | undefined,
  securityGroupIds: readonly string[] | undefined,
  kmsKeyId: string | undefined,
): LustreSettings | undefined {
  if (!buckets && !securityGroupIds) return undefined;
  if (buckets && securityGroupIds) return { buckets, securityGroupIds, ...(kmsKeyId && { kmsKeyId }) };
  throw new ConfigError([
    'SCRATCH_BUCKET and LUSTRE_SECURITY_GROUP_IDS belong together. Set both, or neither.',
  ]);
}

/** Its root holds what all tenants have, and no tenant may mount that. */
function withoutHomes(
  attachable: AttachableFileSystems | undefined,
  homes: string | undefined,
): Pick<DeploymentSettings, 'attachableFileSystems'> {
  if (!attachable) return {};
  if (homes === undefined || !Object.hasOwn(attachable, homes)) return { attachableFileSystems: attachable };
  throw new ConfigError([
    'ATTACHABLE_FILE_SYSTEMS has EFS_FILE_SYSTEM_ID. Leave it out: it holds all homes.',
  ]);
}

/** All three variables or none: part of an account is a mistake that would only show on the head node. */
function slurmDatabase(
  uri: string | undefined,
  userName: string | undefined,
  passwordSecretArn: string | undefined,
): Pick<DeploymentSettings, 'slurmDatabase'> {
  if (uri && userName && passwordSecretArn) {
    // One without the other would hand one account's password to all, or one user's many passwords.
    const perDatabase = [userName, passwordSecretArn].filter((each) => each.includes(DATABASE_PLACEHOLDER));
    if (perDatabase.length !== 1) return { slurmDatabase: { uri, userName, passwordSecretArn } };
    throw new ConfigError([
      `${DATABASE_PLACEHOLDER} stands in SLURM_DATABASE_USER and in SLURM_DATABASE_PASSWORD_SECRET_ARN, or in neither.`,
    ]);
  }
  if (!uri && !userName && !passwordSecretArn) return {};
  const names = 'SLURM_DATABASE_URI, SLURM_DATABASE_USER and SLURM_DATABASE_PASSWORD_SECRET_ARN';
  throw new ConfigError([`${names} belong together. Set all three, or none.`]);
}

/** A policy that names the Workflow Service alone would keep the worker itself from reading. */
function keyReaders(
  provisionerRoleArn: string | undefined,
  workflowServiceRoleArn: string | undefined,
): KeyReaders | undefined {
  if (provisionerRoleArn) {
    return { provisionerRoleArn, ...(workflowServiceRoleArn && { workflowServiceRoleArn }) };
  }
  if (!workflowServiceRoleArn) return undefined;
  throw new ConfigError(['WORKFLOW_SERVICE_ROLE_ARN needs PROVISIONER_ROLE_ARN. Set both, or neither.']);
}

function commonConfig(read: z.output<z.ZodObject<typeof commonShape>>): CommonConfig {
  return {
    temporal: {
      address: read.TEMPORAL_ADDRESS,
      namespace: read.TEMPORAL_NAMESPACE,
      taskQueue: read.TEMPORAL_TASK_QUEUE,
      tls: read.TEMPORAL_TLS,
      ...(read.TEMPORAL_API_KEY && { apiKey: read.TEMPORAL_API_KEY }),
    },
    aws: { region: read.AWS_REGION, forcePathStyle: read.AWS_S3_FORCE_PATH_STYLE },
    controlBucket: {
      bucket: read.CONTROL_BUCKET,
      ...(read.CONTROL_KMS_KEY_ID && { kmsKeyId: read.CONTROL_KMS_KEY_ID }),
    },
    storageBuckets: storageBuckets(read),
    ...(read.CUSTOM_ACTIONS_BUCKET && { customActionsBucket: read.CUSTOM_ACTIONS_BUCKET }),
    ...(read.ATTACHABLE_FILE_SYSTEMS && { attachableFileSystems: read.ATTACHABLE_FILE_SYSTEMS }),
    ...(read.KEYCLOAK_JWKS_URL && { keycloakJwksUrl: read.KEYCLOAK_JWKS_URL }),
    logLevel: read.LOG_LEVEL,
  };
}

function readVariables<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Environment,
): z.output<z.ZodObject<Shape>> {
  // An empty variable is as good as an absent one: that is how shells and Compose leave things out.
  const present = Object.entries(env).filter(([, text]) => text?.trim());
  const parsed = z.object(shape).safeParse(Object.fromEntries(present), {
    error: ({ code, input }) => (code === 'invalid_type' && input === undefined ? 'is missing' : undefined),
  });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    const schema: unknown = shape[name];
    const set = schema instanceof z.ZodType ? (schema.description ?? '') : '';
    return `${name} ${message}. Set it: ${set}`;
  });
  throw new ConfigError(problems);
}
