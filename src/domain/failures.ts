/**
 * The closed list of failures that the product knows by name. Everything else is a bug and stays one: it keeps its
 * stack trace, is retried by Temporal, and becomes a plain 500 in the API.
 *
 * `retryable`: whether repeating the same activity with the same input can succeed.
 * `httpStatus`: the status that the API answers when the failure reaches it.
 * `nextStep`: what a person should do, in words that stand alone.
 */
export const failures = {
  InvalidRequest: {
    retryable: false,
    httpStatus: 400,
    title: 'The request is not valid',
    nextStep: 'Correct the fields named in `errors` and send the request again.',
  },
  Unauthorized: {
    retryable: false,
    httpStatus: 401,
    title: 'A valid bearer token is required',
    nextStep: 'Send the header `Authorization: Bearer <token>` with the token configured as API_TOKEN.',
  },
  NotFound: {
    retryable: false,
    httpStatus: 404,
    title: 'Nothing of that name exists',
    nextStep: 'Check the ids in the path.',
  },
  NoCluster: {
    retryable: false,
    httpStatus: 422,
    title: 'There is no live cluster for this project and the campaign names none',
    nextStep: 'Send a `cluster` specification with the campaign, or create the cluster first.',
  },
  ClusterSpecConflict: {
    retryable: false,
    httpStatus: 409,
    title: 'The project has a cluster with another specification',
    nextStep:
      'Use the existing cluster, change it (`PATCH …/cluster`), or delete it and wait until its state is `deleted`.',
  },
  ChangeRefused: {
    retryable: false,
    httpStatus: 409,
    title: 'The change would replace storage',
    nextStep:
      'Leave out what `changes` names as refused, or delete the cluster and ask for one of the new specification.',
  },
  ClusterUpdating: {
    retryable: false,
    httpStatus: 409,
    title: 'Another change of the cluster is under way',
    nextStep: 'Wait until the `update` of the cluster has ended, then repeat the request.',
  },
  BudgetExhausted: {
    retryable: false,
    httpStatus: 409,
    title: 'The project has spent its budget of this month',
    nextStep:
      'Raise the budget (`PUT …/budget`), which lifts the refusal at once, or wait for the next calendar month (UTC). `budget` has the figures.',
  },
  PriceUnknown: {
    retryable: false,
    httpStatus: 422,
    title: 'The project has a budget, and a part of the cluster has no price',
    nextStep:
      'Ask for instance types that have a price in the Region, or take the budget back; operators: the last workflow `refreshPrices` says why there is none.',
  },
  NeedsInfeasible: {
    retryable: false,
    httpStatus: 422,
    title: 'No cluster satisfies these needs',
    nextStep:
      'Read `limit` and what comes `nearest`; give more time or budget, or smaller jobs, and look at `POST /v1/plans`.',
  },
  CampaignConflict: {
    retryable: false,
    httpStatus: 422,
    title: 'This Idempotency-Key was used for another campaign',
    nextStep: 'Use a new Idempotency-Key for a new campaign.',
  },
  QueueNotInCluster: {
    retryable: false,
    httpStatus: 422,
    title: 'A job asks for a queue that the cluster does not have',
    nextStep: 'Use one of the queues named in the message, or a cluster specification that has the queue.',
  },
  ClusterDeleting: {
    retryable: false,
    httpStatus: 409,
    title: 'The cluster is being deleted',
    nextStep: 'Repeat the request with a `cluster` specification, or wait until the state is `deleted`.',
  },
  WorkerUnavailable: {
    retryable: true,
    httpStatus: 503,
    title: 'No worker accepted the request in time',
    nextStep: 'Repeat the same request after the seconds in Retry-After; it is safe to repeat.',
  },
  TemporalUnavailable: {
    retryable: true,
    httpStatus: 503,
    title: 'The workflow engine does not answer',
    nextStep: 'Repeat the same request after the seconds in Retry-After; operators: check Temporal.',
  },
  SubnetPoolEmpty: {
    retryable: false,
    httpStatus: 503,
    title: 'No cluster subnet carries the tag of the pool',
    nextStep: 'Tag the subnets of the cluster VPC as documented for SUBNET_POOL.',
  },
  PreflightFailed: {
    retryable: false,
    httpStatus: 422,
    title: 'The cluster cannot come up as it was asked for',
    nextStep:
      'Mend what the message names; look with `PUT …/cluster?dryRun=true`, then create the cluster again.',
  },
  SlurmDatabaseAccountMissing: {
    retryable: false,
    httpStatus: 503,
    title: 'The cluster’s accounting database has no account yet',
    nextStep:
      'Make the database user and the secret named in the message, as the section Isolation of docs/operations.md says, then create the cluster again.',
  },
  StackNameTaken: {
    retryable: false,
    httpStatus: 409,
    title: 'A CloudFormation stack of that name exists and is not ours',
    nextStep: 'Look at the stack named in the message; rename or delete it by hand if nobody needs it.',
  },
  StackCreateFailed: {
    retryable: false,
    httpStatus: 502,
    title: 'CloudFormation could not create the cluster',
    nextStep: 'Read the reason, which comes from the stack events; then create the cluster again.',
  },
  InsufficientCapacity: {
    retryable: false,
    httpStatus: 503,
    title: 'EC2 has no such instances left where the cluster was to be',
    nextStep:
      'Create the cluster again later, with `fallbackTiers`, or with other instance types; subnets of the pool in other availability zones help.',
  },
  QuotaExceeded: {
    retryable: false,
    httpStatus: 409,
    title: 'A quota of the AWS account is used up',
    nextStep:
      'Have the quota that the message names raised in Service Quotas, or ask for fewer or smaller nodes; then create the cluster again.',
  },
  UnsupportedInZone: {
    retryable: false,
    httpStatus: 422,
    title: 'The availability zone has no such instances at all',
    nextStep:
      'Use another instance type, or give the pool subnets only in zones that offer it; then create the cluster again.',
  },
  StackUpdateFailed: {
    retryable: false,
    httpStatus: 502,
    title: 'CloudFormation could not update the cluster',
    nextStep: 'Read the reason, which comes from the stack events; the cluster runs on as it was.',
  },
  StackDeleteFailed: {
    retryable: false,
    httpStatus: 502,
    title: 'CloudFormation could not delete the cluster',
    nextStep:
      'Remove what the message names, or the protection of an instance, then resolve the block with `retry`.',
  },
  HomeNotAvailable: {
    retryable: false,
    httpStatus: 502,
    title: 'EFS could not make the access point of the homes',
    nextStep: 'Look at the access point named in the message; then create the cluster again.',
  },
  LustreNotConfigured: {
    retryable: false,
    httpStatus: 422,
    title: 'This installation has no Lustre file systems',
    nextStep:
      'Ask for a cluster without `lustre`; operators: set the variables of the section Storage of docs/operations.md.',
  },
  LustreCreateFailed: {
    retryable: false,
    httpStatus: 502,
    title: 'FSx could not make the Lustre file system',
    nextStep: 'Read FSx’s reason, which the message has; then create the cluster again.',
  },
  LustreLinkFailed: {
    retryable: false,
    httpStatus: 502,
    title: 'FSx could not link the Lustre file system with S3',
    nextStep:
      'Correct the bucket’s policy or notifications, which the message names; then create the cluster again.',
  },
  LustreNotExported: {
    retryable: false,
    httpStatus: 409,
    title: 'The Lustre file system holds data that is not in S3',
    nextStep:
      'Mend what the message names, then resolve the block with `retry`; or with `discard`, by name and with a reason, to lose the data.',
  },
  ExportNotVerifiable: {
    retryable: false,
    httpStatus: 502,
    title: 'S3 does not let the service see whether an export is whole',
    nextStep:
      'Operators: allow the worker `s3:GetObject` on the objects and `s3:ListBucket` on the buckets of SCRATCH_BUCKET and PROJECT_PRIVATE_BUCKET, and the use of their key; then resolve the block with `retry`.',
  },
  S3WritesUnfinished: {
    retryable: false,
    httpStatus: 409,
    title: 'Something may still write to S3 on the cluster',
    nextStep:
      'End what the message names, or let it end, then resolve the block with `retry`; or with `discard`, by name and with a reason, to lose what is being written.',
  },
  LustreDeleteFailed: {
    retryable: false,
    httpStatus: 502,
    title: 'FSx could not delete the Lustre file system',
    nextStep: 'Remove what the message names, then resolve the block with `retry`.',
  },
  HostKeyMismatch: {
    retryable: false,
    httpStatus: 502,
    title: 'The head node presents another host key than the one that was pinned',
    nextStep: 'Treat it as an intrusion until explained; tear the cluster down if it is not.',
  },
  HeadNodeUnreachable: {
    retryable: true,
    httpStatus: 503,
    title: 'The head node does not answer over SSH',
    nextStep: 'Check the head node in EC2, its security group and the route from the worker.',
  },
  SlurmUnavailable: {
    retryable: true,
    httpStatus: 503,
    title: 'Slurm does not answer on the head node',
    nextStep: 'Check slurmctld and slurmdbd on the head node (`systemctl status`, /var/log/slurm*).',
  },
  SlurmTokenRefused: {
    retryable: true,
    httpStatus: 502,
    title: 'Slurm refused the token of the service',
    nextStep:
      'Compare the JWKS on the head node with the signing key of the epoch, and the clocks; slurmctld.log names the cause.',
  },
  KeycloakUnavailable: {
    retryable: true,
    httpStatus: 503,
    title: 'Keycloak’s keys, which the cluster is to trust, cannot be had',
    nextStep:
      'Check KEYCLOAK_JWKS_URL of the worker, and that what it names has an RS256 key with a `kid` for signatures.',
  },
  ClusterNotReady: {
    retryable: true,
    httpStatus: 503,
    title: 'The cluster exists but Slurm is not usable yet',
    nextStep: 'Wait; if it lasts, look at the head node’s logs in CloudWatch.',
  },
  JobRejected: {
    retryable: false,
    httpStatus: 422,
    title: 'Slurm refused the job',
    nextStep: 'Read Slurm’s message and correct the job.',
  },
  KeyPairConflict: {
    retryable: false,
    httpStatus: 409,
    title: 'A key pair or secret of that name exists and is not ours',
    nextStep: 'Look at the resource named in the message; delete it by hand if nobody needs it.',
  },
  SecretPolicyRefused: {
    retryable: false,
    httpStatus: 502,
    title: 'Secrets Manager refused the resource policy of a private key',
    nextStep:
      'Operators: correct PROVISIONER_ROLE_ARN and WORKFLOW_SERVICE_ROLE_ARN, whose roles must exist; then ask for the cluster again.',
  },
  AwsAccessDenied: {
    retryable: false,
    httpStatus: 502,
    title: 'AWS denied an operation that the service needs',
    nextStep: 'Compare the policy of the service’s role with docs/technical-description.md.',
  },
  AwsUnavailable: {
    retryable: true,
    httpStatus: 503,
    title: 'AWS does not answer in time',
    nextStep: 'Repeat the same request after the seconds in Retry-After; operators: check the service named.',
  },
  ClusterUnattended: {
    retryable: false,
    httpStatus: 409,
    title: 'The workflow of the cluster was ended from outside: nothing looks after the cluster',
    nextStep:
      'Operators: delete its stack, key pairs, secrets and lease as the operations guide says, then ask for it again.',
  },
  JobActionRefused: {
    retryable: false,
    httpStatus: 409,
    title: 'The job cannot be changed in this way now',
    nextStep:
      'Look at the state of the job; one that waits for its submission can be changed once Slurm has it.',
  },
  CampaignRunning: {
    retryable: true,
    httpStatus: 503,
    title: 'The campaign has not ended yet',
    nextStep: 'Wait until it has ended, or cancel it.',
  },
  RetryRefused: {
    retryable: false,
    httpStatus: 409,
    title: 'The jobs cannot be tried again as asked',
    nextStep: 'Look at the states of the campaign’s jobs; name only jobs that have ended without success.',
  },
  CampaignUnattended: {
    retryable: false,
    httpStatus: 409,
    title: 'The workflow of the campaign was ended from outside: nothing follows its jobs',
    nextStep:
      'Operators: cancel its jobs on the head node, or tear the cluster down; then submit what is missing anew.',
  },
  CampaignContentMissing: {
    retryable: false,
    httpStatus: 502,
    title: 'The content of the campaign is missing from the control bucket or was changed',
    nextStep: 'Check the bucket’s lifecycle rules and submit the campaign again with a new Idempotency-Key.',
  },
  LogIncomplete: {
    retryable: true,
    httpStatus: 502,
    title: 'A part in the middle of the log is missing in CloudWatch Logs',
    nextStep: 'Repeat the request in a minute; if it lasts, look at the log stream named in the message.',
  },
  TeardownTimedOut: {
    retryable: false,
    httpStatus: 504,
    title: 'Deleting the cluster did not finish in time',
    nextStep: 'Remove what the last error in the message names, then resolve the block with `retry`.',
  },
  ClusterAbandoned: {
    retryable: false,
    httpStatus: 409,
    title: 'An operator gave the cluster up before everything was deleted',
    nextStep: 'Remove by hand what the message names; subnet lease and keys were kept for that.',
  },
  ProvisioningTimedOut: {
    retryable: false,
    httpStatus: 504,
    title: 'Provisioning did not finish in time',
    nextStep: 'Look at the last error in the message, then create the cluster again.',
  },
} as const satisfies Record<
  string,
  { retryable: boolean; httpStatus: number; title: string; nextStep: string }
>;

export type FailureType = keyof typeof failures;

/** A failure as it is stored, shown to operators and answered by the API. */
export interface Failure {
  readonly type: FailureType | 'Unexpected';
  /** What happened, with the names of the things it happened to. Never contains a secret. */
  readonly message: string;
  readonly nextStep: string;
}

export function isFailureType(type: unknown): type is FailureType {
  return typeof type === 'string' && Object.hasOwn(failures, type);
}

/** A failure from the closed list, thrown outside workflow code and translated at its edges. */
export class KnownFailure extends Error {
  override readonly name = 'KnownFailure';
  readonly type: FailureType;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(type: FailureType, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.type = type;
    this.details = details;
  }
}

/** The stored form of a failure of the given type. */
export function failureOf(type: FailureType, message: string): Failure {
  return { type, message, nextStep: failures[type].nextStep };
}

/** The stored form of something that no entry of the list describes. */
export function unexpectedFailure(message: string): Failure {
  return {
    type: 'Unexpected',
    message,
    nextStep: 'Open this workflow in the Temporal UI and read the failed activity; this is a defect.',
  };
}
