import { z } from 'zod';
import { clusterSpecInputSchema } from './cluster-spec-input.ts';
import { DEFAULT_REQUEUE_LIMIT } from './requeue-limit.ts';
import {
  campaignDependencySchema,
  dependencyIssues,
  dependsOnSchema,
  MAX_DEPENDENCIES_PER_CAMPAIGN,
} from './dependencies.ts';
import { campaignIdSchema, jobKeySchema, MAX_KEY_CHARACTERS } from './ids.ts';
import { countJobsAtMost, identitiesOf, isKeyTooLong, jobArraySchema, MAX_ARRAY_TASKS } from './job-array.ts';
import { parallelClusterNameSchema } from './queue.ts';

/** Largest script of one job: sbatch itself refuses more by default (`max_script_size`, slurm.conf(5): 4 MB). */
const MAX_SCRIPT_BYTES = 1024 * 1024;
/** Tasks of arrays count as jobs. */
const MAX_JOBS_PER_CAMPAIGN = MAX_ARRAY_TASKS;

const noNul = (text: string) => !text.includes('\0');

/** Variables that are read-only in bash, or whose value bash makes up (bash(1), "Shell Variables"). */
const BASH_OWN_NAME =
  /^(_|BASH(?!_ENV$).*|COMP_.*|DIRSTACK|EPOCH(REALTIME|SECONDS)|EUID|FUNCNAME|GROUPS|HISTCMD|LINENO|OLDPWD|OPTARG|OPTERR|OPTIND|PIPESTATUS|POSIXLY_CORRECT|PPID|PWD|RANDOM|READLINE_.*|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID)$/;

const environmentSchema = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be a shell variable name'),
    z.string().max(32_768).refine(noNul, 'must not contain NUL'),
  )
  .refine((environment) => Object.keys(environment).length <= 500, 'at most 500 variables')
  .refine(
    (environment) => Object.keys(environment).every((name) => !/^(SLURM|SBATCH)_/.test(name)),
    'names that begin with SLURM_ or SBATCH_ belong to Slurm',
  )
  .refine(
    (environment) => !Object.keys(environment).some((name) => BASH_OWN_NAME.test(name)),
    'names that bash itself keeps, such as UID or RANDOM, cannot be set',
  );

/** A name for `module load`, e.g. `neuron/9.0.1`. Nothing that a shell or `module` could take for an option. */
const moduleNameSchema = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:\/[A-Za-z0-9_.+][A-Za-z0-9_.+-]*)*$/,
    'must be a module name such as `neuron/9.0.1`',
  );

/** One Slurm job as the caller describes it. Exactly one of `script` and `command` says what runs. */
export const jobSpecSchema = z
  .strictObject({
    key: jobKeySchema.meta({
      description:
        'What the job is called in the paths of this API; no two jobs or tasks of a campaign share one.',
    }),
    name: z
      .string()
      .regex(/^[^\p{Cc}]{1,128}$/u, 'must be 1 to 128 printable characters')
      .optional()
      .meta({ description: 'Slurm’s name of the job, without line breaks; the `key` if absent.' }),
    script: z
      .string()
      .min(1)
      .max(MAX_SCRIPT_BYTES)
      .refine((script) => Buffer.byteLength(script) <= MAX_SCRIPT_BYTES, 'must be at most 1 MiB as UTF-8')
      .refine(noNul, 'must not contain NUL')
      .refine((script) => script.startsWith('#!'), 'must begin with an interpreter line such as #!/bin/bash')
      .refine(
        (script) => !/^#SBATCH\b/m.test(script),
        '#SBATCH lines are not read: use the fields of the job (queue, tasks, timeLimitSeconds, …)',
      )
      .optional()
      .meta({
        description:
          'The text of the program, at most 1 MiB, with the interpreter in its first line (`#!/bin/bash`). Either this ' +
          'or `command`. `#SBATCH` lines are refused: use the fields of the job.',
      }),
    command: z
      .array(z.string().max(131_072).refine(noNul, 'must not contain NUL'))
      .min(1)
      .max(1000)
      .refine(([program]) => program !== '', 'must begin with a program')
      .optional()
      .meta({
        description:
          'A program and its arguments, run as they are, without a shell. Either this or `script`.',
      }),
    array: jobArraySchema.optional().meta({
      description:
        'Makes a job array of it: a job, called task, for each index, with the key `<key>_<index>`.',
    }),
    // Written into a line of the batch script, like all names: what no queue can be called never gets that far.
    queue: parallelClusterNameSchema
      .optional()
      .meta({ description: 'The cluster’s queue (Slurm: partition) for it; the first one if absent.' }),
    nodes: z.int().min(1).max(1000).default(1).meta({ description: 'On how many nodes it runs.' }),
    tasks: z.int().min(1).max(1_000_000).default(1).meta({
      description:
        'How many processes, e.g. MPI ranks, it may start on all of its nodes together; at least one for each node.',
    }),
    cpusPerTask: z
      .int()
      .min(1)
      .max(1024)
      .default(1)
      .meta({ description: 'Processors for each of its `tasks`.' }),
    memoryMebibytesPerNode: z
      .int()
      .min(1)
      .max(32 * 1024 * 1024)
      .optional()
      .meta({
        description:
          'Memory on each of its nodes, in MiB; what the queue gives for its processors if absent.',
      }),
    timeLimitSeconds: z
      .int()
      .min(1)
      .max(365 * 86_400)
      .optional()
      .meta({
        description:
          'After how many seconds Slurm ends the job; rounded up to whole minutes. The queue’s own limit if absent.',
      }),
    // sbatch(1), `--deadline`.
    deadline: z.iso
      .datetime()
      .optional()
      .meta({
        description:
          'ISO 8601 in UTC, in the future; needs `timeLimitSeconds`. Slurm gives the job up as soon as it can no longer end ' +
          'by then, its whole time limit counted; one that has started runs on.',
      }),
    requeueLimit: z
      .int()
      .min(0)
      .max(1000)
      .optional()
      .meta({
        description:
          'Slurm’s own requeueing is the retry policy, one limit for all causes: how often Slurm may requeue the job because a node failed, did not boot, or was taken for other work; never ' +
          'because of the job’s own end, and requeues that somebody asked for do not count. 0: not at all, not even by ' +
          `an action. ${DEFAULT_REQUEUE_LIMIT} if absent.`,
      }),
    environment: environmentSchema.default({}).meta({
      description:
        'Variables for the program, beside those of a login on the cluster; at most 500. Slurm does not see them, and ' +
        'what looks like a secret is redacted where the job’s environment is shown.',
    }),
    modules: z
      .array(moduleNameSchema)
      .max(50)
      .default([])
      .meta({
        description:
          'Environment modules, e.g. `neuron/9.0.1`, that are loaded, in this order, before the program starts. One that ' +
          'cannot be loaded fails the job.',
      }),
    dependsOn: dependsOnSchema.default([]).meta({
      description:
        'Jobs, arrays or tasks of the same campaign that must have ended before this one starts. A key alone means ' +
        '`afterok`.',
    }),
    // sbatch(1), `--dependency`.
    singleton: z
      .boolean()
      .optional()
      .meta({
        description:
          'Slurm’s `singleton`: it starts when all jobs of the same `name` that came before it, in whatever campaign, have ' +
          'ended.',
      }),
    workingDirectory: z
      .string()
      .max(4096)
      .regex(/^\/[^\p{Cc}]*$/u, 'must be an absolute path without control characters')
      .optional()
      .meta({
        description:
          'The directory that it runs in: an absolute path on the cluster, which must exist. A folder of the job’s own in ' +
          'the job user’s home if absent.',
      }),
  })
  .superRefine((job, context) => {
    if ((job.script === undefined) === (job.command === undefined)) {
      context.addIssue({ code: 'custom', path: ['script'], message: 'give either `script` or `command`' });
    }
    // sbatch refuses one without the other.
    if (job.deadline !== undefined && job.timeLimitSeconds === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['timeLimitSeconds'],
        message: 'is needed with `deadline`: Slurm must know how long the job may take',
      });
    }
  });

export type JobSpecInput = z.input<typeof jobSpecSchema>;
export type JobSpec = z.output<typeof jobSpecSchema>;

/** The body of a campaign: its jobs and, optionally, the cluster that it needs. */
export const campaignSpecSchema = z
  .strictObject({
    jobs: z
      .array(jobSpecSchema)
      .min(1)
      .max(MAX_JOBS_PER_CAMPAIGN)
      .meta({
        description: `At most ${MAX_JOBS_PER_CAMPAIGN}, each task of an array counted. Slurm gets them about in this order, a few at a time.`,
      }),
    dependsOn: z
      .array(campaignDependencySchema)
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'Campaigns of the same project that must have ended before this one begins.' }),
    cluster: clusterSpecInputSchema.optional().meta({
      description: 'The cluster that it needs: made if there is none. If absent, there must be one.',
    }),
  })
  .superRefine(({ jobs }, context) => {
    const count = countJobsAtMost(jobs);
    if (count > MAX_JOBS_PER_CAMPAIGN) {
      context.addIssue({
        code: 'custom',
        path: ['jobs'],
        message: `at most ${MAX_JOBS_PER_CAMPAIGN} jobs in one campaign, each task of an array counted: not ${count}`,
      });
      return;
    }
    for (const { path, message } of keyIssues(jobs)) {
      context.addIssue({ code: 'custom', path: ['jobs', ...path], message });
    }
    const dependencies = jobs.reduce((sum, { dependsOn }) => sum + dependsOn.length, 0);
    if (dependencies > MAX_DEPENDENCIES_PER_CAMPAIGN) {
      context.addIssue({
        code: 'custom',
        path: ['jobs'],
        message: `at most ${MAX_DEPENDENCIES_PER_CAMPAIGN} dependencies in one campaign, not ${dependencies}`,
      });
      return;
    }
    for (const { path, message } of dependencyIssues(jobs)) {
      context.addIssue({ code: 'custom', path: ['jobs', ...path], message });
    }
  });

/** Every job, every array and every task has a key of its own: logs, actions and dependencies name them by it. */
function keyIssues(
  jobs: readonly JobSpec[],
): { readonly path: readonly (string | number)[]; readonly message: string }[] {
  const seen = new Set<string>();
  return jobs.flatMap((job, index) => {
    const { key } = job;
    if (isKeyTooLong(job)) {
      const message = `with the index of a task behind it, \`${key}\` is longer than ${MAX_KEY_CHARACTERS} characters`;
      return [{ path: [index, 'key'], message }];
    }
    const names = new Set([key, ...identitiesOf(job).map((identity) => identity.key)]);
    const again = [...names].find((name) => seen.has(name));
    for (const name of names) seen.add(name);
    return again === undefined ? [] : [{ path: [index, 'key'], message: `\`${again}\` is used twice` }];
  });
}

/** Which jobs of a campaign are to be tried again, in a campaign of their own. */
export const retrySelectionSchema = z.strictObject({
  /** Only these, of those that did not succeed; the key of an array stands for all of its tasks. All of them if absent. */
  jobKeys: z.array(jobKeySchema).min(1).max(MAX_JOBS_PER_CAMPAIGN).optional(),
});

export type RetrySelection = z.output<typeof retrySelectionSchema>;

/** What a campaign repeats. */
const retrySchema = retrySelectionSchema.extend({ campaignId: campaignIdSchema });

export type CampaignSpecInput = z.input<typeof campaignSpecSchema>;

/** The content of a campaign as it lies in the control bucket: workflow history holds only its reference. */
export const campaignContentSchema = z.object({
  version: z.literal(1),
  campaignId: campaignIdSchema,
  jobs: z.array(jobSpecSchema),
  dependsOn: z.array(campaignDependencySchema).optional(),
  retryOf: retrySchema.optional(),
});

export type CampaignContent = z.output<typeof campaignContentSchema>;

/** Where a campaign's content is, and the hash that it must have. Scripts and environments can hold secrets. */
export interface CampaignContentReference {
  readonly bucket: string;
  readonly key: string;
  readonly sha256: string;
}
