import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileContent } from '../../src/clients/slurm-gateway.ts';
import type { JobSpecInput } from '../../src/domain/job.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { jobPaths } from '../../src/domain/sbatch.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { sshRig } from '../support/slurm-rigs.ts';
import { describeHeadNodeFiles } from './head-node-files.contract.ts';
import { describeSlurmGateway } from './slurm-gateway.contract.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

let cluster: SlurmCluster;

beforeAll(async () => {
  cluster = await startSlurmCluster();
});
afterAll(async () => cluster?.close());

describeSlurmGateway('over SSH to a real head node', async () => sshRig(cluster));
describeHeadNodeFiles('over SSH', async () => ({
  files: cluster.gateway,
  gateway: cluster.gateway,
  head: cluster.head,
  close: async () => Promise.resolve(),
}));

const jobsOf = (jobs: readonly JobSpecInput[]) => jobs.map((job) => ({ spec: jobSpecSchema.parse(job) }));

async function submit(campaignId: string, ...jobs: JobSpecInput[]) {
  return cluster.gateway.submit(cluster.head, { campaignId, jobs: jobsOf(jobs), defaultQueue: 'debug' });
}

async function read(campaignId: string, jobKey: string): Promise<FileContent | undefined> {
  const part = { campaignId, jobKey, file: 'stdout', offset: 0, lengthBytes: 1_000_000 } as const;
  const [content] = await cluster.gateway.readFiles(cluster.head, [part]);
  return content;
}

/** What the job wrote, once Slurm has taken it from the queue of live jobs. */
async function outputOf(campaignId: string, jobKey: string): Promise<string> {
  const user = ['squeue', '--noheader', '--user=sim', '--format=%k'];
  await expect
    .poll(async () => cluster.asSim(...user), { timeout: 30_000 })
    .not.toContain(`${campaignId}/${jobKey}`);
  const content = await read(campaignId, jobKey);
  if (content?.status !== 'ok') throw new Error(`no output of ${jobKey}`);
  return content.data.toString();
}

/** Ids of the jobs of a campaign that Slurm has ever had. */
async function jobIdsOf(campaignId: string): Promise<string[]> {
  const { facts } = await cluster.gateway.observe(cluster.head, { sinceSeconds: Date.now() / 1000 - 3600 });
  return [...new Set(facts.filter(({ comment }) => comment.includes(campaignId)).map(({ jobId }) => jobId))];
}

const directoryOf = (campaignId: string, jobKey: string) =>
  jobPaths('/home/sim', { epoch: cluster.head.epoch, campaignId, jobKey }).jobDirectory;

describe('what a caller names reaches the job as it is', () => {
  const hostile = `it's "x" \\ $HOME \`id\` #y %j; é 日本`;

  it('in its name, environment, arguments and working directory', async () => {
    const campaignId = newCampaignId();
    const workingDirectory = `/home/sim/${hostile.replaceAll('/', '')}`;
    await cluster.asSim('mkdir', workingDirectory);
    const environment = { HOSTILE: `${hostile}\n#SBATCH --hold\n` };
    const script = 'printf "%s|" "$SLURM_JOB_NAME" "$HOSTILE" "$PWD" "$@"';
    const command = ['bash', '-c', script, 'bash', hostile, 'a\nb'];
    expect(
      await submit(campaignId, { key: 'h', name: hostile, environment, command, workingDirectory }),
    ).toMatchObject([{ status: 'submitted' }]);
    expect(await outputOf(campaignId, 'h')).toBe(
      `${[hostile, environment.HOSTILE, workingDirectory, hostile, 'a\nb'].join('|')}|`,
    );
    const { facts } = await cluster.gateway.observe(cluster.head, {});
    expect(facts.find(({ comment }) => comment.endsWith(`${campaignId}/h`))?.name).toBe(hostile);
  });

  it('without leaving it where accounting or another user can read it', async () => {
    const campaignId = newCampaignId();
    const [answer] = await submit(campaignId, {
      key: 's',
      environment: { API_TOKEN: 'planted' },
      command: ['true'],
    });
    const id = answer !== undefined && 'jobId' in answer ? answer.jobId : '';
    const stored = await cluster.asRoot(
      `scontrol show job ${id}; scontrol write batch_script ${id} -; sacct -j ${id} -B; sacct -j ${id} --env-vars; ls -lR /home/sim/.parallelcluster-provisioner`,
    );
    expect(stored.stdout).toContain(`JobId=${id}`);
    expect(stored.stdout).not.toContain('planted');
    const modes = await cluster.asSim(
      'stat',
      '--format=%a',
      directoryOf(campaignId, 's'),
      `${directoryOf(campaignId, 's')}/exports`,
    );
    expect(modes).toBe('700\n600');
  });

  it('in a script of binary-looking text, by its own interpreter, with modules at hand', async () => {
    const campaignId = newCampaignId();
    const script = `#!/bin/bash\n# ${'\u00e9'.repeat(5000)}\ntype -t module; echo "$0"; exit 0\n`;
    await submit(campaignId, { key: 'm', script });
    expect(await outputOf(campaignId, 'm')).toBe(`function\n${directoryOf(campaignId, 'm')}/script\n`);
  });
});

describe('one job for each key', () => {
  it('when the connection is cut after sbatch ran and before its answer arrived', async () => {
    const campaignId = newCampaignId();
    // In sbatch's place: the real one, then the end of every SSH session before anybody hears of it.
    await cluster.asRoot(
      `printf '#!/bin/bash\nanswer=$(/usr/bin/sbatch "$@")\n[ -e /tmp/cut ] && rm -f /tmp/cut && pkill -KILL -u sim sshd\necho "$answer"\n' >/usr/local/bin/sbatch
       chmod 755 /usr/local/bin/sbatch; install -m 666 -o sim /dev/null /tmp/cut`,
    );
    try {
      const jobs = ['a', 'b', 'c'].map((key) => ({ key, command: ['true'] }));
      await expect(submit(campaignId, ...jobs)).rejects.toMatchObject({ type: 'HeadNodeUnreachable' });
      const answers = await submit(campaignId, ...jobs);
      expect(answers[0]?.status).toBe('adopted');
      expect(await jobIdsOf(campaignId)).toHaveLength(3);
    } finally {
      await cluster.asRoot('rm -f /usr/local/bin/sbatch /tmp/cut');
    }
  });

  it('when the caller gave up in the middle of a batch', async () => {
    const campaignId = newCampaignId();
    const jobs = Array.from({ length: 60 }, (_, index) => ({ key: `k${index}`, command: ['true'] }));
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('gave up')), 250);
    await cluster.gateway
      .submit(
        cluster.head,
        { campaignId, jobs: jobsOf(jobs), defaultQueue: 'debug' },
        { signal: abort.signal },
      )
      .catch(() => undefined);
    const answers = await cluster
      .newGateway()
      .submit(cluster.head, { campaignId, jobs: jobsOf(jobs), defaultQueue: 'debug' });
    expect(answers).toHaveLength(60);
    expect(await jobIdsOf(campaignId)).toHaveLength(60);
  });

  it('when the ledger is gone and the job has left the queue', async () => {
    const campaignId = newCampaignId();
    const [first] = await submit(campaignId, { key: 'a', command: ['true'] });
    await outputOf(campaignId, 'a');
    await cluster.asSim('sh', '-c', 'rm -rf ~/.parallelcluster-provisioner/*/ledger');
    const squeue = `printf '#!/bin/bash\nexit 0\n' >/usr/local/bin/squeue; chmod 755 /usr/local/bin/squeue`;
    await cluster.asRoot(squeue);
    try {
      await expect
        .poll(async () => submit(campaignId, { key: 'a', command: ['true'] }), { timeout: 5_000 })
        .toEqual([{ ...first, status: 'adopted' }]);
    } finally {
      await cluster.asRoot('rm -f /usr/local/bin/squeue');
    }
  });
});

describe('the connection', () => {
  it('ends a call quickly when its signal aborts, and what it started on the head node', async () => {
    await cluster.asRoot(
      `printf '#!/bin/bash\nexec sleep 987\n' >/usr/local/bin/squeue; chmod 755 /usr/local/bin/squeue`,
    );
    try {
      const abort = new AbortController();
      const call = cluster.gateway.observe(cluster.head, {}, { signal: abort.signal });
      await expect
        .poll(async () => (await cluster.asRoot('pgrep -fc "^sleep 987"')).stdout.trim(), { timeout: 5000 })
        .toBe('1');
      const started = performance.now();
      abort.abort(new Error('gave up'));
      await expect(call).rejects.toThrow('gave up');
      expect(performance.now() - started).toBeLessThan(100);
      await expect
        .poll(async () => (await cluster.asRoot('pgrep -fc "^sleep 987"')).stdout.trim(), { timeout: 5000 })
        .toBe('0');
    } finally {
      await cluster.asRoot('rm -f /usr/local/bin/squeue');
    }
    await expect(cluster.gateway.ping(cluster.head)).resolves.toBeDefined();
  });

  it('is made again after it was lost', async () => {
    await cluster.gateway.ping(cluster.head);
    await cluster.asRoot('pkill -KILL -u sim sshd');
    await expect.poll(async () => cluster.gateway.ping(cluster.head), { timeout: 5_000 }).toBeDefined();
  });

  it('serves more calls at once than sshd allows channels', async () => {
    const calls = Array.from({ length: 25 }, async () => cluster.gateway.observe(cluster.head, {}));
    expect((await Promise.all(calls)).every(({ interactiveSessions }) => interactiveSessions === 0)).toBe(
      true,
    );
  });

  it('counts the terminals of people, as long as they are open', async () => {
    const sessions = async () => (await cluster.gateway.observe(cluster.head, {})).interactiveSessions;
    const logOut = await cluster.openTerminal();
    expect(await sessions()).toBe(1);
    logOut();
    await expect.poll(sessions, { timeout: 5_000 }).toBe(0);
  });

  it('says that a head node does not answer, and names no key', async () => {
    const access = { ...cluster.head.access, address: '127.0.0.1', port: 1 };
    await expect(cluster.gateway.ping({ ...cluster.head, access })).rejects.toMatchObject({
      type: 'HeadNodeUnreachable',
      message: expect.stringMatching(/^Cannot connect to sim@127\.0\.0\.1:1: .*ECONNREFUSED/) as unknown,
    });
  });
});

describe('files of jobs', () => {
  it('are read byte by byte, whatever they hold', async () => {
    const campaignId = newCampaignId();
    const script = '#!/bin/bash\nprintf "\\\\0\\\\377\\\\036\\\\ndone\\\\nok 1 1\\\\n"\n'.replaceAll(
      '\\\\',
      '\\',
    );
    await submit(campaignId, { key: 'b', script });
    await outputOf(campaignId, 'b');
    expect(await read(campaignId, 'b')).toMatchObject({
      data: Buffer.from('\0\u00FF\u001E\ndone\nok 1 1\n', 'latin1'),
    });
  });

  it('come whole where they are larger than one answer', async () => {
    const campaignId = newCampaignId();
    await submit(campaignId, { key: 'x', command: ['sh', '-c', 'head -c 9000000 /dev/zero | tr "\\0" x'] });
    await outputOf(campaignId, 'x');
    const parts = [0, 4_500_000].flatMap((offset) =>
      Array.from(
        { length: 3 },
        () => ({ campaignId, jobKey: 'x', file: 'stdout', offset, lengthBytes: 4_500_000 }) as const,
      ),
    );
    const contents = await cluster.gateway.readFiles(cluster.head, parts);
    expect(contents.map((content) => (content.status === 'ok' ? content.data.length : 0))).toEqual(
      Array(6).fill(4_500_000),
    );
  });

  it('are refused where a link, a folder or a pipe stands in their place', async () => {
    const campaignId = newCampaignId();
    await submit(campaignId, ...['l', 'f', 'p', 'd'].map((key) => ({ key, command: ['true'] })));
    for (const key of ['l', 'f', 'p', 'd']) await outputOf(campaignId, key);
    const [link, folder, pipe, moved] = ['l', 'f', 'p', 'd'].map((key) => directoryOf(campaignId, key));
    await cluster.asSim('ln', '--symbolic', '--force', '/etc/passwd', `${link}/stdout`);
    await cluster.asSim('sh', '-c', `rm ${folder}/stdout && mkdir ${folder}/stdout`);
    await cluster.asSim('sh', '-c', `rm ${pipe}/stdout && mkfifo ${pipe}/stdout`);
    await cluster.asSim(
      'sh',
      '-c',
      `rm -r ${moved} && mkdir /tmp/elsewhere && echo secret >/tmp/elsewhere/stdout && ln -s /tmp/elsewhere ${moved}`,
    );
    const contents = await Promise.all(['l', 'f', 'p', 'd'].map(async (key) => read(campaignId, key)));
    expect(contents.map((content) => content?.status)).toEqual(['refused', 'refused', 'refused', 'refused']);
  });
});
