import type { SlurmRestError } from './slurm-rest-answers.ts';

/**
 * What an answer of slurmrestd really says when it is not what was asked for. `Unclear`: Slurm does not answer, or
 * refuses the token; only another question tells.
 */
export interface RestProblem {
  readonly type: 'SlurmUnavailable' | 'SlurmTokenRefused' | 'Unclear';
  readonly message: string;
}

export interface SubmissionVerdict {
  /** `rejected`: Slurm refused the job; `deferred`: it does not know what the job depends on. */
  readonly status: 'rejected' | 'deferred';
  readonly message: string;
}

/** slurm_errno.h: `SLURM_PROTOCOL_AUTHENTICATION_ERROR`, and the range of `ESLURM_AUTH_…`. */
const PROTOCOL_AUTHENTICATION = 1007;
const isAuthentication = ({ number }: SlurmRestError) =>
  number === PROTOCOL_AUTHENTICATION || (number >= 6000 && number < 6100);
/** "Unspecified error": 22.05 says the same of a token that it does not accept and of a controller that is down. */
const UNSPECIFIED = /Unspecified error/;
/** What accounting of 22.05 calls a list without jobs. */
const EMPTY_RESULT = /^Nothing found/;
/** slurmdbd's word for a token that it does not accept is in the description of "Unable to connect to database". */
const DATABASE_AUTHENTICATION = /authentication/i;

/**
 * slurmrestd's status is not to be trusted (seen with 22.05 and 24.11): a bad token is 401, 500 or 511, for accounting
 * 502, or 200 with no jobs; a controller that is down is 502, or 200, with no jobs. What counts is whether `errors` is
 * empty.
 * @returns undefined for an answer that is one
 */
export function judgeRestAnswer(status: number, errors: readonly SlurmRestError[]): RestProblem | undefined {
  const isOk = status >= 200 && status < 300;
  if (isOk && errors.every(({ message }) => EMPTY_RESULT.test(message))) return undefined;
  const message = `HTTP ${status}: ${errors.map((error) => error.message).join('; ') || 'no message'}`;
  const isRefused =
    status === 401 ||
    status === 403 ||
    status === 511 ||
    errors.some((error) => isAuthentication(error) || DATABASE_AUTHENTICATION.test(error.message));
  if (isRefused) return { type: 'SlurmTokenRefused', message };
  const isUnclear = errors.some((error) => UNSPECIFIED.test(error.message));
  return { type: isUnclear ? 'Unclear' : 'SlurmUnavailable', message };
}

/** Slurm's words when it could not decide about a job, as against those for a job that it refuses (see submit.sh). */
const UNDECIDED =
  /Unable to contact slurm controller|Socket timed out|Zero Bytes|onnection (refused|reset|timed out)|Communication .* failure|Message (send|receive) failure|emporarily un|No route to host|standby mode|munge|Unable to connect to database|job queue full|error writing script/i;
/** Slurm's own errors about jobs, and slurmrestd's about the form of a request (slurm_errno.h). */
const isDecision = (number: number) => (number >= 2000 && number < 3000) || number >= 9000;
const DEPENDENCY = /Job dependency problem/i;

/**
 * What an answer to a submission says.
 * @returns undefined when Slurm has made the job
 */
export function judgeSubmission(
  status: number,
  errors: readonly SlurmRestError[],
): SubmissionVerdict | RestProblem | undefined {
  const problem = judgeRestAnswer(status, errors);
  if (problem === undefined) return undefined;
  const message = errors.map((error) => error.message).join('; ');
  if (problem.type !== 'SlurmUnavailable' || errors.length === 0 || UNDECIDED.test(message)) return problem;
  if (DEPENDENCY.test(message))
    return { status: 'deferred', message: 'Slurm no longer knows a job that this one depends on' };
  return errors.some(({ number }) => isDecision(number)) ? { status: 'rejected', message } : problem;
}
