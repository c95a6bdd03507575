import { z } from 'zod';
import { type AttachableFileSystems, fileSystemTypes, isIdOf } from '../domain/file-systems.ts';
import { type LogRetentionDays, logRetentionDays } from '../domain/log-retention.ts';
import { Secret } from './secret.ts';

/*
 * Every environment variable of the product: how it is read, and what to set. `.env.example` documents them; a test
 * keeps the two in step. AWS endpoints and credentials are not here: the SDK reads them itself (`AWS_ENDPOINT_URL*`,
 * `AWS_PROFILE`, …).
 */

/** The description of a schema says what to set, in words that stand alone. */
type Text<T> = z.ZodType<T, string>;

function required<T>(schema: Text<T>, set: string): Text<T> {
  return schema.describe(set);
}

function optional<T>(schema: Text<T>, set: string): z.ZodOptional<Text<T>> {
  return schema.optional().describe(set);
}

/** The default is written as it would be in the environment. */
function withDefault<T>(fallback: string, schema: Text<T>, set: string): z.ZodPrefault<Text<T>> {
  return schema.prefault(fallback).describe(set);
}

const DIGITS = /^\d+$/;

function wholeNumber(min: number, max: number): Text<number> {
  return z
    .string()
    .regex(DIGITS, 'is not a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `is not between ${min} and ${max}`);
}

function seconds(fallback: string, min: number, what: string): z.ZodPrefault<Text<number>> {
  const max = 86_400;
  return withDefault(fallback, wholeNumber(min, max), `${what}: seconds, ${min} to ${max}.`);
}

function bytes(fallback: string, what: string): z.ZodPrefault<Text<number>> {
  const max = 1024 ** 4;
  return withDefault(fallback, wholeNumber(0, max), `${what}: bytes, 0 to ${max}.`);
}

function secret(minCharacters: number): Text<Secret> {
  return z
    .string()
    .regex(/^[\x21-\x7e]*$/, 'holds characters that a header cannot carry')
    .min(minCharacters, `is shorter than ${minCharacters} characters`)
    .transform((value) => new Secret(value));
}

const flag = z
  .enum(['true', 'false'], 'is neither `true` nor `false`')
  .transform((value) => value === 'true');

const hostPort = z.string().regex(/^[^\s:/]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'is not `host:port`');

const roleArn = z
  .string()
  .regex(/^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'is not the ARN of an IAM role');

const list = (item: RegExp, what: string): Text<readonly string[]> =>
  z
    .string()
    .transform((text) => text.split(',').map((each) => each.trim()))
    .refine((items) => items.every((each) => item.test(each)), `is not a comma-separated list of ${what}`);

const fileSystems: Text<AttachableFileSystems> = z
  .string()
  .transform((text) => text.split(',').map((each) => each.trim().split(':')))
  .refine(
    (pairs) =>
      pairs.every(([type, id, ...rest]) => {
        const known = fileSystemTypes.find((each) => each === type);
        return known !== undefined && id !== undefined && rest.length === 0 && isIdOf(known, id);
      }),
    'is not a comma-separated list of `<type>:<id>`',
  )
  .transform((pairs) => Object.fromEntries(pairs.map(([type, id]) => [id, type])))
  .pipe(z.record(z.string(), z.enum(fileSystemTypes)));

const retention = z
  .string()
  .transform((text) => logRetentionDays.find((days) => String(days) === text))
  .pipe(z.custom<LogRetentionDays>((days) => days !== undefined, 'is not a period that CloudWatch has'));

/** What tells which keys to trust must come over TLS, from this machine, or from a file. */
const jwksUrl = z
  .string()
  .transform((text) => URL.parse(text))
  .pipe(
    z.custom<URL>(
      (url) => url instanceof URL && url.username === '' && isTrustworthy(url),
      'is neither an https: nor a file: URL',
    ),
  );

function isTrustworthy({ protocol, hostname }: URL): boolean {
  return (
    ['https:', 'file:'].includes(protocol) ||
    (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
  );
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Where Temporal is and how to get in; the same for both processes. */
export const temporalVariables = {
  TEMPORAL_ADDRESS: withDefault(
    '127.0.0.1:7233',
    hostPort,
    'Host and port of the Temporal frontend, `host:port`.',
  ),
  TEMPORAL_NAMESPACE: withDefault('default', z.string(), 'Name of the Temporal namespace.'),
  TEMPORAL_TASK_QUEUE: withDefault(
    'parallelcluster-provisioner',
    z.string().max(200, 'is longer than 200 characters'),
    'Name of the task queue that the worker polls and the API starts workflows on.',
  ),
  TEMPORAL_TLS: withDefault('false', flag, '`true` to connect to Temporal over TLS. An API key needs it.'),
  TEMPORAL_API_KEY: optional(secret(1), 'API key of the Temporal namespace, if it wants one.'),
};

const bucketName = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is not a bucket name');

/** What both processes need of AWS and of themselves. */
export const commonVariables = {
  AWS_REGION: required(
    z.string().regex(/^[a-z]{2}(-[a-z0-9]+)+-\d+$/, 'is not a region'),
    'AWS region of the clusters, e.g. `us-east-1`.',
  ),
  AWS_S3_FORCE_PATH_STYLE: withDefault(
    'false',
    flag,
    '`true` for S3 servers that do not answer at `<bucket>.<host>`, such as emulators.',
  ),
  CONTROL_BUCKET: required(bucketName, 'Name of the S3 bucket that keeps the content of campaigns.'),
  CONTROL_KMS_KEY_ID: optional(
    z.string(),
    'Id or ARN of the KMS key of the control bucket; S3 encrypts with a key of its own if it is not set.',
  ),
  SCRATCH_BUCKET: optional(
    bucketName,
    'Name of the S3 bucket behind `/data/scratch`, a prefix for each tenant. With the next two: clusters may have Lustre.',
  ),
  PROJECT_PUBLIC_BUCKET: optional(
    bucketName,
    'Name of the S3 bucket behind `/data/project/public`, which every tenant reads and none writes.',
  ),
  PROJECT_PRIVATE_BUCKET: optional(
    bucketName,
    'Name of the S3 bucket behind `/data/project/private`, a prefix for each tenant.',
  ),
  CUSTOM_ACTIONS_BUCKET: optional(
    bucketName,
    'Name of the S3 bucket of operators’ scripts, which specifications may have nodes run as root; none without it. The same for both processes.',
  ),
  ATTACHABLE_FILE_SYSTEMS: optional(
    fileSystems,
    'Existing file systems that clusters may mount, `<type>:<id>` separated by commas: `Efs:fs-…`, `FsxLustre:fs-…`, `FsxOpenZfs:fsvol-…`, `FsxOntap:fsvol-…`. The same for both processes.',
  ),
  KEYCLOAK_JWKS_URL: optional(
    jwksUrl,
    'Where Keycloak’s keys are, for clusters whose Slurm is to accept its tokens: `https://…/realms/<realm>/protocol/openid-connect/certs`, or `file:///…` at the workers. The same for both processes.',
  ),
  LOG_LEVEL: withDefault(
    'info',
    z.enum(logLevels, `is none of ${logLevels.join(', ')}`),
    `Least level that is logged: ${logLevels.join(', ')}.`,
  ),
};

/** The pace of cluster entities: the API gives it to those that it starts. */
export const policyVariables = {
  BUSY_TICK_SECONDS: seconds('15', 1, 'Between two looks at a cluster on which something runs or waits'),
  IDLE_TICK_SECONDS: seconds('300', 1, 'Between two looks at a cluster on which nothing does'),
  READY_TIMEOUT_SECONDS: seconds('1800', 10, 'How long Slurm may take to answer after the stack is complete'),
  DRAIN_TIMEOUT_SECONDS: seconds('900', 10, 'How long a teardown waits for the last logs'),
  USAGE_RECORD_SECONDS: seconds('600', 1, 'Between two records of what jobs used, while something runs'),
  UNCLAIMED_TIMEOUT_SECONDS: seconds('60', 10, 'After which a workflow that got no request ends'),
  HISTORY_EVENT_LIMIT: withDefault(
    '4000',
    wholeNumber(100, 40_000),
    'Events after which a cluster’s workflow, or one of its campaigns’, continues as new: 100 to 40000 (Temporal ends a run at 51200).',
  ),
};

export const apiVariables = {
  API_HOST: withDefault('127.0.0.1', z.string(), 'Address that the API listens on.'),
  API_PORT: withDefault('8080', wholeNumber(0, 65_535), 'Port that the API listens on; 0 takes a free one.'),
  API_TOKEN: required(
    secret(32),
    'Bearer token of the callers, 32 or more visible ASCII characters, e.g. from `openssl rand -hex 32`.',
  ),
};

export const workerVariables = {
  PCLUSTER_PROVIDER_ARN: required(
    z.string().regex(/^arn:[a-z-]+:(lambda|sns):\S+$/, 'is not the ARN of a Lambda function or SNS topic'),
    'ARN of the ParallelCluster custom-resource provider (its `ServiceToken`).',
  ),
  VPC_ID: required(
    z.string().regex(/^vpc-[0-9a-f]+$/, 'is not a VPC id'),
    'Id of the VPC that the clusters live in.',
  ),
  SUBNET_POOL: withDefault(
    'default',
    z.string().max(256, 'is longer than 256 characters'),
    'Value of the tag `parallelcluster-provisioner:pool` on the subnets that clusters may lease.',
  ),
  SSH_ALLOWED_CIDR: required(
    z.cidrv4('is not an IPv4 range'),
    'IPv4 range that may reach head nodes over SSH, e.g. `10.0.0.0/16`: that of the workers and the Workflow Service.',
  ),
  ADDITIONAL_SECURITY_GROUP_IDS: optional(
    list(/^sg-[0-9a-f]+$/, 'security group ids'),
    'Security groups of all nodes beside ParallelCluster’s own, separated by commas.',
  ),
  EFS_FILE_SYSTEM_ID: optional(
    z.string().regex(/^fs-[0-9a-f]+$/, 'is not a file system id'),
    'Id of the EFS file system of all homes, a folder for each tenant; without it a home is the head node’s own disk.',
  ),
  LUSTRE_SECURITY_GROUP_IDS: optional(
    list(/^sg-[0-9a-f]+$/, 'security group ids'),
    'Security groups of Lustre file systems, which let Lustre in from the nodes, separated by commas. Needed with SCRATCH_BUCKET.',
  ),
  LUSTRE_KMS_KEY_ID: optional(
    z.string(),
    'Id or ARN of the KMS key of Lustre file systems; FSx encrypts with a key of its own if it is not set.',
  ),
  LUSTRE_POLL_SECONDS: seconds(
    '15',
    1,
    'Between two looks at a Lustre file system that is being made or exported',
  ),
  EXPORT_STALL_SECONDS: seconds(
    '3600',
    10,
    'After which an export from Lustre that writes nothing counts as hung',
  ),
  HEAD_NODE_SECURITY_GROUP_IDS: optional(
    list(/^sg-[0-9a-f]+$/, 'security group ids'),
    'Security groups of head nodes only, beside those of all nodes, separated by commas.',
  ),
  PERMISSIONS_BOUNDARY_ARN: optional(
    z.string().regex(/^arn:[a-z-]+:iam::\d{12}:policy\/[\w+=,.@/-]+$/, 'is not the ARN of an IAM policy'),
    'ARN of the IAM policy that bounds all roles of a cluster; the provider of `infra/` makes no role without it.',
  ),
  CUSTOM_AMI: optional(
    z.string().regex(/^ami-[0-9a-f]+$/, 'is not an AMI id'),
    'AMI made from ParallelCluster’s; that one itself if it is not set.',
  ),
  SLURM_DATABASE_URI: optional(
    hostPort,
    'Host and port of the MariaDB of Slurm’s accounting. Campaigns on AWS cannot be followed without it.',
  ),
  SLURM_DATABASE_USER: optional(
    z.string().max(80, 'is longer than 80 characters'),
    'User of that database; with {database}, one for each database (docs/operations.md), else one that may use them all.',
  ),
  SLURM_DATABASE_PASSWORD_SECRET_ARN: optional(
    z.string().regex(/^arn:[a-z-]+:secretsmanager:\S+$/, 'is not the ARN of a secret'),
    'ARN of the secret with that user’s password; head nodes read it. With {database} its name, without AWS’s suffix.',
  ),
  PROVISIONER_ROLE_ARN: optional(
    roleArn,
    'ARN of the worker’s own IAM role: then a resource policy lets nobody else read private keys.',
  ),
  WORKFLOW_SERVICE_ROLE_ARN: optional(
    roleArn,
    'ARN of the IAM role of the Workflow Service, which may then read the job user’s key as well.',
  ),
  LOG_RETENTION_DAYS: withDefault(
    '90',
    retention,
    `How long CloudWatch keeps logs: days, one of ${logRetentionDays.join(', ')}.`,
  ),
  LOG_HEAD_BYTES: bytes('67108864', 'How much of the beginning of each output of a job is kept'),
  LOG_TAIL_BYTES: bytes('67108864', 'How much of the end of each output of a job is kept'),
  LOG_FOLLOW_SECONDS: seconds('10', 1, 'Between two copies of what running jobs have written'),
  SWEEP_SECONDS: seconds('1800', 60, 'Between two looks for what no workflow looks after'),
  PRICES_REFRESH_SECONDS: seconds('86400', 0, 'Between two readings of AWS’s price list; 0 for none'),
  METRICS_ADDRESS: optional(
    hostPort,
    'Host and port at which the worker serves metrics for Prometheus (`/metrics`), `host:port`; nowhere without it.',
  ),
  BUDGET_ALARM_TOPIC_ARN: optional(
    z.string().regex(/^arn:[a-z-]+:sns:\S+$/, 'is not the ARN of an SNS topic'),
    'ARN of the SNS topic that is told when a project’s budget has reached a level; the log alone says so without it.',
  ),
  STACK_POLL_SECONDS: seconds('15', 1, 'Between two looks at a stack that is being made or deleted'),
};
