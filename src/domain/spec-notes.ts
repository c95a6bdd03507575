import { z } from 'zod';
import { campaignNeedsSchema } from './campaign-needs.ts';
import { canonicalJson } from './canonical-json.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { costRatesSchema } from './cost-rates.ts';

/*
 * What is said about a specification when it is asked for, and kept beside it: workflow code neither knows prices nor plans,
 * so that a release with other prices changes nothing that runs.
 */

const usd = z.number().min(0);

export const clusterEstimateSchema = z.strictObject({
  region: z.string(),
  /** Day of the prices of EC2. */
  pricesAsOf: z.string().optional(),
  /** While no job runs: head node, nodes of `minCount`, storage, endpoints. Absent where a price is missing. */
  idleUsdPerHour: usd.optional(),
  /** While all nodes of all queues run. Absent where a price is missing. */
  fullUsdPerHour: usd.optional(),
  /** Of Lustre and EFS, counted whether or not jobs run; a part of the other two. */
  storageUsdPerMonth: usd.optional(),
  /** Spot nodes are counted like on-demand ones, above which their price never rises. */
  isUpperBound: z.literal(true).optional(),
  /** What has no price, at most five of it. */
  unpriced: z.array(z.string()).max(5).optional(),
});

/** What a specification costs, said before anything is made. In US dollars, without taxes and data transfer. */
export type ClusterEstimate = z.output<typeof clusterEstimateSchema>;

export const planNoteSchema = z.strictObject({
  needs: campaignNeedsSchema,
  /** In plain words: why this type, why so many nodes, what limits. */
  explanation: z.array(z.string().max(400)).max(8),
  /** From the request to the end of the last job. */
  seconds: z.int().min(0),
  /** Of the whole cluster life. */
  usd,
});

/** Why a specification is as it is, where it was planned. */
export type PlanNote = z.output<typeof planNoteSchema>;

export const specNotesSchema = z.strictObject({
  estimate: clusterEstimateSchema.optional(),
  plan: planNoteSchema.optional(),
  /** What its meter counts with. Absent in histories before 0.3.0. */
  rates: costRatesSchema.optional(),
});

export type SpecNotes = z.output<typeof specNotesSchema>;

interface Noted {
  readonly spec: ClusterSpec;
  readonly notes?: SpecNotes | undefined;
}

/**
 * What is asked for, as it is to be compared with what there is: who asks for the same needs again means the cluster that
 * was planned for them, although a release with other prices would plan another one.
 */
export function asPlannedBefore(existing: Noted, asked: Noted): ClusterSpec {
  const [before, again] = [existing.notes?.plan?.needs, asked.notes?.plan?.needs];
  if (!before || !again || canonicalJson(before) !== canonicalJson(again)) return asked.spec;
  const { lustre: _planned, ...rest } = asked.spec;
  const { queues, lustre } = existing.spec;
  return { ...rest, queues, ...(lustre && { lustre }) };
}
