import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobSpecSchema } from './job.ts';
import type { JobSpecInput } from './job.ts';
import { jobPaths, renderBatchScript, renderJobFiles } from './sbatch.ts';
import type { JobPaths } from './sbatch.ts';
import { shellQuote } from './shell-quote.ts';

const run = promisify(execFile);

/** Texts that a shell, sbatch or a terminal would take for something else. */
const hostileTexts = [
  `it's`,
  `"quoted" \\ backslash`,
  '$HOME ${HOME} $(touch pwned) `touch pwned`',
  '; touch pwned; #',
  '#SBATCH --partition=other',
  'two\nlines\n#SBATCH --hold\ntouch pwned',
  '\\',
  `'\\''; touch pwned; '`,
  '\t tab, é, 日本, \u{1F600}, \u0001, \u007F',
  '-n',
  '--help',
  '%j %x !! !$ ~ * ? [a-z] {1,2} > < | & ',
  '',
  ' ',
  'trailing newline\n',
];

let directory: string;
let paths: JobPaths;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), `job 'n "quotes" $x-`));
  paths = {
    jobDirectory: join(directory, 'job'),
    contentDirectory: join(directory, 'job'),
    defaultWorkingDirectory: join(directory, `work 'dir' $y`),
    runningMarker: join(directory, 'running', 'c:job'),
  };
  await mkdir(paths.jobDirectory, { recursive: true });
  await mkdir(paths.defaultWorkingDirectory);
});
afterEach(async () => rm(directory, { recursive: true }));

/** Runs a job's batch script by bash, as slurmd would, from its own folder. */
async function runJob(
  input: Omit<JobSpecInput, 'key'>,
  [shell, ...shellArguments]: [string, ...string[]] = ['bash'],
) {
  const job = jobSpecSchema.parse({ key: 'job', ...input });
  const files = renderJobFiles(job, { ...paths, comment: 'pcp/e1/c1/k1', defaultQueue: 'main' });
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(paths.jobDirectory, name), content, { mode: 0o600 });
  }
  return new Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>(
    (resolve) => {
      const env = { PATH: process.env['PATH'], HOME: directory };
      const child = execFile(
        shell,
        [...shellArguments, join(paths.jobDirectory, 'batch')],
        { cwd: paths.defaultWorkingDirectory, env },
        (_error, stdout, stderr) =>
          resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
      );
    },
  );
}

const node = process.execPath;
const printArguments = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
const printVariables = 'process.stdout.write(JSON.stringify(process.env))';

async function jsonOf(job: Omit<JobSpecInput, 'key'>): Promise<unknown> {
  const { stdout, stderr, code } = await runJob(job);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

async function expectNothingRan(): Promise<void> {
  await expect(stat(join(paths.defaultWorkingDirectory, 'pwned'))).rejects.toThrow('ENOENT');
}

describe('a job on the compute node', () => {
  it('gets the arguments of its command unchanged, whatever they hold', async () => {
    const received = await jsonOf({ command: [node, '-e', printArguments, '--', ...hostileTexts] });
    expect(received).toEqual(hostileTexts);
    await expectNothingRan();
  });

  it('gets the values of its environment unchanged, whatever they hold', async () => {
    const environment = Object.fromEntries(hostileTexts.map((text, index) => [`V${index}`, text]));
    expect(await jsonOf({ command: [node, '-e', printVariables], environment })).toMatchObject(environment);
    await expectNothingRan();
  });

  it('runs its script by its own interpreter line', async () => {
    expect(await jsonOf({ script: `#!${node}\nprocess.stdout.write('["by node"]')\n` })).toEqual(['by node']);
  });

  it('runs where it asks to, whatever the path holds', async () => {
    const workingDirectory = join(directory, `it's "here" $(touch pwned) #1`);
    await mkdir(workingDirectory);
    const { stdout } = await runJob({ command: ['pwd'], workingDirectory });
    expect(stdout).toBe(`${workingDirectory}\n`);
  });

  it('fails and says why when its working directory is not there', async () => {
    const { code, stderr } = await runJob({ command: ['true'], workingDirectory: '/no/such directory' });
    expect(code).toBe(1);
    expect(stderr).toContain('/no/such directory: No such file or directory');
  });

  it.each([0, 1, 3, 127, 255])('ends with the exit code %i of its program', async (exitCode) => {
    expect(await runJob({ script: `#!/bin/sh\nexit ${exitCode}\n` })).toMatchObject({ code: exitCode });
  });

  it.each(['SIGTERM', 'SIGSEGV', 'SIGKILL'])('ends by the signal %s of its program', async (signal) => {
    const job = { script: `#!/bin/bash\nkill -${signal.slice(3)} $$\n` };
    expect(await runJob(job)).toMatchObject({ code: null, signal });
  });

  it('ends with 127 and a message when its program does not exist', async () => {
    const { code, stderr } = await runJob({ command: ['no-such-program'] });
    expect(code).toBe(127);
    expect(stderr).toContain('no-such-program: not found');
  });

  it('leaves a listing of its environment that only its user can read, one variable a line', async () => {
    await runJob({ command: ['true'], environment: { MULTILINE: 'a\nB=c', PLAIN: 'x y' } });
    const file = join(paths.jobDirectory, 'environment');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const lines = (await readFile(file, 'utf8')).split('\n');
    expect(lines).toContain(String.raw`MULTILINE=$'a\nB=c'`);
    expect(lines).toContain(`PLAIN='x y'`);
    expect(lines.slice(0, 3)).toEqual(['# Modules loaded when the job started', 'none', '# Environment']);
  });

  const ran = { code: 0, signal: null, stdout: 'ran\n', stderr: '' };

  it.each([
    ['a folder', async (file: string) => mkdir(file)],
    ['a pipe that nobody reads', async (file: string) => run('mkfifo', [file])],
    ['a device', async (file: string) => symlink('/dev/full', file)],
  ])('runs although its environment cannot be noted: %s is in the way', async (_what, put) => {
    await put(join(paths.jobDirectory, 'environment'));
    expect(await runJob({ command: ['echo', 'ran'] })).toEqual(ran);
  });

  it('is marked as running before anything else', async () => {
    await runJob({ command: ['true'], workingDirectory: '/no/such directory' });
    expect((await stat(paths.runningMarker)).size).toBe(0);
  });

  it('runs although it cannot be marked as running', async () => {
    await writeFile(join(directory, 'running'), 'a file where the folder would be');
    expect(await runJob({ command: ['echo', 'ran'] })).toEqual(ran);
  });

  it('gets its own variables, whatever names the wrapper could use', async () => {
    const names = ['job_directory', 'name', 'module_name', 'running_marker', 'file'];
    const environment = Object.fromEntries(names.map((name) => [name, `my ${name}`]));
    const received = await jsonOf({ command: [node, '-e', printVariables], environment });
    expect(received).toMatchObject(environment);
    const listing = await readFile(join(paths.jobDirectory, 'environment'), 'utf8');
    for (const name of names) expect(listing).toContain(`${name}='my ${name}'\n`);
  });

  /** Stands in for environment modules: knows one, and one that needs the caller's MODULEPATH. */
  const modules = `module() {
    case $2 in
      neuron/9.0.1) export NRNHOME=/opt/neuron LOADEDMODULES=neuron/9.0.1 ;;
      own) [ "$MODULEPATH" = /mine ] && export OWN=1 LOADEDMODULES=$LOADEDMODULES:own ;;
      *) echo "ERROR: Unable to locate a modulefile for '$2'" >&2; return 1 ;;
    esac
  }; export -f module; exec bash "$@"`;

  it('has its modules loaded, in their order and with its variables set, before its environment is noted', async () => {
    const job = {
      command: ['sh', '-c', 'echo "$NRNHOME $OWN"'],
      modules: ['neuron/9.0.1', 'own'],
      environment: { MODULEPATH: '/mine' },
    };
    expect(await runJob(job, ['bash', '-c', modules, 'bash'])).toMatchObject({ stdout: '/opt/neuron 1\n' });
    const listing = await readFile(join(paths.jobDirectory, 'environment'), 'utf8');
    expect(listing).toMatch(/^# Modules loaded when the job started\nneuron\/9\.0\.1\nown\n# Environment\n/);
    expect(listing).toContain(`\nNRNHOME='/opt/neuron'\n`);
  });

  it('does not run without a module that it asked for, and says which', async () => {
    const job = { command: ['echo', 'ran'], modules: ['neuron/9.0.1', 'no-such'] };
    expect(await runJob(job, ['bash', '-c', modules, 'bash'])).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        "ERROR: Unable to locate a modulefile for 'no-such'\n" +
        'The module no-such could not be loaded: the program was not started.\n',
    });
  });

  it('does not run where there are no environment modules at all', async () => {
    const { code, stdout, stderr } = await runJob({ command: ['echo', 'ran'], modules: ['neuron'] });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('The module neuron could not be loaded');
  });

  it('makes files with the mode that the user is used to', async () => {
    const { stdout } = await runJob({ command: ['bash', '-c', 'umask'] });
    expect(Number.parseInt(stdout, 8)).toBe(process.umask());
  });
});

/** sbatch's own reading of a directive (`_get_argument`, src/sbatch/opt.c): that of 22.05, which newer ones share. */
function readDirective(script: string, name: string): string | undefined {
  const line = script.split('\n').find((candidate) => candidate.startsWith(`#SBATCH --${name}=`));
  const raw = line?.slice(`#SBATCH --${name}=`.length);
  if (raw === undefined) return undefined;
  let value = '';
  let isQuoted = false;
  for (let i = 0; i < raw.length; i++) {
    const isEscaped = raw[i] === '\\';
    if (isEscaped) i++;
    // A backslash does not help here.
    if (!isQuoted && /\s/.test(raw[i] ?? '')) break;
    if (!isEscaped && raw[i] === '"') {
      isQuoted = !isQuoted;
      continue;
    }
    if (!isEscaped && /[#']/.test(raw[i] ?? '')) break;
    value += raw[i];
  }
  return value;
}

function render(input: Partial<JobSpecInput> = {}): string {
  const job = jobSpecSchema.parse({ key: 'key-1', command: ['true'], ...input });
  return renderBatchScript(job, {
    jobDirectory: '/home/sim/j',
    contentDirectory: '/home/sim/j',
    defaultWorkingDirectory: '/home/sim/w',
    runningMarker: '/home/sim/running/c:key-1',
    comment: 'pcp/e/c/key-1',
    defaultQueue: 'main',
  });
}

describe('the directives', () => {
  it.each(hostileTexts.filter((text) => jobSpecSchema.shape.name.safeParse(text).success && text !== ''))(
    'carry the name %j to sbatch unchanged',
    (name) => expect(readDirective(render({ name }), 'job-name')).toBe(name),
  );

  it('carry a working directory with blanks, quotes and hashes unchanged', () => {
    const workingDirectory = `/data/a b/#1 'x' "y" \\z`;
    expect(readDirective(render({ workingDirectory }), 'chdir')).toBe(workingDirectory);
  });

  it('state what the job asks for', () => {
    const script = render({
      queue: 'big',
      nodes: 2,
      tasks: 8,
      cpusPerTask: 4,
      memoryMebibytesPerNode: 2048,
      timeLimitSeconds: 61,
      deadline: '2026-12-01T00:00:00Z',
    });
    const stated = ['partition', 'nodes', 'ntasks', 'cpus-per-task', 'mem', 'time', 'deadline'].map((name) =>
      readDirective(script, name),
    );
    expect(stated).toEqual(['big', '2', '8', '4', '2048M', '2', 'uts1796083200']);
  });

  it.each([
    [1, '1'],
    [59, '1'],
    [60, '1'],
    [3601, '61'],
  ])('give a job at least the time that it asks for, in whole minutes: %i s', (timeLimitSeconds, minutes) => {
    expect(readDirective(render({ timeLimitSeconds }), 'time')).toBe(minutes);
  });

  it.each([
    [{}, 'requeue'],
    [{ requeueLimit: 1 }, 'requeue'],
    [{ requeueLimit: 0 }, 'no-requeue'],
  ])('let Slurm requeue a job unless it may never do so: %j', (job, option) => {
    const options = render(job).match(/^#SBATCH --(?:no-)?requeue$/gm);
    expect(options).toEqual([`#SBATCH --${option}`]);
  });

  it('let a job that Slurm requeues go on with its output: what was copied of it stays true', () => {
    expect(render().split('\n')).toContain('#SBATCH --open-mode=append');
  });

  it('leave memory and time to the queue when the job names none', () => {
    expect(readDirective(render(), 'mem')).toBeUndefined();
    expect(readDirective(render(), 'time')).toBeUndefined();
    expect(readDirective(render(), 'deadline')).toBeUndefined();
    expect(readDirective(render(), 'partition')).toBe('main');
    expect(readDirective(render(), 'job-name')).toBe('key-1');
  });

  it('ask for at least one task on each node, or Slurm would give fewer nodes', () => {
    expect(readDirective(render({ nodes: 4 }), 'ntasks')).toBe('4');
  });

  it('come before anything that sbatch would take for the end of the directives', () => {
    const lines = render().split('\n');
    const last = lines.findLastIndex((line) => line.startsWith('#SBATCH'));
    expect(lines.slice(1, last + 1).every((line) => line.startsWith('#SBATCH --'))).toBe(true);
  });

  it('hold neither environment nor script, which accounting could store', () => {
    const script = render({ environment: { API_TOKEN: 'hunter2' } });
    expect(script).not.toContain('hunter2');
  });
});

it('puts every job into a folder of its own below the epoch', () => {
  expect(jobPaths('/home/sim', { epoch: 'e1', campaignId: 'c1', jobKey: 'k1' })).toEqual({
    jobDirectory: '/home/sim/.parallelcluster-provisioner/e1/jobs/c1/k1',
    contentDirectory: '/home/sim/.parallelcluster-provisioner/e1/jobs/c1/k1',
    defaultWorkingDirectory: '/home/sim/campaigns/c1/k1',
    runningMarker: '/home/sim/.parallelcluster-provisioner/e1/running/c1:k1',
  });
});

it('quotes a word for a shell', () => {
  expect(shellQuote(`it's`)).toBe(`'it'\\''s'`);
});

it.each(['UID', 'BASHOPTS', 'RANDOM', '_', 'SLURM_JOB_ID'])(
  'refuses the variable %s, which is not the caller’s',
  (name) => {
    expect(
      jobSpecSchema.safeParse({ key: 'k', command: ['true'], environment: { [name]: '1' } }).success,
    ).toBe(false);
  },
);

it.each(['BASH_ENV', 'PATH', 'LD_LIBRARY_PATH', 'PWDX'])('takes the variable %s', (name) => {
  expect(jobSpecSchema.safeParse({ key: 'k', command: ['true'], environment: { [name]: '1' } }).success).toBe(
    true,
  );
});
