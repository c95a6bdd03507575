import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Tenant } from '../../src/domain/ids.ts';
import { type AwsFaults, type FaultPlan, halfOfAllCalls, lostAnswers } from '../support/aws-faults.ts';
import { fileChecksums, objectChecksums } from '../support/checksums.ts';
import { startFaultyPlatform } from '../support/faulty-platform.ts';
import type { Platform } from '../support/platform.ts';

/*
 * Whole lives of clusters while calls to AWS fail: what is there in the end, and what was made on the way, must be what it
 * is when nothing fails.
 */
const fullTests = inject('fullTests');
/** Activities whose calls fail begin again after up to five minutes: it takes longer, and ends the same. */
const PATIENT_SECONDS = 900;
const LIFE_MILLISECONDS = 1_800_000;
/** As the SDK calls at most before it gives up. */
const SDK_ATTEMPTS = 5;

let platform: Platform;
let faults: AwsFaults;
let count = 0;
let close: (() => Promise<void>) | undefined;
beforeAll(async () => {
  if (fullTests) ({ platform, faults, close } = await startFaultyPlatform());
});
afterAll(async () => close?.());

const scratchOf = (fileSystemId: string) => join(platform.stack.fsx.directoryOf(fileSystemId), 'scratch');

/** Of all that the answers to successful calls name, each once. */
function idsIn(operation: `${string}:${string}`, pattern: RegExp): string[] {
  const answers = faults.created.get(operation) ?? [];
  return [...new Set(answers.flatMap((answer) => pattern.exec(answer)?.[0] ?? []))];
}

/** A cluster with everything that one can have, a campaign, its logs, the export, the end. */
async function wholeLife(plan: FaultPlan): Promise<void> {
  faults.log.clear();
  faults.created.clear();
  faults.plan = plan;
  try {
    await createUseAndDelete({ virtualLabId: 'faults', projectId: `life${++count}` });
  } finally {
    faults.plan = undefined;
    process.stdout.write(`${faults.summary()}\n`);
  }
}

async function createUseAndDelete(tenant: Tenant): Promise<void> {
  // What a life before has left is its own failure.
  const others = new Set(await platform.leftovers());
  const own = async () => (await platform.leftovers()).filter((name) => !others.has(name));
  const spec = { tier: 'debug', idleTimeoutSeconds: 3600, lustre: {}, slurmApi: { trust: 'epoch-key' } };
  // A request whose answer took too long is repeated, and finds what the first one has asked for.
  expect([200, 202]).toContain((await platform.ensure(tenant, spec)).status);
  const { lustre } = await platform.until(tenant, ['ready', 'blocked', 'failed'], PATIENT_SECONDS);
  // Before anything else is asked: a second one of anything would be here.
  const kinds = (await own()).map((name) => name.replace(/^(\w+(?: pair| point| system)?) .*/, '$1'));
  expect(
    Object.fromEntries(kinds.map((kind) => [kind, kinds.filter((each) => each === kind).length])),
  ).toEqual({
    stack: 2,
    'key pair': 2,
    secret: 3,
    'access point': 1,
    'file system': 1,
    lease: 1,
  });
  const script = [
    '#!/bin/bash',
    'for i in $(seq 20); do head -c $((i * 1000)) /dev/urandom >"/data/scratch/$i.dat"; done',
    'seq 500',
    '',
  ].join('\n');
  const id = await platform.submit(tenant, `campaign-${count}`, { jobs: [{ key: 'writes', script }] });
  expect((await platform.untilCampaign(tenant, id, undefined, PATIENT_SECONDS)).jobsByState).toEqual({
    succeeded: 1,
  });
  const log = await platform.persist(async () => platform.log(tenant, id, 'writes', 'stdout'));
  expect(log.body).toBe(Array.from({ length: 500 }, (_, index) => `${index + 1}\n`).join(''));
  const before = await fileChecksums(scratchOf(lustre?.fileSystemId ?? ''));
  expect(before.size).toBe(20);
  await platform.persist(async () => platform.request('DELETE', platform.path(tenant)));
  const gone = await platform.until(tenant, ['deleted', 'blocked', 'failed'], PATIENT_SECONDS);
  expect(gone).toMatchObject({ state: 'deleted' });
  expect(gone.failure).toBeUndefined();
  expect(await own()).toEqual([]);
  const bucket = platform.product.env['SCRATCH_BUCKET'] ?? '';
  expect(await objectChecksums(platform.stack.aws.s3, bucket, tenant)).toEqual(before);
  expect(idsIn('cloudformation:CreateStack', /arn:aws:cloudformation:[^<]+/)).toHaveLength(1);
  expect(idsIn('fsx:CreateFileSystem', /"fs-\w+"/)).toHaveLength(1);
  expect(idsIn('elasticfilesystem:CreateAccessPoints', /"fsap-\w+"/)).toHaveLength(1);
}

describe('the whole life of a cluster', () => {
  it.runIf(fullTests).each([1, 2, 3])(
    'is the same when half of all calls to AWS fail (seed %d)',
    async (seed) => {
      await wholeLife(halfOfAllCalls(seed));
      const { calls, stale, slow, ...failing } = faults.totals();
      const failed = Object.values(failing).reduce((sum, each) => sum + each, 0);
      expect(failed / calls).toBeGreaterThan(0.4);
      expect(Math.min(stale, slow, ...Object.values(failing))).toBeGreaterThan(0);
    },
    LIFE_MILLISECONDS,
  );

  it.runIf(fullTests).each([1, SDK_ATTEMPTS])(
    'is the same when the first %d answers to each operation that changes something are lost',
    async (calls) => {
      await wholeLife(lostAnswers(calls));
      expect(faults.totals()['answer-lost']).toBeGreaterThan(15);
    },
    LIFE_MILLISECONDS,
  );
});
