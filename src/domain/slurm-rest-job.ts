import type { JobSpec } from './job.ts';
import { arrayOption } from './job-array.ts';
import { slurmTime, unixSeconds } from './sbatch.ts';
import { isOldGeneration } from './slurm-rest-versions.ts';
import type { SlurmRestVersion } from './slurm-rest-versions.ts';

export interface RestJobContext {
  readonly version: SlurmRestVersion;
  readonly script: string;
  readonly comment: string;
  readonly defaultQueue: string;
  /** As sbatch takes it, e.g. `afterok:12`; empty if the job waits for nothing. */
  readonly dependency: string;
  readonly user: string;
  readonly home: string;
}

/**
 * The body of `POST /slurm/…/job/submit`. slurmrestd reads no `#SBATCH` lines, so all that sbatch.ts has as directives
 * stands here. The output goes nowhere because Slurm makes no folders: the script itself redirects it.
 */
export function renderRestJob(job: JobSpec, context: RestJobContext): Record<string, unknown> {
  const { version, comment, dependency, home } = context;
  const isOld = isOldGeneration(version);
  const nodes = job.nodes;
  return {
    script: context.script,
    job: {
      name: job.name ?? job.key,
      partition: job.queue ?? context.defaultQueue,
      comment,
      ...(job.array && { array: arrayOption(job.array) }),
      ...(isOld ? { nodes: [nodes, nodes] } : { minimum_nodes: nodes, maximum_nodes: nodes }),
      tasks: Math.max(job.tasks, nodes),
      cpus_per_task: job.cpusPerTask,
      ...(job.memoryMebibytesPerNode && { memory_per_node: numberOf(version, job.memoryMebibytesPerNode) }),
      ...(job.timeLimitSeconds && { time_limit: numberOf(version, Math.ceil(job.timeLimitSeconds / 60)) }),
      ...(job.deadline !== undefined && {
        deadline: isOld ? slurmTime(job.deadline) : unixSeconds(job.deadline),
      }),
      // Said in any case: a cluster's default (JobRequeue) may be either.
      requeue: job.requeueLimit !== 0,
      // It exists already; without one a job runs where slurmrestd does.
      current_working_directory: home,
      standard_output: '/dev/null',
      standard_error: '/dev/null',
      ...(dependency !== '' && {
        dependency,
        ...(isOld ? { kill_on_invalid_dependency: true } : { flags: ['KILL_INVALID_DEPENDENCY'] }),
      }),
      environment: environmentOf(context),
    },
  };
}

function numberOf(version: SlurmRestVersion, number: number): unknown {
  return isOldGeneration(version) ? number : { set: true, infinite: false, number };
}

/** As small as that with which the programs over SSH start: a login shell adds the rest. */
function environmentOf({ version, user, home }: RestJobContext): unknown {
  const environment = {
    HOME: home,
    USER: user,
    LOGNAME: user,
    SHELL: '/bin/bash',
    PATH: '/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin',
  };
  if (isOldGeneration(version)) return environment;
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}
