import { isRetryableByTrait, isServerError, isThrottlingError, isTransientError } from '@smithy/core/retry';
import { KnownFailure } from '../domain/failures.ts';

/*
 * The one place that knows how AWS names its errors. Names only, never message texts, with the exceptions that
 * CloudFormation forces on its callers (see isStackNotFound, isNothingToUpdate).
 */

/** Names under which the services that we use say that a thing does not exist. */
const notFound = new Set(['InvalidKeyPair.NotFound', 'ResourceNotFoundException', 'NoSuchKey', 'NotFound']);

const alreadyExists = new Set([
  'AlreadyExistsException',
  'InvalidKeyPair.Duplicate',
  'ResourceAlreadyExistsException',
  'ResourceExistsException',
]);

const accessDenied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'Client.UnauthorizedOperation',
  // S3 answers HEAD without a body, so that only the status names the error.
  'Forbidden',
]);

/** AWS's messages can carry an encoded statement of several kilobytes (EC2, `UnauthorizedOperation`). */
const MAX_MESSAGE_CHARACTERS = 500;

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

function isNamed(error: unknown, names: ReadonlySet<string>): boolean {
  const name = nameOf(error);
  return name !== undefined && names.has(name);
}

/** Whether the same call may well succeed a little later: throttled, a server's fault, or no answer at all. */
export function isPassing(error: unknown): boolean {
  if (!isSdkError(error)) return false;
  return [isRetryableByTrait, isThrottlingError, isTransientError, isServerError].some((is) => is(error));
}

/** What Node names when no connection comes about, and what the SDK does when no answer comes in time. */
const unanswered = new Set([
  'AbortError',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'ETIMEDOUT',
  'TimeoutError',
]);

/** Whether nothing answered at all: no way leads there. */
export function isUnanswered(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return unanswered.has(error.name) || ('code' in error && unanswered.has(String(error.code)));
}

/** The SDK takes any error for one of its own: its further properties are all optional. */
function isSdkError(error: unknown): error is Parameters<typeof isServerError>[0] {
  return error instanceof Error;
}

/** Whether AWS says that the thing asked for does not exist. Not for CloudFormation: see {@link isStackNotFound}. */
export function isNotFound(error: unknown): boolean {
  return isNamed(error, notFound);
}

/** Whether AWS refused to make something because it exists. */
export function isAlreadyExists(error: unknown): boolean {
  return isNamed(error, alreadyExists);
}

/** Whether AWS denied the call to the credentials in use. */
export function isAccessDenied(error: unknown): boolean {
  return isNamed(error, accessDenied);
}

/** Whether CloudFormation found the request itself wrong: template, name, or the state of the stack. */
export function isInvalidStackRequest(error: unknown): boolean {
  return nameOf(error) === 'ValidationError';
}

/**
 * Whether an update changes nothing. CloudFormation has no error of its own for that either.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
 */
export function isNothingToUpdate(error: unknown): boolean {
  return error instanceof Error && isInvalidStackRequest(error) && /No updates are to be/.test(error.message);
}

/**
 * Whether `DescribeStacks` says that there is no such stack. CloudFormation has no error of its own for that: it is
 * a `ValidationError` whose message says so. The message is matched because every other `ValidationError` taken for
 * "gone" would free a subnet in which a cluster still lives.
 */
export function isStackNotFound(error: unknown): boolean {
  return error instanceof Error && isInvalidStackRequest(error) && /does not exist/.test(error.message);
}

/** Whether Secrets Manager refuses because the secret is scheduled for deletion (`InvalidRequestException`). */
export function isInvalidSecretState(error: unknown): boolean {
  return nameOf(error) === 'InvalidRequestException';
}

/** Whether Secrets Manager does not take a resource policy: its form, a principal that does not exist, or too wide. */
export function isPolicyRefused(error: unknown): error is Error {
  const name = nameOf(error);
  return name === 'MalformedPolicyDocumentException' || name === 'PublicPolicyException';
}

/** Whether EFS says that there is no such access point. */
export function isAccessPointNotFound(error: unknown): boolean {
  return nameOf(error) === 'AccessPointNotFound';
}

/** Whether FSx says that there is no such file system. */
export function isFileSystemNotFound(error: unknown): boolean {
  return nameOf(error) === 'FileSystemNotFound';
}

/** Whether FSx says that there is no such link of a file system with S3. */
export function isLinkNotFound(error: unknown): boolean {
  return nameOf(error) === 'DataRepositoryAssociationNotFound';
}

/** Whether EC2 refuses because the instance is protected from termination. */
export function isProtectedFromTermination(error: unknown): error is Error {
  return nameOf(error) === 'OperationNotPermitted';
}

/** Whether FSx refuses a task because another one of the file system is under way. */
export function isTaskExecuting(error: unknown): boolean {
  return nameOf(error) === 'DataRepositoryTaskExecuting';
}

/** Whether FSx found the request itself wrong, or cannot do it in the account's present state. */
export function isFsxRefusal(error: unknown): error is Error {
  const name = nameOf(error);
  return (
    name === 'BadRequest' ||
    name === 'IncompatibleParameterError' ||
    name === 'InvalidNetworkSettings' ||
    name === 'InvalidPerUnitStorageThroughput' ||
    name === 'ServiceLimitExceeded' ||
    name === 'UnsupportedOperation'
  );
}

/** Whether CloudWatch Logs does not take a page token (any longer). */
export function isInvalidPageToken(error: unknown): boolean {
  return nameOf(error) === 'InvalidParameterException';
}

/** AwsAccessDenied for the error of a call, naming the call. */
export function accessDeniedFailure(operation: string, error: Error): KnownFailure {
  return new KnownFailure(
    'AwsAccessDenied',
    `AWS denied ${operation}: ${error.message.slice(0, MAX_MESSAGE_CHARACTERS)}`,
    { operation },
  );
}
