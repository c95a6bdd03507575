import { z } from 'zod';
import { type FailureType, failures, KnownFailure } from '../domain/failures.ts';

/** Problems that only exist in HTTP: everything else is in `src/domain/failures.ts`. */
const httpProblems = {
  JobNotSubmitted: {
    httpStatus: 404,
    title: 'The job was not submitted to Slurm yet',
    nextStep: 'Read the job: its `state` and `reason` say what it waits for.',
  },
  LogNotWritten: {
    httpStatus: 404,
    title: 'Nothing of this log is there',
    nextStep:
      'Ask again until `logsComplete` of the job is true: then nothing more will come, and `logsProblem` says why something is missing.',
  },
  MethodNotAllowed: {
    httpStatus: 405,
    title: 'The resource does not have this method',
    nextStep: 'Use one of the methods in the header `Allow`.',
  },
  NotAcceptable: {
    httpStatus: 406,
    title: 'The resource cannot be sent in this form',
    nextStep: 'Follow stdout or stderr; read the other kinds without `Accept: text/event-stream`.',
  },
  RequestTimeout: {
    httpStatus: 408,
    title: 'The request did not arrive in time',
    nextStep: 'Send the request again, on a new connection.',
  },
  PayloadTooLarge: {
    httpStatus: 413,
    title: 'The body is too large',
    nextStep: 'Split the campaign, or read large inputs on the cluster instead of sending them.',
  },
  UriTooLong: {
    httpStatus: 414,
    title: 'A part of the path is too long',
    nextStep: 'Check the ids in the path.',
  },
  UnsupportedMediaType: {
    httpStatus: 415,
    title: 'The body is not JSON',
    nextStep: 'Send JSON and the header `Content-Type: application/json`.',
  },
  RangeNotSatisfiable: {
    httpStatus: 416,
    title: 'Nothing was kept of this range',
    nextStep: 'See how long the log is in `Content-Range`; the log of a running job can still grow.',
  },
  ExpectationFailed: {
    httpStatus: 417,
    title: 'The expectation cannot be met',
    nextStep: 'Send the request without the header `Expect`, or with `100-continue`.',
  },
  HeadersTooLarge: {
    httpStatus: 431,
    title: 'The request line and headers are too large',
    nextStep: 'Send less than 16 KiB of them.',
  },
  InternalError: {
    httpStatus: 500,
    title: 'The service failed',
    nextStep: 'Repeat the request; if it fails again, give the operator the `correlationId`.',
  },
  TooManyStreams: {
    httpStatus: 503,
    title: 'Too many logs are being sent at this moment',
    nextStep: 'Repeat the request after the seconds in Retry-After, or read the log page by page.',
  },
  Stopping: {
    httpStatus: 503,
    title: 'This instance of the service is stopping',
    nextStep: 'Repeat the same request after the seconds in Retry-After, on a new connection.',
  },
} as const;

/** Every type of problem that the API answers with its status, title and next step. */
export const problemTypes: Readonly<
  Record<ProblemType, { readonly httpStatus: number; readonly title: string; readonly nextStep: string }>
> = { ...failures, ...httpProblems };

export type ProblemType = FailureType | keyof typeof httpProblems;

/** One field that is not as it should be. */
const fieldErrorSchema = z.object({
  in: z.enum(['body', 'path', 'query', 'header']),
  path: z.string().meta({ description: 'The field, e.g. `jobs.0.script`; empty for the whole.' }),
  reason: z.string(),
});

export type FieldError = z.output<typeof fieldErrorSchema>;

/** RFC 9457 problem details. Types may add members of their own, such as `differences`. */
export const problemSchema = z.looseObject({
  type: z.string().meta({ description: 'Path of this API that describes the type of problem.' }),
  title: z.string(),
  status: z.int(),
  detail: z.string().meta({ description: 'What happened in this case.' }),
  nextStep: z.string().meta({ description: 'What to do about it.' }),
  correlationId: z.string().meta({ description: 'The request in the service’s log.' }),
  errors: z.array(fieldErrorSchema).optional(),
});

export type Problem = z.output<typeof problemSchema>;

/** A problem that a route answers by throwing it. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly type: ProblemType;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(type: ProblemType, detail: string, members: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.type = type;
    this.members = members;
  }
}

/** Path under which the API describes its types of problems. */
export const PROBLEM_TYPES_PATH = '/problems';

/** Where the API describes a type of problem; also the `type` of its problems. */
export function problemTypePath(type: ProblemType): string {
  return `${PROBLEM_TYPES_PATH}/${type}`;
}

/** What fastify's own errors mean to the caller, by their code. Codes that are not here are defects. */
const fastifyProblems: Readonly<Record<string, ProblemType>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PayloadTooLarge',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UnsupportedMediaType',
  FST_ERR_CTP_EMPTY_TYPE: 'UnsupportedMediaType',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'InvalidRequest',
  FST_ERR_CTP_INVALID_JSON_BODY: 'InvalidRequest',
  FST_ERR_BAD_URL: 'InvalidRequest',
  FST_ERR_MAX_PARAM_LENGTH: 'UriTooLong',
};

/** Which part of a request fastify's errors are about, by how their codes begin. */
const placesOfFastifyProblems: readonly (readonly [string, FieldError['in']])[] = [
  ['FST_ERR_CTP', 'body'],
  ['FST_ERR_BAD_URL', 'path'],
];

/** fastify's messages can hold the path, which can be as long as the caller likes. */
const MAX_DETAIL_CHARACTERS = 300;

function shorten(message: string): string {
  return message.slice(0, MAX_DETAIL_CHARACTERS);
}

/** The problem that an error is, without anything that its receiver must not see. */
export function problemOf(error: unknown, correlationId: string): Problem {
  if (error instanceof KnownFailure)
    return knownProblem(error.type, error.message, error.details, correlationId);
  if (error instanceof HttpProblem)
    return knownProblem(error.type, error.message, error.members, correlationId);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const type = fastifyProblems[code];
  if (type && error instanceof Error) {
    const place = placesOfFastifyProblems.find(([prefix]) => code.startsWith(prefix))?.[1];
    const errors: FieldError[] = place ? [{ in: place, path: '', reason: shorten(error.message) }] : [];
    return knownProblem(type, shorten(error.message), errors.length > 0 ? { errors } : {}, correlationId);
  }
  if (code.startsWith('FST_BEARER_AUTH')) {
    return knownProblem('Unauthorized', 'The bearer token is missing or wrong.', {}, correlationId);
  }
  return knownProblem(
    'InternalError',
    'An unexpected error was logged under the correlation id.',
    {},
    correlationId,
  );
}

function knownProblem(
  type: ProblemType,
  detail: string,
  members: Readonly<Record<string, unknown>>,
  correlationId: string,
): Problem {
  const { httpStatus, title } = problemTypes[type];
  // Details of 5xx failures name things inside the service: the caller gets the words that were meant for people.
  const own = httpStatus < 500 ? members : {};
  return {
    ...own,
    type: problemTypePath(type),
    title,
    status: httpStatus,
    detail,
    nextStep: nextStepOf(type, own),
    correlationId,
  };
}

/** What the type says, unless the case knows better. */
function nextStepOf(type: ProblemType, members: Readonly<Record<string, unknown>>): string {
  // What is not HTTP has no fields.
  if (type === 'InvalidRequest' && !members['errors'])
    return 'Correct what `detail` says and send the request again.';
  if (typeof members['nextStep'] === 'string') return members['nextStep'];
  return problemTypes[type].nextStep;
}
