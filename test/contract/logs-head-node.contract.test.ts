import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogActivities } from '../../src/activities/logs.ts';
import type { LogCopyRequest } from '../../src/activities/port.ts';
import { createLogReader } from '../../src/clients/log-reader.ts';
import { lastEvent } from '../../src/clients/log-streams.ts';
import { logGroupName } from '../../src/domain/cluster-name.ts';
import { campaignContentSchema } from '../../src/domain/job.ts';
import type { CampaignContent, JobSpecInput } from '../../src/domain/job.ts';
import { decodePiece, endOf, logStreamName as logStreamNameOf } from '../../src/domain/log-events.ts';
import type { LogKind } from '../../src/domain/log-events.ts';
import { REDACTED } from '../../src/domain/redact.ts';
import { jobPaths } from '../../src/domain/sbatch.ts';
import { activityContext, runActivity } from '../support/activity.ts';
import { useEmulatedAws } from '../support/aws.ts';
import { awkwardOutput, randomNumbers, writeJobOutput } from '../support/job-output.ts';
import { LogCopyProcess } from '../support/log-copy.ts';
import { atScale } from '../support/scale.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';

const SEED = 20_261_122;
const tenant = { virtualLabId: 'lab', projectId: 'logs' };
/** Nothing is left out. */
const unlimited = { headBytes: 2 ** 40, tailBytes: 0 };

const aws = useEmulatedAws();
let cluster: SlurmCluster;

beforeAll(async () => {
  cluster = await startSlurmCluster();
  await activitiesOf(campaign()).ensureLogGroup({ ...tenant, ...deployment() });
});
afterAll(async () => cluster?.close());

const deployment = () => ({ epoch: cluster.head.epoch, clusterName: 'pcluster-logs' });

let campaignCount = 0;

function campaign(...jobs: JobSpecInput[]): CampaignContent {
  campaignCount += 1;
  const campaignId = `logs${'abcdefghijklmnopqrstuvwxyz'.charAt(campaignCount)}`.padEnd(26, 'x');
  return campaignContentSchema.parse({ version: 1, campaignId, jobs });
}

function activitiesOf(content: CampaignContent, logLimits = unlimited) {
  return createLogActivities({
    logs: aws().clients.logs,
    gateway: cluster.gateway,
    campaignStore: { get: async () => Promise.resolve(content) },
    logRetentionDays: 1,
    logFollowSeconds: 0.2,
    logLimits,
  });
}

function requestOf({ campaignId, jobs }: CampaignContent): LogCopyRequest {
  return {
    ...tenant,
    ...deployment(),
    access: cluster.head.access,
    campaignId,
    content: { bucket: 'b', key: 'k', sha256: 's' },
    jobs: jobs.map(({ key }) => ({
      jobKey: key,
      view: { key, state: 'succeeded', reason: 'It ended with exit code 0.', logsComplete: false },
    })),
  };
}

async function copy(content: CampaignContent, logLimits = unlimited): Promise<number> {
  const { copyJobLogs } = activitiesOf(content, logLimits);
  return (await runActivity(copyJobLogs, requestOf(content))).copiedBytes;
}

async function* stored({ campaignId }: CampaignContent, jobKey: string, kind: LogKind = 'stdout') {
  const location = { logGroupName: logGroupName(tenant), epoch: cluster.head.epoch };
  const reader = createLogReader(aws().clients.logs);
  yield* reader.readAll({ location, campaignId, jobKey, kind });
}

async function read(content: CampaignContent, jobKey: string, kind: LogKind = 'stdout'): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stored(content, jobKey, kind)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Compares byte by byte, without holding either of both as a whole. */
async function expectStored(
  content: CampaignContent,
  jobKey: string,
  expected: Generator<Buffer, undefined>,
) {
  let chunk: Uint8Array = new Uint8Array();
  let position = 0;
  let isEqual = true;
  for await (const bytes of stored(content, jobKey)) {
    let rest: Uint8Array = bytes;
    while (isEqual && rest.length > 0) {
      if (chunk.length === 0) chunk = expected.next().value ?? new Uint8Array();
      const length = Math.min(rest.length, chunk.length);
      isEqual = length > 0 && Buffer.compare(rest.subarray(0, length), chunk.subarray(0, length)) === 0;
      [rest, chunk] = [rest.subarray(length), chunk.subarray(length)];
      position += length;
    }
  }
  expect({ isEqual, left: chunk.length, isWhole: expected.next().done }, `up to byte ${position}`).toEqual({
    isEqual: true,
    left: 0,
    isWhole: true,
  });
}

function* whole(bytes: Buffer): Generator<Buffer, undefined> {
  yield bytes;
  return undefined;
}

/** Where the stream of an output ends. */
async function endOfStream({ campaignId }: CampaignContent, jobKey: string): Promise<number> {
  const logStreamName = logStreamNameOf({ epoch: cluster.head.epoch, campaignId, jobKey }, 'stdout');
  const stream = { logGroupName: logGroupName(tenant), logStreamName };
  const event = await lastEvent(aws().clients.logs, stream).catch(() => undefined);
  return event?.message === undefined ? 0 : endOf(decodePiece(event.message));
}

async function submit({ campaignId, jobs }: CampaignContent): Promise<void> {
  const submission = { campaignId, jobs: jobs.map((spec) => ({ spec })), defaultQueue: 'debug' };
  const answers = await cluster.gateway.submit(cluster.head, submission);
  expect(answers.map(({ status }) => status)).toEqual(jobs.map(() => 'submitted'));
}

/** Waits until Slurm says that the job has ended, and how. */
async function waitForEnd({ campaignId }: CampaignContent, jobKey: string): Promise<string> {
  let state: string | undefined;
  await expect
    .poll(
      async () => {
        const { facts } = await cluster.gateway.observe(cluster.head, {});
        state = facts.find(({ comment }) => comment.endsWith(`${campaignId}/${jobKey}`))?.state;
        return state;
      },
      { timeout: 30_000 },
    )
    .toMatch(/COMPLETED|FAILED|CANCELLED|TIMEOUT/);
  return state ?? '';
}

const directoryOf = ({ campaignId }: CampaignContent, jobKey: string) =>
  jobPaths('/home/sim', { epoch: cluster.head.epoch, campaignId, jobKey }).jobDirectory;

async function asRoot(script: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.asRoot(script);
  if (code !== 0) throw new Error(`${script} answered ${code}: ${stderr}`);
  return stdout;
}

describe('the environment of a job', () => {
  beforeAll(async () => {
    await asRoot(`mkdir -p /usr/share/modules/modulefiles/neuron
      printf '#%%Module\nsetenv NRNHOME /opt/neuron-9.0.1\nprepend-path PATH /opt/neuron-9.0.1/bin\n' \
        >/usr/share/modules/modulefiles/neuron/9.0.1`);
  });

  it('shows the modules that were loaded, and what they set', async () => {
    const content = campaign({
      key: 'a',
      modules: ['neuron/9.0.1'],
      command: ['sh', '-c', 'echo "$NRNHOME"; echo "${PATH%%:*}"'],
    });
    await submit(content);
    expect(await waitForEnd(content, 'a')).toBe('COMPLETED');
    await copy(content);
    expect(await read(content, 'a')).toBe('/opt/neuron-9.0.1\n/opt/neuron-9.0.1/bin\n');
    const listing = await read(content, 'a', 'environment');
    expect(listing).toMatch(/^# Modules loaded when the job started\nneuron\/9\.0\.1\n# Environment\n/);
    expect(listing).toContain("\nNRNHOME='/opt/neuron-9.0.1'\n");
    expect(await read(content, 'a', 'stderr')).toBe('');
  });

  it('is not needed where a module is missing: the job fails, says why, and does not run', async () => {
    const content = campaign({ key: 'a', modules: ['neuron/9.0.1', 'no-such/1'], command: ['echo', 'ran'] });
    await submit(content);
    expect(await waitForEnd(content, 'a')).toBe('FAILED');
    await copy(content);
    expect(await read(content, 'a')).toBe('');
    const stderr = await read(content, 'a', 'stderr');
    expect(stderr).toContain("Unable to locate a modulefile for 'no-such/1'");
    expect(stderr).toContain('The module no-such/1 could not be loaded: the program was not started.\n');
  });

  it('never brings a secret into the log group, by whatever name or in whatever form', async () => {
    const planted = 'pl4nted';
    const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx${planted}.c2ln`;
    const environment = {
      API_TOKEN: planted,
      AWS_SECRET_ACCESS_KEY: `${planted}/K7MDENG`,
      dbPassword: `it's ${planted}`,
      PRIVATE_KEY: `-----BEGIN PRIVATE KEY-----\n${planted}\n-----END PRIVATE KEY-----\n`,
      CERTIFICATE: `-----BEGIN RSA PRIVATE KEY-----\n${planted}\n-----END RSA PRIVATE KEY-----\n`,
      DATABASE: `postgres://sim:${planted}'x@db/x`,
      CONNECTION: `Server=db;Password=${planted};Port=1`,
      CONFIG: JSON.stringify({ inner: JSON.stringify({ client_secret: planted }) }),
      YAML: `user: sim\npassword: ${planted} 2\n`,
      OPTIONS: `--verbose --db-password ${planted}`,
      HEADER: `Authorization: Bearer ${planted}abcdef0123`,
      SESSION: jwt,
      GIT: `https://ghp_${planted}${'a1B2'.repeat(8)}@github.com/x/y`,
      PRESIGNED: `https://b.s3.amazonaws.com/k?X-Amz-Signature=${planted}&x=1`,
      MULTILINE: `first\nTOKEN=${planted}\nlast`,
      HARMLESS: 'stays',
    };
    const content = campaign({ key: 'a', environment, command: ['true'] });
    await submit(content);
    await waitForEnd(content, 'a');
    await copy(content);
    const listing = await read(content, 'a', 'environment');
    for (const name of Object.keys(environment)) expect(listing).toContain(`\n${name}=`);
    expect(listing).toContain("\nHARMLESS='stays'\n");
    expect(listing.split(REDACTED).length).toBeGreaterThan(15);
    const { events = [] } = await aws().clients.logs.send(
      new FilterLogEventsCommand({
        logGroupName: logGroupName(tenant),
        logStreamNamePrefix: `${cluster.head.epoch}/${content.campaignId}/`,
      }),
    );
    const everything = events.map(({ message }) => message).join('\n');
    expect(everything).toContain('HARMLESS');
    expect(everything).not.toContain(planted);
  });
});

describe('a job whose logs cannot be written', () => {
  it('runs all the same when its home is full', async () => {
    const content = campaign({ key: 'a', command: ['touch', '/tmp/ran'], workingDirectory: '/tmp' });
    const root = `/home/sim/.parallelcluster-provisioner/${cluster.head.epoch}`;
    await asRoot(`rm -f /tmp/ran; scontrol update partitionname=debug state=down`);
    await submit(content);
    // The job's folder as it is, on a file system without room for anything more.
    await asRoot(`cp -a ${root} /tmp/kept && mount -t tmpfs -o size=2m,uid=1500,gid=1500 tmpfs ${root} &&
      cp -a /tmp/kept/jobs ${root}/ && rm -rf ${root}/running /tmp/kept`);
    try {
      await cluster.asRoot(`cat /dev/zero >${root}/fill`);
      await asRoot('scontrol update partitionname=debug state=up');
      expect(await waitForEnd(content, 'a')).toBe('COMPLETED');
      await asRoot('test -e /tmp/ran');
      const listing = await asRoot(`stat --format=%s ${directoryOf(content, 'a')}/environment`);
      expect(listing).toBe('0\n');
    } finally {
      await cluster.asRoot(`umount -l ${root}; scontrol update partitionname=debug state=up; rm -f /tmp/ran`);
    }
  });
});

describe('links', () => {
  it.each([
    ['its output', 'ln -sf /etc/hostname stdout'],
    ['its folder', 'cd ..; mv a b; ln -s /tmp/foreign a'],
    ['its campaign', 'cd ../..; mv "$1" "$1-moved"; ln -s /tmp/foreign-campaign "$1"'],
  ])('that a job puts in the place of %s are not followed', async (_what, script) => {
    const content = campaign({ key: 'a', command: ['true'] });
    await asRoot(`mkdir -p /tmp/foreign /tmp/foreign-campaign/a
      echo foreign | tee /tmp/foreign/stdout >/tmp/foreign-campaign/a/stdout; chmod -R a+rX /tmp/foreign*`);
    await submit(content);
    await waitForEnd(content, 'a');
    const shell = `cd ${directoryOf(content, 'a')} && ${script}`;
    await cluster.asSim('sh', '-c', shell, 'sh', content.campaignId);
    expect(await cluster.asSim('head', '-n', '1', `${directoryOf(content, 'a')}/stdout`)).not.toBe('');
    await copy(content);
    expect(await read(content, 'a')).toBe('');
    expect(await read(content, 'a', 'script')).toBe("'true'\n");
  });

  it('and pipes and unreadable files are left out, and hold nothing up', async () => {
    const content = campaign({ key: 'a', command: ['true'] }, { key: 'b', command: ['true'] });
    await submit(content);
    await waitForEnd(content, 'a');
    await waitForEnd(content, 'b');
    await cluster.asSim('sh', '-c', `cd ${directoryOf(content, 'a')} && rm stdout && mkfifo stdout`);
    const locked = `cd ${directoryOf(content, 'b')} && echo x >stdout && chmod 0 stdout && echo err >stderr`;
    await cluster.asSim('sh', '-c', locked);
    await copy(content);
    expect(await read(content, 'a')).toBe('');
    expect(await read(content, 'b')).toBe('');
    expect(await read(content, 'b', 'stderr')).toBe('err\n');
  });
});

describe('a running job', () => {
  it('is followed while it writes, and no longer once its logs are complete', async () => {
    const script = `#!/bin/bash
echo one; printf ' 10%%'; echo error >&2
while [ ! -e /tmp/go ]; do sleep 0.1; done
echo; echo two
`;
    const content = campaign({ key: 'a', script }, { key: 'waits', command: ['true'] });
    await asRoot('rm -f /tmp/go');
    await submit({ ...content, jobs: content.jobs.slice(0, 1) });
    const context = activityContext();
    const { followJobLogs } = activitiesOf(content);
    const following = runActivity(followJobLogs, requestOf(content), context).catch(
      (error: unknown) => error,
    );
    await expect.poll(async () => read(content, 'a'), { timeout: 20_000 }).toBe('one\n 10%');
    await expect.poll(async () => read(content, 'a', 'stderr'), { timeout: 5_000 }).toBe('error\n');
    const outputs = await cluster.gateway.listOutputs(cluster.head);
    expect(outputs.filter(({ campaignId }) => campaignId === content.campaignId)).toEqual([
      { campaignId: content.campaignId, jobKey: 'a', stdoutBytes: 8, stderrBytes: 6 },
    ]);
    await asRoot('touch /tmp/go');
    await expect.poll(async () => read(content, 'a'), { timeout: 20_000 }).toBe('one\n 10%\ntwo\n');
    await waitForEnd(content, 'a');
    await copy(content);
    expect(await read(content, 'a')).toBe('one\n 10%\ntwo\n');
    const left = await cluster.gateway.listOutputs(cluster.head);
    expect(left.filter(({ campaignId }) => campaignId === content.campaignId)).toEqual([]);
    context.cancel();
    await following;
  });
});

describe('many small jobs', () => {
  const count = atScale(100, 1000);

  it(`are copied and read back byte by byte: ${count} of them`, async () => {
    const keys = Array.from({ length: count }, (_, index) => `job-${index}`);
    const content = campaign(...keys.map((key) => ({ key, command: ['true'] })));
    // As their wrappers leave them.
    const folder = directoryOf(content, 'KEY').replace(/\/KEY$/, '');
    const script = `mkdir -p "$1" "$2" && cd "$1" && for ((i = 0; i < $3; i++)); do
      mkdir job-$i && printf 'I am %s\\0\\377\\n' $i >job-$i/stdout && : >job-$i/stderr && : >"$2/$4:job-$i" || exit 1
    done`;
    const running = directoryOf(content, 'KEY').replace(/\/jobs\/.*$/, '/running');
    await cluster.asSim('bash', '-c', script, 'bash', folder, running, String(count), content.campaignId);
    const ours = async () =>
      (await cluster.gateway.listOutputs(cluster.head)).filter(
        ({ campaignId }) => campaignId === content.campaignId,
      );
    expect(await ours()).toHaveLength(count);
    await copy(content);
    for (const [index, key] of keys.entries()) {
      await expectStored(content, key, whole(Buffer.from(`I am ${index}\0\u00FF\n`, 'latin1')));
    }
    expect(await ours()).toEqual([]);
  }, 600_000);
});

describe('a process that dies while it copies', () => {
  const sizeBytes = atScale(8_000_000, 200_000_000);
  const kills = atScale(4, 12);
  const longestMs = atScale(100, 1_500);

  it(`leaves a log of ${sizeBytes} bytes that the next ones complete byte by byte`, async () => {
    const content = campaign({ key: 'a', command: ['true'] });
    await writeJobOutput(
      cluster,
      { campaignId: content.campaignId, jobKey: 'a' },
      awkwardOutput(sizeBytes, SEED),
    );
    const { privateKey } = cluster;
    const order = { request: requestOf(content), content, privateKey, logLimits: unlimited };
    const random = randomNumbers(SEED);
    const stops: number[] = [];
    for (let stop = 0; stops.length < kills && stop < sizeBytes; stops.push(stop)) {
      const before = stop;
      const copying = new LogCopyProcess(order);
      const hasWritten = async () => (await endOfStream(content, 'a')) > before;
      await expect.poll(hasWritten, { timeout: 60_000, interval: 10 }).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, random() * longestMs));
      await copying.kill();
      stop = await endOfStream(content, 'a');
    }
    // Some died in the middle, each further than the one before.
    expect(stops).toEqual(stops.toSorted((a, b) => a - b));
    expect(stops.filter((stop) => stop < sizeBytes).length).toBeGreaterThan(1);
    await new LogCopyProcess(order).report();
    await expectStored(content, 'a', awkwardOutput(sizeBytes, SEED));
  }, 900_000);

  it('needs little memory, whatever it copies', async () => {
    const content = campaign({ key: 'a', command: ['true'] });
    const job = { campaignId: content.campaignId, jobKey: 'a' };
    await writeJobOutput(cluster, job, awkwardOutput(sizeBytes, SEED + 1));
    const order = { request: requestOf(content), content, privateKey: cluster.privateKey };
    const { copiedBytes, baseBytes, peakBytes } = await new LogCopyProcess({
      ...order,
      logLimits: unlimited,
    }).report();
    expect(copiedBytes).toBeGreaterThanOrEqual(sizeBytes);
    // Seen: 53 MB for 8 MB, 125 MB for 200 MB: the garbage collector takes its time.
    expect(peakBytes - baseBytes).toBeLessThan(200_000_000);
  }, 300_000);
});
