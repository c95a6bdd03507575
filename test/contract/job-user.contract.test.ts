import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobSpecSchema } from '../../src/domain/job.ts';
import type { JobSpec } from '../../src/domain/job.ts';
import { jobPaths } from '../../src/domain/sbatch.ts';
import { hostileJobs } from '../support/hostile-jobs.ts';
import { atScale } from '../support/scale.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newSigningKey } from '../support/slurm-rest.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

/* What the job user may do on a real head node, and what others learn there of a job. */
let cluster: SlurmCluster;

beforeAll(async () => {
  cluster = await startSlurmCluster({
    ownAdminKey: true,
    restApi: { trust: 'epoch-key', signingKeys: [newSigningKey()] },
  });
});
afterAll(async () => cluster?.close());

/** Runs a script as a job does, whatever it answers; in English. */
async function asJob(script: string): Promise<{ code: number; output: string }> {
  const output = await cluster.asSim('bash', '-c', `{ ${script}\n} 2>&1 </dev/null; echo "code $?"`);
  const [, text = '', code = ''] = /^([^]*?)\n?code (\d+)$/.exec(output) ?? [];
  return { code: Number(code), output: text };
}

describe('the job user', () => {
  it('may not become anybody else', async () => {
    expect(await asJob('sudo -n true')).toMatchObject({
      code: 1,
      output: expect.stringMatching(/password is required|may not run sudo/) as unknown,
    });
    expect(await asJob('su -c true root')).not.toMatchObject({ code: 0 });
    expect(await asJob('id -Gn')).toEqual({ code: 0, output: 'sim' });
    expect((await cluster.asRoot('sudo -n -u ec2-user sudo -n id -u')).stdout).toBe('0\n');
  });

  it('finds no program of ours, and none beside the system’s own, that runs with other rights', async () => {
    const { stdout } = await cluster.asRoot(
      `find / -xdev -type f \\( -perm -4000 -o -perm -2000 \\) -printf '%p\\n'; find /home /scratch -type f -perm /6000; getcap -r / 2>/dev/null`,
    );
    const foreign = stdout
      .split('\n')
      .filter((path) => path !== '' && !/^\/usr\/(bin|sbin|lib)\//.test(path));
    expect(foreign).toEqual([]);
    expect(
      (await asJob('find /etc/parallelcluster-provisioner /usr/local/sbin /usr/local/bin -writable')).output,
    ).toBe('');
  });

  it.each([
    ['the password of the database', '/etc/slurm/slurmdbd.conf'],
    ['munge’s key', '/etc/munge/munge.key'],
    ['the private key of the REST API', '/etc/parallelcluster-provisioner/slurm-rest-api.key'],
    ['the head node’s host key', '/etc/ssh/ssh_host_ed25519_key'],
    ['the administrator’s keys', '/home/ec2-user/.ssh/authorized_keys'],
    ['the passwords', '/etc/shadow'],
    ['what root’s processes were started with', '/proc/1/environ'],
  ])('cannot read %s', async (_, path) => {
    expect(await cluster.asRoot(`test -s ${path} || grep -c . ${path}`)).toMatchObject({ code: 0 });
    expect(await asJob(`cat ${path}`)).toEqual({ code: 1, output: `cat: ${path}: Permission denied` });
  });

  it('cannot change which keys Slurm trusts, which only root may write', async () => {
    const jwks = '/etc/parallelcluster-provisioner/jwks.json';
    expect((await asJob(`echo >>${jwks}`)).output).toContain('Permission denied');
    expect(await asJob(`mv ${jwks} /tmp/`)).not.toMatchObject({ code: 0 });
    expect((await asJob('/usr/local/sbin/slurm-rest-api rotate')).code).not.toBe(0);
    // Public halves only.
    const { stdout } = await cluster.asRoot(`cat ${jwks}`);
    expect(stdout).not.toMatch(/"(d|p|q|dp|dq|qi)"/);
  });

  it.each([
    [
      'scontrol update PartitionName=debug State=DOWN',
      /Access\/permission denied|permission denied|Invalid user id/,
    ],
    [
      'scontrol update NodeName=ALL State=DRAIN Reason=mine',
      /Access\/permission denied|permission denied|Invalid user id/,
    ],
    ['scontrol reconfigure', /Access\/permission denied|permission denied|Invalid user id/],
    ['scontrol shutdown', /Access\/permission denied|permission denied|Invalid user id/],
    ['scontrol token username=root', /denied|[Ii]nvalid|only|disabled/],
    ['sacctmgr --immediate add account mine', /privilege|denied|[Oo]nly admins/],
    ['sacctmgr --immediate add user sim account=root adminlevel=Admin', /privilege|denied|[Oo]nly admins/],
  ])('may not administer Slurm: %s', async (command, reason) => {
    const { code, output } = await asJob(command);
    expect({ code, output }).toMatchObject({ output: expect.stringMatching(reason) as unknown });
    expect(code).not.toBe(0);
    expect((await cluster.asRoot('sinfo --noheader --format=%a')).stdout).toBe('up\n');
  });
});

/** What the watcher looks for is in a file, so that it does not see itself. */
const WATCH = `
  while [[ ! -e /run/stop-watching ]]; do
    grep -aHzsFf /run/watched /proc/[0-9]*/cmdline
  done >/run/seen`;

/** Watches the arguments of all processes, as fast as it can, while `action` runs; for each process those with a text of these. */
async function argumentsSeenDuring(watched: readonly string[], action: () => Promise<void>) {
  await cluster.asRoot(`rm -f /run/stop-watching; printf '%s\\n' ${watched.join(' ')} >/run/watched`);
  const watching = cluster.asRoot(WATCH);
  try {
    await action();
  } finally {
    await cluster.asRoot('touch /run/stop-watching');
    await watching;
  }
  const { stdout } = await cluster.asRoot('cat /run/seen');
  const seen = new Map<string, Set<string>>();
  for (const record of stdout.split('\0')) {
    const [, process, argument] = /^(\/proc\/\d+)\/cmdline:([^]*)$/.exec(record) ?? [];
    if (process === undefined || argument === undefined) continue;
    seen.set(process, (seen.get(process) ?? new Set()).add(argument));
  }
  return [...seen.values()].map((each) => [...each]);
}

describe('what a caller writes', () => {
  const PROGRAM = '/home/sim/print-arguments';
  const mark = randomBytes(8).toString('hex');
  const marked = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll(/canary-of-/gi, `$&${mark}-`));
  const campaignId = newCampaignId();

  /** Hostile jobs whose program prints its name, directory, arguments and variables. */
  function markedJobs(count: number): JobSpec[] {
    return fc.sample(hostileJobs(1), { numRuns: count, seed: 20_260_115 }).map(([job], index) => {
      const texts = job?.command?.slice(2) ?? [job?.script ?? ''];
      const { name, environment = {} } = job ?? {};
      return jobSpecSchema.parse(
        marked({ key: `j${index}`, name, environment, command: [PROGRAM, ...texts] }),
      );
    });
  }

  it(
    'reaches the job byte by byte, and no list of processes, log or accounting',
    { timeout: 900_000 },
    async () => {
      const program = `#!/bin/bash
variables=()
for name in $(compgen -e | grep '^CANARY_OF_' | sort); do variables+=("\${!name}"); done
printf '%s\\0' "$SLURM_JOB_NAME" "$PWD" "$@" "\${variables[@]}"
`;
      await cluster.asSim('bash', '-c', `printf %s "$1" >${PROGRAM}; chmod 755 ${PROGRAM}`, 'write', program);
      const jobs = markedJobs(atScale(12, 300));
      const seen = await argumentsSeenDuring([mark, PROGRAM, '--comment=pcp/'], async () => {
        // Proof that the watcher sees what is there for a moment.
        await cluster.asRoot(`bash -c 'sleep 0.2; true' seen-${mark}`);
        const submission = { campaignId, jobs: jobs.map((spec) => ({ spec })), defaultQueue: 'debug' };
        const submitted = await cluster.gateway.submit(cluster.head, submission);
        expect(new Set(submitted.map(({ status }) => status))).toEqual(new Set(['submitted']));
        await expect
          .poll(async () => cluster.asSim('squeue', '--noheader'), { timeout: 600_000, interval: 500 })
          .toBe('');
      });

      for (const { key, name, command = [], environment } of jobs) {
        const paths = jobPaths('/home/sim', { epoch: cluster.head.epoch, campaignId, jobKey: key });
        const { stdout } = await cluster.asRoot(
          `stat -c '%a %U' ${paths.jobDirectory}; base64 --wrap=0 ${paths.jobDirectory}/stdout`,
        );
        const [access, printed = ''] = stdout.split('\n', 2);
        expect(access).toBe('700 sim');
        const variables = Object.keys(environment)
          .toSorted()
          .map((each) => environment[each]);
        const expected = [name, paths.defaultWorkingDirectory, ...command.slice(1), ...variables, ''];
        expect(Buffer.from(printed, 'base64').toString().split('\0')).toEqual(expected);
      }
      expect(await asJob('ls "$HOME"/pwned "$HOME"/campaigns/*/*/pwned')).not.toMatchObject({ code: 0 });

      const ofOthers = seen.filter((texts) => !texts.includes(PROGRAM)).flat();
      expect(ofOthers.filter((text) => text.startsWith('--comment=pcp/'))).not.toEqual([]);
      expect(ofOthers).toContain(`seen-${mark}`);
      expect(ofOthers.filter((text) => text.replaceAll(`seen-${mark}`, '').includes(mark))).toEqual([]);
      expect((await cluster.asRoot(`grep -raFl ${mark} /var/log`)).stdout).toBe('');
      // The name of a job is for accounting; nothing else that a caller writes is.
      const { stdout: accounting } = await cluster.asRoot(
        `columns=$(sacct --helpformat | tr -s ' \\n' '\\n' | grep -v '^JobName$' | paste -sd,)
       period='--allusers --starttime=now-1hour'
       sacct $period --parsable2 --format="$columns"; sacct $period --batch-script; sacct $period --env-vars`,
      );
      expect(accounting).toContain(`--parsable --comment=pcp/${cluster.head.epoch}/${campaignId}/j0`);
      expect(accounting).not.toContain(mark);
    },
  );
});

describe('the folders of a shared file system', () => {
  const script = readFileSync(new URL('../../assets/storage-folders.sh', import.meta.url), 'utf8');
  /** Runs the script as root on the head node. */
  const giveAway = async (...args: string[]) => {
    const quoted = args.map((arg) => `'${arg}'`).join(' ');
    return cluster.asRoot(
      `cat >/tmp/storage-folders.sh <<'END'\n${script}END\nbash /tmp/storage-folders.sh ${quoted}`,
    );
  };

  it('become the job user’s, what lies in them stays whose it was, and nothing beside them is writable', async () => {
    await cluster.asRoot(
      'mkdir -p /data/scratch && echo of-root >/data/scratch/imported && chmod 644 /data/scratch/imported',
    );
    const folders = ['/data/scratch', '/data/project/private'];
    expect(await giveAway('sim', ...folders)).toMatchObject({ code: 0 });
    expect(await giveAway('sim', ...folders)).toMatchObject({ code: 0 });
    expect(
      await asJob('stat -c "%U %a" /data/scratch /data/project/private; cat /data/scratch/imported'),
    ).toEqual({
      code: 0,
      output: 'sim 750\nsim 750\nof-root',
    });
    expect(await asJob('echo x >/data/scratch/imported')).not.toMatchObject({ code: 0 });
    expect(await asJob('touch /data/other /data/project/other')).not.toMatchObject({ code: 0 });
  });

  it.each([
    ['a link in the folder’s place', 'mkdir -p /data && ln -s /etc /data/scratch'],
    ['a link on the way', 'mkdir -p /data && ln -s /etc /data/project'],
  ])('are not given away through %s', async (_what, plant) => {
    await cluster.asRoot(`rm -rf /data && ${plant}`);
    const { code, stderr } = await giveAway('sim', '/data/scratch', '/data/project/private');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('a link stands in the way') as unknown,
    });
    expect((await cluster.asRoot('stat -c %U /etc; ls /etc/private; rm -rf /data')).stdout).toBe('root\n');
  });
});

describe('a sample of the job user’s files', () => {
  it('has them with their sizes, whatever their names, and no more than are wanted', async () => {
    await asJob(
      `mkdir -p ~/sampled/deep && cd ~/sampled && printf 1 >$'line\\nbreak' && printf 12 >'a name' && printf 123 >deep/ümlaut && ln -s /etc/passwd link`,
    );
    const folders = ['/home/sim/sampled'];
    const all = await cluster.gateway.sampleFiles(cluster.head, { folders, most: 10 });
    expect(all.toSorted((a, b) => a.sizeBytes - b.sizeBytes)).toEqual([
      { path: '/home/sim/sampled/line\nbreak', sizeBytes: 1 },
      { path: '/home/sim/sampled/a name', sizeBytes: 2 },
      { path: '/home/sim/sampled/deep/ümlaut', sizeBytes: 3 },
    ]);
    expect(await cluster.gateway.sampleFiles(cluster.head, { folders, most: 2 })).toHaveLength(2);
  });

  it('is not taken for empty where a folder is missing', async () => {
    const request = { folders: ['/home/sim/missing'], most: 10 };
    await expect(cluster.gateway.sampleFiles(cluster.head, request)).rejects.toMatchObject({
      type: 'HeadNodeUnreachable',
      message: expect.stringContaining('/home/sim/missing is no folder') as unknown,
    });
  });
});
