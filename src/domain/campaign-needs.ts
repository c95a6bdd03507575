import { z } from 'zod';
import { MAX_ARRAY_TASKS } from './job-array.ts';

/** Largest size of a Lustre file system that a specification may ask for (see lustre.ts). */
const MAX_STORAGE_GIBIBYTES = 240_000;

/**
 * What a campaign needs, in place of a cluster's queues. A *task* is what runs on `cpusPerTask` CPUs of one node: a rank of
 * MPI, or a whole program. A *CPU* is a physical core: plans switch threads off.
 */
export const campaignNeedsSchema = z
  .strictObject({
    /** Of all jobs together. */
    tasks: z.int().min(1).max(10_000_000),
    /** 1 if absent. Those of a job must be on one node, unless `mpi` is true. */
    tasksPerJob: z.int().min(1).max(100_000).optional(),
    /** The tasks of a job may be spread over nodes, which are then close together and joined by EFA. */
    mpi: z.boolean().optional(),
    /** 1 if absent. */
    cpusPerTask: z.int().min(1).max(1024).optional(),
    memoryMebibytesPerTask: z.int().min(1).max(33_554_432),
    /** Most jobs that can run at the same time, because of what they wait for; all of them if absent. */
    jobsAtOnce: z.int().min(1).max(MAX_ARRAY_TASKS).optional(),
    /** How long a job runs. */
    expectedSecondsPerJob: z
      .int()
      .min(1)
      .max(90 * 86_400)
      .optional(),
    /** Or how many hours all nodes would run together if all were c7a.48xlarge (192 CPUs) and always full. */
    expectedNodeHours: z.number().positive().max(10_000_000).optional(),
    /** From the request on: with the time in which the cluster is made. */
    deadlineSeconds: z
      .int()
      .min(60)
      .max(90 * 86_400)
      .optional(),
    /** Of the cluster, until it is gone again. */
    budgetUsd: z.number().positive().max(100_000_000).optional(),
    /** Of scratch files, at most at one time. */
    storageGibibytes: z.int().min(0).max(MAX_STORAGE_GIBIBYTES).optional(),
    /** `auto` (also if absent): for jobs on several nodes, and where it costs less than EFS. */
    lustre: z.enum(['yes', 'no', 'auto']).optional(),
    /** ONDEMAND if absent. */
    capacityType: z.enum(['ONDEMAND', 'SPOT']).optional(),
  })
  .superRefine((needs, context) => {
    const refuse = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message });
    };
    const { tasks, tasksPerJob = 1, expectedSecondsPerJob, expectedNodeHours } = needs;
    if ((expectedSecondsPerJob === undefined) === (expectedNodeHours === undefined))
      refuse('expectedSecondsPerJob', 'give either `expectedSecondsPerJob` or `expectedNodeHours`');
    if (tasksPerJob > tasks) refuse('tasksPerJob', 'must not exceed tasks');
    const jobs = Math.ceil(tasks / tasksPerJob);
    if (jobs > MAX_ARRAY_TASKS)
      refuse(
        'tasks',
        `these are ${jobs} jobs, and a campaign has at most ${MAX_ARRAY_TASKS}: give tasksPerJob`,
      );
  });

/** Nothing is filled in: what was asked for can be compared with what is asked for again. */
export type CampaignNeeds = z.output<typeof campaignNeedsSchema>;
