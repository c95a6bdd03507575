import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { canonicalJson } from '../domain/canonical-json.ts';
import { factsByCampaign } from '../domain/job-state.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import type { CampaignFacts, Observation, ObserveRequest } from '../domain/slurm-requests.ts';

/**
 * Facts are told by bucket: a digest for each hundred Slurm ids, or tasks of an array. The workflow that remembers what
 * it was told carries 32 characters for a hundred jobs, and one job that changes makes at most a hundred facts new.
 */
const IDS_PER_BUCKET = 100;
/** A signal to one campaign stays far below 2 MB: a fact without the caller's own texts is about 300 bytes. */
const MAX_FACTS_PER_CAMPAIGN = 1000;
/** And so does the result of one look. */
const MAX_FACTS_PER_LOOK = 4000;
/** About 5 KB each. */
const MAX_REMEMBERED_BUCKETS = 2000;
/**
 * A loss is told again while it lasts: otherwise the answer of a slow submission, which says that Slurm has the job,
 * would be the last word if it came after the loss.
 */
const LOSS_REPEATED_SECONDS = 300;

type CampaignFact = CampaignFacts['facts'][number];

interface Bucket {
  readonly name: string;
  readonly digest: string;
  readonly facts: readonly { readonly fact: CampaignFact; readonly digest: string }[];
}

/** What buckets held: digest of the bucket, then of each fact by job key. */
export type ToldBuckets = LRUCache<string, ReadonlyMap<string, string>>;

/** A memory of buckets for one worker. It only saves repetition: nothing is lost with it. */
export function rememberBuckets(): ToldBuckets {
  return new LRUCache({ max: MAX_REMEMBERED_BUCKETS });
}

/** What the open campaigns were not told yet, as much as fits. */
export function newFacts(
  facts: readonly SlurmJobFact[],
  { epoch, campaigns }: Pick<ObserveRequest, 'epoch' | 'campaigns'>,
  { remembered, nowSeconds }: { readonly remembered: ToldBuckets; readonly nowSeconds: number },
): Pick<Observation, 'campaigns' | 'more'> {
  let room = MAX_FACTS_PER_LOOK;
  let more = false;
  const byCampaign = factsByCampaign(facts, epoch);
  const changed = campaigns.flatMap(({ campaignId, told = {} }): CampaignFacts[] => {
    const buckets = bucketsOf(byCampaign.get(campaignId) ?? new Map<string, SlurmJobFact>(), nowSeconds);
    const answer = fill(buckets, told, Math.min(room, MAX_FACTS_PER_CAMPAIGN), remembered);
    more ||= answer.more;
    room -= answer.facts.length;
    return answer.facts.length === 0 ? [] : [{ campaignId, told: answer.told, facts: answer.facts }];
  });
  return { campaigns: changed, more };
}

function fill(
  buckets: readonly Bucket[],
  told: Readonly<Record<string, string>>,
  room: number,
  remembered: ToldBuckets,
): { readonly told: Record<string, string>; readonly facts: CampaignFact[]; readonly more: boolean } {
  const answer: { told: Record<string, string>; facts: CampaignFact[] } = { told: {}, facts: [] };
  for (const bucket of buckets) {
    const known = told[bucket.name];
    if (known === bucket.digest) continue;
    const before = known === undefined ? undefined : remembered.get(known);
    const facts = bucket.facts.filter(({ fact, digest }) => before?.get(fact.jobKey) !== digest);
    // Facts that are only missing now, because Slurm forgot the job and accounting lags behind, are no news.
    if (facts.length === 0) continue;
    if (answer.facts.length + facts.length > room) return { ...answer, more: true };
    remembered.set(bucket.digest, new Map(bucket.facts.map(({ fact, digest }) => [fact.jobKey, digest])));
    answer.told[bucket.name] = bucket.digest;
    answer.facts.push(...facts.map(({ fact }) => fact));
  }
  return { ...answer, more: false };
}

function bucketsOf(byKey: ReadonlyMap<string, SlurmJobFact>, nowSeconds: number): Bucket[] {
  const occasion = `loss ${Math.floor(nowSeconds / LOSS_REPEATED_SECONDS)}`;
  const facts = [...byKey].map(([jobKey, fact]) => {
    // The caller's own texts are in the campaign's content: here they would only be weight.
    const own: CampaignFact = { ...fact, comment: '', name: '', jobKey };
    const text = canonicalJson(own);
    return { fact: own, digest: digestOf(fact.source === 'ledger' ? `${occasion} ${text}` : text) };
  });
  const buckets = Map.groupBy(facts, ({ fact }) => bucketOf(fact));
  return [...buckets].map(([name, unsorted]) => {
    const sorted = unsorted.toSorted((a, b) => (a.fact.jobKey < b.fact.jobKey ? -1 : 1));
    return { name, digest: digestOf(sorted.map(({ digest }) => digest).join()), facts: sorted };
  });
}

/** Tasks of an array by their indexes: the array has one id. */
function bucketOf({ jobId }: SlurmJobFact): string {
  const [id, index] = jobId.split('_');
  if (index === undefined) return String(Math.floor(Number(id) / IDS_PER_BUCKET));
  return `${id}_${Math.floor(Number(index) / IDS_PER_BUCKET)}`;
}

/** 128 bits: no two facts share one by accident. */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
