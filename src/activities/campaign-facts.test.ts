import { describe, expect, it } from 'vitest';
import { jobComment } from '../domain/ids.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import { newFacts, rememberBuckets } from './campaign-facts.ts';
import type { ToldBuckets } from './campaign-facts.ts';

const epoch = 'e1';
const campaignId = 'c1';

function fact(id: number, changes: Partial<SlurmJobFact> = {}, campaign = campaignId): SlurmJobFact {
  return {
    jobId: String(id),
    comment: jobComment({ epoch, campaignId: campaign, jobKey: `k${id}` }),
    user: 'sim',
    name: 'a name of the caller',
    partition: 'debug',
    state: 'RUNNING',
    flags: [],
    reason: '',
    submitTime: 1000,
    nodes: 'n1',
    restarts: 0,
    source: 'queue',
    ...changes,
  };
}

const factsFrom = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => fact(first + index));

/** A cluster that looks and remembers what it was told. */
function observer(...campaignIds: string[]) {
  const told = new Map<string, Readonly<Record<string, string>>>(campaignIds.map((id) => [id, {}]));
  return (facts: readonly SlurmJobFact[], remembered: ToldBuckets, nowSeconds = 0) => {
    const campaigns = [...told].map(([id, known]) => ({ campaignId: id, since: 0, told: known }));
    const answer = newFacts(facts, { epoch, campaigns }, { remembered, nowSeconds });
    for (const each of answer.campaigns) {
      told.set(each.campaignId, { ...told.get(each.campaignId), ...each.told });
    }
    const keys = answer.campaigns.flatMap((each) => each.facts.map(({ jobKey }) => jobKey));
    return { ...answer, keys };
  };
}

describe('what a campaign is told', () => {
  it('is every fact once, and then only what changed', () => {
    const look = observer(campaignId);
    const remembered = rememberBuckets();
    expect(look(factsFrom(1, 250), remembered).keys).toHaveLength(250);
    expect(look(factsFrom(1, 250), remembered).campaigns).toEqual([]);
    const changed = [...factsFrom(1, 249), fact(250, { state: 'COMPLETED' })];
    expect(look(changed, remembered).keys).toEqual(['k250']);
  });

  it('is the hundred ids around a change when the worker has forgotten what it told', () => {
    const look = observer(campaignId);
    look(factsFrom(100, 399), rememberBuckets());
    const changed = [...factsFrom(100, 249), fact(250, { state: 'COMPLETED' }), ...factsFrom(251, 399)];
    expect(look(changed, rememberBuckets()).keys).toHaveLength(100);
    expect(look(changed, rememberBuckets()).keys).toEqual([]);
  });

  it('is nothing when a fact is only missing, and the change when it comes back', () => {
    const look = observer(campaignId);
    const remembered = rememberBuckets();
    look([fact(1), fact(2)], remembered);
    expect(look([fact(2)], remembered).campaigns).toEqual([]);
    expect(look([fact(1, { state: 'COMPLETED' }), fact(2)], remembered).keys).toEqual(['k1']);
  });

  it('carries the key and leaves out the caller’s own texts', () => {
    const [told] = observer(campaignId)([fact(1)], rememberBuckets()).campaigns;
    expect(told?.facts).toMatchObject([{ jobKey: 'k1', jobId: '1', comment: '', name: '' }]);
  });

  it('grows by 22 characters for a hundred ids', () => {
    const [told] = observer(campaignId)(factsFrom(0, 999), rememberBuckets()).campaigns;
    expect(JSON.stringify(told?.told).length).toBeLessThan(300);
  });

  it('is that a job was lost, again every five minutes as long as it is', () => {
    const look = observer(campaignId);
    const remembered = rememberBuckets();
    const lost = [fact(1, { source: 'ledger', state: undefined })];
    expect(look(lost, remembered, 0).keys).toEqual(['k1']);
    expect(look(lost, remembered, 299).keys).toEqual([]);
    expect(look(lost, remembered, 300).keys).toEqual(['k1']);
    expect(look([fact(1, { submitTime: 2000 })], remembered, 301).keys).toEqual(['k1']);
  });
});

describe('what fits into one look', () => {
  it('is at most 1,000 facts for a campaign; the rest comes with the next looks', () => {
    const look = observer(campaignId);
    const remembered = rememberBuckets();
    const facts = factsFrom(1, 10_000);
    const answers = Array.from({ length: 11 }, () => look(facts, remembered));
    expect(answers.map(({ more }) => more)).toEqual([...Array(10).fill(true), false]);
    for (const { keys } of answers) expect(keys.length).toBeLessThanOrEqual(1000);
    expect(new Set(answers.flatMap(({ keys }) => keys)).size).toBe(10_000);
  });

  it('takes no longer to find for 200 campaigns than the facts are many', () => {
    const ids = Array.from({ length: 200 }, (_, index) => `c${index}`);
    const facts = Array.from({ length: 4000 }, (_, index) => fact(index, {}, ids[index % ids.length]));
    let read = 0;
    const counted = facts.map((one) => ({
      ...one,
      get comment() {
        read += 1;
        return one.comment;
      },
    }));
    const look = observer(...ids);
    expect(look(counted, rememberBuckets()).keys).toHaveLength(facts.length);
    expect(read).toBeLessThan(3 * facts.length);
  });

  it('is at most 4,000 facts for all campaigns, below 2 MB', () => {
    const ids = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'];
    const facts = ids.flatMap((id, index) =>
      Array.from({ length: 1000 }, (_, job) =>
        fact(index * 1000 + job, { nodes: 'queue-dy-c7a48xlarge-[1-20]', reason: 'ReqNodeNotAvail' }, id),
      ),
    );
    const look = observer(...ids);
    const remembered = rememberBuckets();
    const first = look(facts, remembered);
    expect([first.keys.length, first.more]).toEqual([4000, true]);
    expect(JSON.stringify(first.campaigns).length).toBeLessThan(2_000_000);
    const second = look(facts, remembered);
    expect([second.keys.length, second.more]).toEqual([2000, false]);
  });
});
