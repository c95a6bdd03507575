import { z } from 'zod';
import { KnownFailure } from '../domain/failures.ts';
import type { UsageRange } from '../domain/usage.ts';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;
/** A year and a day, so that a whole leap year fits. */
const MAX_DAYS = 367;

const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()], {
  error: 'must be a moment (ISO 8601 with an offset or `Z`) or a date, whose day begins at 00:00 UTC',
});

/** The range of a usage report as a caller asks for it. */
export const usageRangeQuery = z.strictObject({
  from: moment
    .optional()
    .meta({ description: 'The first moment that counts. 30 days before `to` if absent.' }),
  to: moment.optional().meta({ description: 'The first moment that does not count. Now if absent.' }),
});

/**
 * The range that a query means, in whole seconds as Slurm has them. InvalidRequest, naming the field, for one that is
 * empty, too long or not begun.
 */
export function usageRangeOf({ from, to }: z.output<typeof usageRangeQuery>, nowMs: number): UsageRange {
  const toMs = to === undefined ? nowMs : Date.parse(to);
  const fromMs = from === undefined ? toMs - DEFAULT_DAYS * DAY_MS : Date.parse(from);
  if (fromMs > nowMs) throw invalid('must not be in the future');
  if (fromMs >= toMs) throw invalid('must be before `to`');
  if (toMs - fromMs > MAX_DAYS * DAY_MS) throw invalid(`must be at most ${MAX_DAYS} days before \`to\``);
  return { fromSeconds: Math.floor(fromMs / 1000), toSeconds: Math.ceil(toMs / 1000) };
}

function invalid(reason: string): KnownFailure {
  return new KnownFailure('InvalidRequest', `query from: ${reason}`, {
    errors: [{ in: 'query', path: 'from', reason }],
  });
}
