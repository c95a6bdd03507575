import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../src/domain/ids.ts';
import { type AwsFaults, halfOfAllCalls, ofFirstCalls } from '../support/aws-faults.ts';
import { fileChecksums, objectChecksums } from '../support/checksums.ts';
import { startFaultyPlatform } from '../support/faulty-platform.ts';
import type { Platform } from '../support/platform.ts';
import { atScale } from '../support/scale.ts';

/*
 * Clusters with Lustre are deleted at every stage, with files in it that nothing has exported yet: automatic export stands
 * still in all of these tests. What was in the file system must be in S3 afterwards, byte for byte.
 */
/** The first and the last stage in `npm test`; the others take minutes more. */
const everyStage = atScale(false, true);

let platform: Platform;
let awsFaults: AwsFaults;
let count = 0;
const buckets = () => ({
  scratch: platform.product.env['SCRATCH_BUCKET'] ?? '',
  projectPublic: platform.product.env['PROJECT_PUBLIC_BUCKET'] ?? '',
  projectPrivate: platform.product.env['PROJECT_PRIVATE_BUCKET'] ?? '',
});

let close: (() => Promise<void>) | undefined;
beforeAll(async () => {
  ({ platform, faults: awsFaults, close } = await startFaultyPlatform());
});
afterAll(async () => close?.());
beforeEach(() => {
  awsFaults.plan = undefined;
  platform.stack.fsx.faults.clear();
  platform.stack.fsx.faults.automaticExportStandsStill = true;
});

const freshTenant = (): Tenant => ({ virtualLabId: 'lustre', projectId: `project${++count}` });

/** Checksums of the files below a folder of the file system, by path. */
const checksums = async (fileSystemId: string, path: string) =>
  fileChecksums(join(platform.stack.fsx.directoryOf(fileSystemId), path));

/** A cluster with Lustre whose jobs have written some files. */
async function clusterWithFiles(tenant: Tenant, idleTimeoutSeconds = 3600): Promise<string> {
  await platform.ensure(tenant, { tier: 'debug', idleTimeoutSeconds, lustre: {} });
  const { lustre } = await platform.until(tenant, ['ready']);
  const writes = [
    'mkdir -p /data/scratch/out/deep && cd /data/scratch/out',
    'for i in $(seq 20); do head -c $((i * 1000)) /dev/urandom >"deep/$i.dat"; done',
    'printf "%s" "with a space, ümlaut and =" >"a name, =1.txt"',
    'echo result >/data/project/private/result.txt',
    'echo kept >~/kept.txt',
    'head -c 3000000 /dev/urandom >large.bin',
  ].join('\n');
  const id = await platform.submit(tenant, `files-${tenant.projectId}`, {
    jobs: [{ key: 'writes', script: `#!/bin/bash\nset -e\n${writes}\n` }],
  });
  const { jobsByState } = await platform.untilCampaign(tenant, id);
  expect(jobsByState).toEqual({ succeeded: 1 });
  return lustre?.fileSystemId ?? '';
}

async function expectAllInS3(tenant: Tenant, before: Awaited<ReturnType<typeof snapshotOf>>): Promise<void> {
  expect(before.scratch.size).toBeGreaterThan(20);
  expect(await objectChecksums(platform.stack.aws.s3, buckets().scratch, tenant)).toEqual(before.scratch);
  expect(await objectChecksums(platform.stack.aws.s3, buckets().projectPrivate, tenant)).toEqual(
    before.projectPrivate,
  );
  expect(await platform.leftovers()).toEqual([]);
}

async function snapshotOf(fileSystemId: string) {
  return {
    scratch: await checksums(fileSystemId, 'scratch'),
    projectPrivate: await checksums(fileSystemId, 'project/private'),
  };
}

const teardown = async (tenant: Tenant) => platform.request('DELETE', platform.path(tenant));

/** What a job of a new cluster without Lustre finds in its home. */
async function catKept(tenant: Tenant): Promise<string> {
  const id = await platform.submit(tenant, 'kept', {
    cluster: { tier: 'debug', idleTimeoutSeconds: 3600 },
    jobs: [{ key: 'cat', script: '#!/bin/bash\ncat ~/kept.txt 2>/dev/null || echo nothing\n' }],
  });
  await platform.untilCampaign(tenant, id);
  const { body } = await platform.log(tenant, id, 'cat', 'stdout');
  await teardown(tenant);
  await platform.until(tenant, ['deleted']);
  return body;
}

const retry = async (tenant: Tenant) => {
  const body = { choice: 'retry', by: 'operator@example.org', reason: 'mended' };
  const answer = await platform.request('POST', `${platform.path(tenant)}/resolution`, { body });
  expect(answer.status).toBe(200);
};

describe('a cluster with Lustre', () => {
  it('shows jobs what is in S3, and is gone with everything in S3 when it was idle, although AWS fails', async () => {
    // Whole lives in which half of all calls fail take minutes: aws-faults.e2e.test.ts.
    awsFaults.plan = ofFirstCalls(4, halfOfAllCalls(1));
    const tenant = freshTenant();
    const { s3 } = platform.stack.aws;
    const put = async (Bucket: string, Key: string, Body: string) =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body }));
    await put(buckets().projectPublic, 'atlas.txt', 'of all');
    await put(buckets().projectPrivate, `lustre/${tenant.projectId}/input.txt`, 'own');
    const fileSystemId = await clusterWithFiles(tenant, 15);
    const id = await platform.submit(tenant, 'reads', {
      jobs: [
        {
          key: 'reads',
          script:
            '#!/bin/bash\ncat /data/project/public/atlas.txt /data/project/private/input.txt\ntouch /data/project/public/mine && exit 9\ntouch /data/other && exit 9\ntrue\n',
        },
      ],
    });
    expect((await platform.untilCampaign(tenant, id)).jobsByState).toEqual({ succeeded: 1 });
    const before = await snapshotOf(fileSystemId);
    const gone = await platform.until(tenant, ['deleted']);
    expect(gone.failure).toBeUndefined();
    const { throttled, failed, 'answer-lost': lost } = awsFaults.totals();
    expect(Math.min(throttled, failed, lost)).toBeGreaterThan(0);
    await expectAllInS3(tenant, before);
    // The next cluster of the tenant finds its home, another tenant's does not.
    await Promise.all([
      expect(catKept(tenant)).resolves.toBe('kept\n'),
      expect(catKept(freshTenant())).resolves.toBe('nothing\n'),
    ]);
  });

  it.runIf(everyStage)('loses nothing when it is deleted while a job writes', async () => {
    const tenant = freshTenant();
    const fileSystemId = await clusterWithFiles(tenant);
    await platform.submit(tenant, 'busy', {
      jobs: [
        {
          key: 'writes-on',
          script:
            '#!/bin/bash\nfor i in $(seq 100000); do echo "$i" >>/data/scratch/growing.txt; sleep 0.05; done\n',
        },
      ],
    });
    await expect
      .poll(async () => (await checksums(fileSystemId, 'scratch')).has('growing.txt'), { timeout: 30_000 })
      .toBe(true);
    await teardown(tenant);
    await platform.until(tenant, ['deleting']);
    const before = await snapshotOf(fileSystemId);
    await platform.until(tenant, ['deleted']);
    await expectAllInS3(tenant, before);
  });

  it.runIf(everyStage)(
    'loses nothing when its stack cannot be deleted at first, and somebody writes meanwhile',
    async () => {
      const tenant = freshTenant();
      const fileSystemId = await clusterWithFiles(tenant);
      platform.stack.faults.failNext('Delete', 'the interface is in use');
      await teardown(tenant);
      await platform.until(tenant, ['blocked']);
      const late = join(platform.stack.fsx.directoryOf(fileSystemId), 'scratch/out/late.txt');
      await writeFile(late, 'written after the first export');
      const before = await snapshotOf(fileSystemId);
      await retry(tenant);
      await platform.until(tenant, ['deleted']);
      await expectAllInS3(tenant, before);
    },
  );

  it.runIf(everyStage)('loses nothing when the worker dies while everything is exported', async () => {
    const tenant = freshTenant();
    const fileSystemId = await clusterWithFiles(tenant);
    const before = await snapshotOf(fileSystemId);
    platform.stack.fsx.faults.tasksHang = true;
    await teardown(tenant);
    await platform.until(tenant, ['exporting']);
    platform.kill('worker');
    platform.stack.fsx.faults.tasksHang = false;
    await platform.restart('worker');
    await platform.until(tenant, ['deleted']);
    await expectAllInS3(tenant, before);
  });

  it('stays, blocked, with a name that S3 cannot have, until that is mended on the cluster', async () => {
    const tenant = freshTenant();
    const fileSystemId = await clusterWithFiles(tenant);
    const part = 'x'.repeat(200);
    const folder = [part, part, part, part, part].join('/');
    const id = await platform.submit(tenant, 'too-long', {
      jobs: [
        {
          key: 'names',
          script: `#!/bin/bash\nmkdir -p /data/scratch/${folder} && cd /data/scratch/${part}\necho kept >"$(find . -type d | tail -1)/${part}"\n`,
        },
      ],
    });
    await platform.untilCampaign(tenant, id);
    await teardown(tenant);
    const blocked = await platform.until(tenant, ['blocked']);
    expect(blocked).toMatchObject({
      failure: { type: 'LustreNotExported', message: expect.stringContaining('PathSizeTooLong') as unknown },
      choices: ['retry', 'abandon', 'discard'],
    });
    // The stack is still there, so that somebody can log in and rename it.
    const mended = await platform.onHeadNode(tenant, [
      'bash',
      '-c',
      `mv /data/scratch/${part}/${part}/${part} /data/scratch/short && find /data/scratch/short -type f | wc -l`,
    ]);
    expect(mended.trim()).toBe('1');
    const before = await snapshotOf(fileSystemId);
    await retry(tenant);
    await platform.until(tenant, ['deleted']);
    await expectAllInS3(tenant, before);
  });
});

describe('a cluster that mounts buckets in place of Lustre', () => {
  it('has in S3 what its jobs have closed, and goes when the last file is closed', async () => {
    expect(existsSync('/dev/fuse'), 'This test needs FUSE: let the container have /dev/fuse.').toBe(true);
    const tenant = freshTenant();
    const prefix = `lustre/${tenant.projectId}/`;
    const { s3 } = platform.stack.aws;
    await s3.send(
      new PutObjectCommand({ Bucket: buckets().projectPublic, Key: 'models/atlas.txt', Body: 'of all' }),
    );
    const textOf = async (name: string) => {
      const Key = prefix + name;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: buckets().projectPrivate, Key }));
      return Body?.transformToString();
    };
    await platform.ensure(tenant, { tier: 'debug', idleTimeoutSeconds: 3600, s3Mounts: true });
    await platform.until(tenant, ['ready']);
    const writes = [
      'mkdir -p /data/project/private/out',
      'cat /data/project/public/models/atlas.txt >/data/scratch/copy.txt',
      'cp /data/scratch/copy.txt /data/project/private/out/copy.txt',
      'touch /data/project/public/mine && exit 9',
      'head -c 3000000 /dev/urandom >/data/scratch/large && cp /data/scratch/large /data/project/private/',
      'sha256sum </data/scratch/large >/data/project/private/large.sha256',
    ].join('\n');
    const id = await platform.submit(tenant, 'writes', {
      jobs: [{ key: 'writes', script: `#!/bin/bash\nset -e\n${writes}\n` }],
    });
    expect((await platform.untilCampaign(tenant, id)).jobsByState).toEqual({ succeeded: 1 });
    // While the cluster lives, and nobody has unmounted anything.
    expect(await textOf('out/copy.txt')).toBe('of all');
    const sums = await objectChecksums(s3, buckets().projectPrivate, tenant);
    expect(await textOf('large.sha256')).toContain(sums.get('large'));

    const writer =
      'exec >/data/project/private/late.txt 2>&1; echo first; until [[ -e /tmp/go ]]; do sleep 0.2; done; echo last';
    await platform.onHeadNode(tenant, ['runuser', '-u', 'sim', '--', 'bash', '-c', `(${writer}) &`]);
    await teardown(tenant);
    await expect
      .poll(async () => (await platform.cluster(tenant)).message, { timeout: 30_000 })
      .toBe('Everything that was written is being completed in S3.');
    await platform.onHeadNode(tenant, ['touch', '/tmp/go']);
    await platform.until(tenant, ['deleted']);
    expect(await textOf('late.txt')).toBe('first\nlast\n');
    expect(await platform.leftovers()).toEqual([]);
  });
});
