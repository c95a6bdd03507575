import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { KnownFailure } from '../domain/failures.ts';
import { type AttachableFileSystems, foreignFileSystem } from '../domain/file-systems.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import { foreignAction } from '../domain/custom-actions.ts';
import type { FieldError } from './problem.ts';

/** A campaign of a thousand jobs can be wrong in a thousand places: a page of them is enough to understand it. */
const MAX_FIELD_ERRORS = 50;
/** A field's name comes from the caller, who may have sent one of a megabyte. */
const MAX_PATH_CHARACTERS = 200;

const IS_REQUIRED = 'is required';

const places: Readonly<Record<string, FieldError['in']>> = {
  body: 'body',
  params: 'path',
  querystring: 'query',
  headers: 'header',
};

/** Validates a part of a request by its zod schema. InvalidRequest names every wrong field and why it is. */
export const validateRequest: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const place = places[httpPart ?? 'body'] ?? 'body';
  return (data: unknown) => {
    const result = schema.safeParse(data, { error: sayRequired });
    if (result.success) return { value: result.data };
    return { error: invalidRequest(place, result.error.issues) };
  };
};

/** InvalidRequest for what is not there at all; an empty path is the whole. */
export function required(place: FieldError['in'], path: string): KnownFailure {
  const error: FieldError = { in: place, path, reason: IS_REQUIRED };
  return new KnownFailure('InvalidRequest', `${path ? `${place} ${path}` : place}: ${IS_REQUIRED}`, {
    errors: [error],
  });
}

/** InvalidRequest for a body whose text is JSON, but which has a name that none may have. */
export function forbidden(path: readonly PropertyKey[]): KnownFailure {
  const error = at('body', path, 'is a name that no request may have');
  return new KnownFailure('InvalidRequest', `body ${error.path}: ${error.reason}`, { errors: [error] });
}

/** InvalidRequest for one field of a body, whose value means nothing that exists. */
export function unknownIn(path: string, reason: string): KnownFailure {
  const error: FieldError = { in: 'body', path, reason };
  return new KnownFailure('InvalidRequest', `body ${path}: ${reason}`, { errors: [error] });
}

/** What not every installation has. */
export interface Installation {
  readonly hasKeycloak: boolean;
  /** SCRATCH_BUCKET and its two companions. */
  readonly hasBuckets: boolean;
  readonly customActionsBucket?: string;
  readonly attachableFileSystems?: AttachableFileSystems;
}

/**
 * InvalidRequest for a cluster that is to have what the installation has not. `path` leads to the specification, and
 * ends with a dot if it is not empty.
 */
export function refuseWhatIsMissing(
  { hasKeycloak, hasBuckets, customActionsBucket, attachableFileSystems }: Installation,
  spec: Pick<ClusterSpec, 'slurmApi' | 'lustre' | 'customActions' | 's3Mounts' | 'fileSystems'> | undefined,
  path: '' | `${string}.`,
): void {
  if (!hasKeycloak && spec?.slurmApi?.trust === 'epoch-key-and-keycloak')
    throw unknownIn(`${path}slurmApi.trust`, 'this installation has no KEYCLOAK_JWKS_URL: use `epoch-key`');
  if (!hasBuckets && spec?.lustre)
    throw unknownIn(`${path}lustre`, 'this installation has no SCRATCH_BUCKET: leave `lustre` out');
  if (!hasBuckets && spec?.s3Mounts)
    throw unknownIn(`${path}s3Mounts`, 'this installation has no SCRATCH_BUCKET: leave `s3Mounts` out');
  const unknown = foreignFileSystem(spec?.fileSystems, attachableFileSystems);
  if (unknown !== undefined)
    throw unknownIn(
      `${path}fileSystems.${unknown}.id`,
      attachableFileSystems
        ? 'is none of the file systems that this installation lets clusters mount'
        : 'this installation has no ATTACHABLE_FILE_SYSTEMS: leave `fileSystems` out',
    );
  const foreign = foreignAction(spec?.customActions, customActionsBucket);
  if (foreign !== undefined)
    throw unknownIn(
      `${path}customActions.${foreign}.script`,
      customActionsBucket
        ? `must lie in the bucket ${customActionsBucket}`
        : 'this installation has no CUSTOM_ACTIONS_BUCKET: leave `customActions` out',
    );
}

function sayRequired({
  code,
  input,
}: {
  readonly code?: string;
  readonly input?: unknown;
}): string | undefined {
  return code === 'invalid_type' && input === undefined ? IS_REQUIRED : undefined;
}

/** InvalidRequest that names every wrong field. */
export function invalidRequest(place: FieldError['in'], issues: readonly z.core.$ZodIssue[]): KnownFailure {
  const all = issues.flatMap((issue) => fieldErrors(place, issue));
  const errors = all.slice(0, MAX_FIELD_ERRORS);
  const more = all.length - errors.length;
  const first = errors[0];
  const where = first?.path ? `${first.in} ${first.path}` : place;
  const rest = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
  const unlisted = more > 0 ? `; ${more} of them are not listed` : '';
  return new KnownFailure(
    'InvalidRequest',
    `${where}: ${first?.reason ?? 'is not valid'}${rest}${unlisted}`,
    {
      errors,
    },
  );
}

function fieldErrors(place: FieldError['in'], issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => at(place, [...path, key], 'is not a field of this request'));
    case 'invalid_key':
      return [at(place, path, issue.issues[0]?.message ?? issue.message)];
    default:
      return [at(place, path, issue.message)];
  }
}

function at(place: FieldError['in'], path: readonly PropertyKey[], reason: string): FieldError {
  return { in: place, path: shorten(place === 'header' ? headerName(path) : formatPath(path)), reason };
}

/** `jobs.0.script` */
function formatPath(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

/** Node gives headers in lower case; callers know them as `Idempotency-Key`. */
function headerName(path: readonly PropertyKey[]): string {
  return String(path[0] ?? '').replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function shorten(path: string): string {
  return path.length <= MAX_PATH_CHARACTERS ? path : `${path.slice(0, MAX_PATH_CHARACTERS)}…`;
}
