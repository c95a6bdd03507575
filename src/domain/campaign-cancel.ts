import { z } from 'zod';
import { jobKeySchema } from './ids.ts';
import { sentenceSchema } from './lifetime.ts';

/** Cancels a campaign, or some of its jobs. */
export const cancelRequestSchema = z.strictObject({
  jobKeys: z.array(jobKeySchema).min(1).optional(),
  reason: sentenceSchema,
  requestedBy: sentenceSchema.optional(),
});

/** The reason as it is shown: with the person or program that asked, if that is known. */
export function reasonInWords(request: { readonly reason: string; readonly requestedBy?: string }): string {
  return request.requestedBy ? `${request.reason} (${request.requestedBy})` : request.reason;
}
