import { KnownFailure } from '../domain/failures.ts';

/**
 * What `call` answers, if it does by the given moment. AwsUnavailable, naming `what`, if it does not or if the
 * service cannot be reached. The call itself is not stopped: the AWS clients bound it.
 */
export async function withinDeadline<T>(answerBy: Date, what: string, call: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new KnownFailure('AwsUnavailable', `${what} did not answer in time.`)),
      Math.max(0, answerBy.getTime() - Date.now()),
    );
  });
  try {
    return await Promise.race([call(), late]);
  } catch (error) {
    if (isUnreachable(error)) throw unreachable(what, error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function unreachable(what: string, error: unknown): KnownFailure {
  const failure = new KnownFailure('AwsUnavailable', `${what} could not be reached.`);
  failure.cause = error;
  return failure;
}

/** Codes of Node's network errors (errno(3)) that say nothing was answered. */
const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Errors of the AWS SDK carry the HTTP status in `$metadata`; those of the network a code, or `TimeoutError`. */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'TimeoutError' || error.name === 'ThrottlingException') return true;
  if ('code' in error && networkCodes.has(String(error.code))) return true;
  if (!('$metadata' in error) || typeof error.$metadata !== 'object' || error.$metadata === null)
    return false;
  const { $metadata } = error;
  const status = 'httpStatusCode' in $metadata ? Number($metadata.httpStatusCode) : 0;
  return status >= 500 || status === 429;
}
