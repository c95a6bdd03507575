import { z } from 'zod';

/** A hold or an extension is a promise to pay: nobody makes one for longer than a month at a time. */
export const MAX_KEEP_SECONDS = 30 * 86_400;

/** More reasons at once than anybody could follow; also what the view has room for. */
export const MAX_HOLDS = 8;

export const holdNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/,
    'must be 1 to 64 letters, digits, dots, underscores or hyphens, beginning and ending with a letter or digit',
  );

/** Why something is done, in one line. */
export const sentenceSchema = z
  .string()
  .regex(/^(?=.*\S)[^\p{Cc}]{1,200}$/u, 'must be 1 to 200 printable characters, not only spaces');

/** Of the holds that are in force, the one that ends last: it says how long they keep a cluster. `now` in milliseconds since 1970. */
export function lastHold<H extends { readonly until: string }>(
  holds: readonly H[],
  now: number,
): H | undefined {
  return holds
    .filter(({ until }) => Date.parse(until) > now)
    .toSorted((a, b) => Date.parse(a.until) - Date.parse(b.until))
    .at(-1);
}

/** Keeps an idle cluster for a named reason; the same name replaces the hold. */
export const holdRequestSchema = z.strictObject({
  name: holdNameSchema,
  reason: sentenceSchema,
  durationSeconds: z.int().min(1).max(MAX_KEEP_SECONDS),
});

/** The new end of the maximum lifetime. How far away it may be is judged where the time is known. */
export const extensionRequestSchema = z.strictObject({
  until: z.iso.datetime({ offset: true }).meta({ description: 'The new end of the lifetime, ISO 8601.' }),
});

/** An operator's answer to a blocked cluster. */
export const resolutionSchema = z.strictObject({
  choice: z.enum(['retry', 'abandon', 'discard']).meta({
    description: '`discard`: what is not in S3 may be lost; only where that is what blocks the cluster.',
  }),
  by: sentenceSchema.meta({ description: 'Who decides.' }),
  reason: sentenceSchema,
});

export type HoldRequest = z.output<typeof holdRequestSchema>;
export type ExtensionRequest = z.output<typeof extensionRequestSchema>;
export type Resolution = z.output<typeof resolutionSchema>;

/** What is wrong with a field; an empty path is the whole. */
export interface FieldProblem {
  /** E.g. `jobKeys.0`. */
  readonly path: string;
  readonly reason: string;
}

/** The first problem of a value; undefined when there is none. */
export function problemWith(schema: z.ZodType, value: unknown): FieldProblem | undefined {
  const issue = schema.safeParse(value).error?.issues[0];
  return issue && { path: issue.path.join('.'), reason: issue.message };
}

/** Why a lifetime cannot end then; undefined when it can. `now` in milliseconds since 1970. */
export function problemWithEnd(until: string, now: number): FieldProblem | undefined {
  const end = Date.parse(until);
  if (end <= now) return { path: 'until', reason: 'must be a moment in the future' };
  return end > now + MAX_KEEP_SECONDS * 1000
    ? { path: 'until', reason: 'must be at most 30 days from now' }
    : undefined;
}
