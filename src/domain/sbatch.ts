import type { JobReference } from './ids.ts';
import { claimKey } from './job-claim.ts';
import type { JobSpec } from './job.ts';
import { shellQuote } from './shell-quote.ts';

/**
 * Where a job's files lie on the cluster's shared home, as absolute paths. Those of an array's tasks are one pattern, with
 * `%a` for the index, as Slurm writes it (sbatch(1), "filename pattern").
 */
export interface JobPaths {
  /** The job's own folder (mode 700): stdout, stderr, environment. */
  readonly jobDirectory: string;
  /** Where its script and exports are: the same, but for an array one that all tasks read from. */
  readonly contentDirectory: string;
  /** Where the job runs if it names no working directory. */
  readonly defaultWorkingDirectory: string;
  /** An empty file that the job's wrapper makes at the start: only such jobs are looked at while they run. */
  readonly runningMarker: string;
}

/** Everything of ours in the job user's home lies under this folder, one subfolder per epoch. */
const STATE_DIRECTORY = '.parallelcluster-provisioner';

/** The files of a job's folder that can be read back; `batch` and `exports` are ours alone. */
export type JobFileName = 'script' | 'stdout' | 'stderr' | 'environment';

/** The paths of a job below the job user's home. */
export function jobPaths(home: string, { epoch, campaignId, jobKey }: JobReference): JobPaths {
  const root = `${home}/${STATE_DIRECTORY}/${epoch}`;
  const jobDirectory = `${root}/jobs/${campaignId}/${jobKey}`;
  return {
    jobDirectory,
    contentDirectory: jobDirectory,
    defaultWorkingDirectory: `${home}/campaigns/${campaignId}/${jobKey}`,
    // Neither part can hold a colon (ids.ts).
    runningMarker: `${root}/running/${campaignId}:${jobKey}`,
  };
}

/** The paths of every task of an array. */
export function arrayPaths(home: string, { jobKey, ...campaign }: JobReference): JobPaths {
  const { jobDirectory: contentDirectory } = jobPaths(home, { ...campaign, jobKey });
  return { ...jobPaths(home, { ...campaign, jobKey: `${jobKey}_%a` }), contentDirectory };
}

export interface BatchContext extends JobPaths {
  /** By which Slurm knows the job as ours (`jobComment`). */
  readonly comment: string;
  /** Queue of jobs that name none. */
  readonly defaultQueue: string;
}

/** What is written for one job. Nothing of the caller's is read by a shell as code, except the caller's own script. */
export interface JobFiles {
  /** Handed to sbatch: directives and a fixed wrapper. Holds no environment and no script of the caller. */
  readonly batch: string;
  /** Executed by its own interpreter line. */
  readonly script: string;
  /** The caller's environment as quoted assignments; mode 600, never shown to Slurm. */
  readonly exports: string;
}

/** Renders the files of a job. */
export function renderJobFiles(job: JobSpec, context: BatchContext): JobFiles {
  return { batch: renderBatchScript(job, context), ...renderProgram(job) };
}

function renderProgram(job: JobSpec): Omit<JobFiles, 'batch'> {
  return {
    script: job.script ?? renderCommand(job.command ?? []),
    exports: Object.entries(job.environment)
      .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`)
      .join(''),
  };
}

/**
 * The same for slurmrestd, which reads no directives and puts no files on the cluster: the wrapper makes the job's
 * folder, sends the output there, and writes script and exports itself. So both are part of what Slurm keeps of the
 * job, which its user and administrators may read (`scontrol write batch_script`).
 */
export function renderSelfContainedBatch(job: JobSpec, context: BatchContext): string {
  // One folder for all: where a job's output goes, its script is written too.
  const own = { ...context, contentDirectory: context.jobDirectory };
  const file = (name: string) => word(job, `${own.jobDirectory}/${name}`);
  const { script, exports } = renderProgram(job);
  return `#!/bin/bash -l
( umask 077 && mkdir -p -- ${word(job, own.jobDirectory)} ) || exit 1
exec >>${file('stdout')} 2>>${file('stderr')}
${claimKey(word(job, own.jobDirectory), context.comment)}
( umask 077 && printf %s ${shellQuote(script)} >${file('script')} && printf %s ${shellQuote(exports)} >${file('exports')} ) || exit 1
${makeWorkingDirectory(job, own)}${becomeProgram(job, own)}`;
}

/**
 * The batch script of a job. The wrapper runs in a login shell, so that modules and the cluster's profile are there
 * as in a session. It marks the job as running, sets the caller's variables, loads the caller's modules (which may
 * need those variables), notes the environment, then becomes the caller's program, whose exit code or signal is thus
 * the job's. A marker or a listing that cannot be written never fails the job; a module that cannot be loaded does.
 */
export function renderBatchScript(job: JobSpec, context: BatchContext): string {
  const directives = [
    ...directivesOf(job, context).map(([name, value]) => `#SBATCH --${name}=${escapeDirective(value)}`),
    // Said in any case: a cluster's default (JobRequeue) may be either.
    `#SBATCH --${job.requeueLimit === 0 ? 'no-requeue' : 'requeue'}`,
  ];
  return `#!/bin/bash -l
${directives.join('\n')}
${claimKey(word(job, context.jobDirectory), context.comment)}
${job.array ? makeWorkingDirectory(job, context) : ''}${becomeProgram(job, context)}`;
}

/** Paths stand here as they are: a variable of the wrapper could be one of the caller's. */
function becomeProgram(job: JobSpec, context: BatchContext): string {
  const content = (name: string) => word(job, `${context.contentDirectory}/${name}`);
  return `${markAsRunning(job, context.runningMarker)}
cd -- ${workingDirectoryOf(job, context)} || exit 1
chmod u+x ${content('script')}
. ${content('exports')}
${job.modules.map(loadModule).join('')}${recordEnvironment(word(job, `${context.jobDirectory}/environment`))}
exec ${content('script')}
`;
}

/** A path of ours as a word of the wrapper; a task of an array puts its index in. A caller's variable cannot be in its way. */
function word(job: JobSpec, path: string): string {
  const quoted = shellQuote(path);
  return job.array ? quoted.replaceAll('%a', `'"$SLURM_ARRAY_TASK_ID"'`) : quoted;
}

/** The directory that a job runs in, as a word of the wrapper. */
function workingDirectoryOf(job: JobSpec, paths: JobPaths): string {
  return job.workingDirectory === undefined
    ? word(job, paths.defaultWorkingDirectory)
    : shellQuote(job.workingDirectory);
}

/** A directory that the job names itself is not ours to make. */
function makeWorkingDirectory(job: JobSpec, paths: JobPaths): string {
  return job.workingDirectory === undefined
    ? `( umask 077 && mkdir -p -- ${word(job, paths.defaultWorkingDirectory)} ) || exit 1\n`
    : '';
}

/** A moment for Slurm's `parse_time`, in seconds since 1970: other notations are read in the head node's time zone. */
export function slurmTime(time: string): string {
  return `uts${unixSeconds(time)}`;
}

/** ISO 8601 in the unit in which Slurm counts. */
export function unixSeconds(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}

function directivesOf(job: JobSpec, context: BatchContext): [name: string, value: string][] {
  const optional: [string, string | undefined][] = [
    ['mem', job.memoryMebibytesPerNode === undefined ? undefined : `${job.memoryMebibytesPerNode}M`],
    ['time', job.timeLimitSeconds === undefined ? undefined : String(Math.ceil(job.timeLimitSeconds / 60))],
    ['deadline', job.deadline === undefined ? undefined : slurmTime(job.deadline)],
  ];
  return [
    ['job-name', job.name ?? job.key],
    ['partition', job.queue ?? context.defaultQueue],
    ['nodes', String(job.nodes)],
    // With fewer tasks than nodes sbatch would silently lower the number of nodes.
    ['ntasks', String(Math.max(job.tasks, job.nodes))],
    ['cpus-per-task', String(job.cpusPerTask)],
    ...optional.filter((directive): directive is [string, string] => directive[1] !== undefined),
    // Slurm expands no pattern here: a task goes to its own directory itself.
    [
      'chdir',
      job.workingDirectory ?? (job.array ? context.contentDirectory : context.defaultWorkingDirectory),
    ],
    ['output', `${context.jobDirectory}/stdout`],
    ['error', `${context.jobDirectory}/stderr`],
    // A requeued job continues its files: what was already copied from them stays true.
    ['open-mode', 'append'],
  ];
}

/**
 * sbatch reads directives with its own parser (`_get_argument` in sbatch's xlate.c): blanks end a value, `#` begins a
 * comment, quotes group, and a backslash takes the next byte as it is. Escaping every ASCII character that is not
 * plainly harmless needs to know none of the special cases but one: in Slurm 22.05 a blank ends a value although a
 * backslash stands before it, unless it stands in quotes as well. Line breaks cannot be written: job.ts refuses them.
 */
function escapeDirective(value: string): string {
  const escaped = value.replaceAll(/[^A-Za-z0-9_./\-\u0080-\u{10FFFF}]/gu, String.raw`\$&`);
  return /\s/.test(value) ? `"${escaped}"` : escaped;
}

/** A script that becomes the command: the same path as for scripts, so a job always is one executable file. */
function renderCommand(command: readonly string[]): string {
  return `#!/bin/bash\nexec -- ${command.map(shellQuote).join(' ')}\n`;
}

function markAsRunning(job: JobSpec, marker: string): string {
  const folder = marker.slice(0, marker.lastIndexOf('/'));
  return `( umask 077 && mkdir -p -- ${shellQuote(folder)} && : >>${word(job, marker)} ) 2>/dev/null`;
}

/** `module` itself says before what is wrong. */
function loadModule(name: string): string {
  return `module load ${shellQuote(name)} || {
  echo 'The module ${name} could not be loaded: the program was not started.' >&2
  exit 1
}
`;
}

/**
 * Values are written with bash's own quoting, one variable a line, so that a value with line breaks cannot be taken
 * for another variable when the listing is redacted. What stands in the place of the listing must be a file: opening
 * a pipe would wait for its reader.
 */
function recordEnvironment(file: string): string {
  return String.raw`(
  umask 077
  [ -f ${file} ] || [ ! -e ${file} ] || exit
  {
    echo '# Modules loaded when the job started'
    if [ -n "$LOADEDMODULES" ]; then printf '%s\n' "${'$'}{LOADEDMODULES//:/$'\n'}"; else echo 'none'; fi
    echo '# Environment'
    while IFS= read -r; do printf '%s=%s\n' "$REPLY" "${'$'}{!REPLY@Q}"; done < <(compgen -e | LC_ALL=C sort)
  } >${file}
) 2>/dev/null`;
}
