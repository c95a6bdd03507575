import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { beforeAll, describe, expect, it } from 'vitest';
import { logGroupName } from '../../src/domain/cluster-name.ts';
import { REDACTED } from '../../src/domain/redact.ts';
import { activityContext, runActivity } from '../support/activity.ts';
import {
  activitiesOf,
  asRoot,
  aws,
  campaign,
  cluster,
  copy,
  directoryOf,
  read,
  requestOf,
  submit,
  tenant,
  waitForEnd,
} from '../support/log-node-rig.ts';

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
