import type { CampaignNeeds } from './campaign-needs.ts';
import type { InstanceType } from './instance-types.ts';
import { lustreInterfaces, type LustreSpec } from './lustre.ts';

/** Node hours are told in nodes of c7a.48xlarge, the platform's usual one: 192 CPUs. */
const REFERENCE_NODE_CPUS = 192;

/**
 * What Slurm gives to jobs of the memory that EC2 lists (AWS ParallelCluster user guide, "Slurm memory-based scheduling":
 * `SchedulableMemory` is 95 percent unless set).
 */
const SCHEDULABLE_MEMORY = 0.95;

/**
 * Most nodes of a plan: a /24 subnet has 251 addresses, and one whose last node EC2 cannot start runs nothing (all-or-nothing
 * scaling).
 */
export const MAX_PLANNED_NODES = 200;

/** Of a /24 network, AWS keeps five for itself (VPC user guide, "Subnet CIDR blocks"). */
const SUBNET_ADDRESSES = 251;

/** How many nodes have an address beside the head node and a file system. */
export function mostNodesBeside(lustre: LustreSpec | undefined): number {
  return Math.min(MAX_PLANNED_NODES, SUBNET_ADDRESSES - 1 - lustreInterfaces(lustre?.sizeGibibytes));
}

/** A campaign as the planner counts it. */
export interface Workload {
  readonly jobs: number;
  readonly tasksPerJob: number;
  readonly cpusPerTask: number;
  readonly memoryMebibytesPerTask: number;
  /** A job may be spread over nodes. */
  readonly isMpi: boolean;
  /** Never more than there are. */
  readonly jobsAtOnce: number;
  readonly secondsPerJob: number;
}

export function workloadOf(needs: CampaignNeeds): Workload {
  const { tasks, tasksPerJob = 1, cpusPerTask = 1, memoryMebibytesPerTask, mpi = false } = needs;
  const jobs = Math.ceil(tasks / tasksPerJob);
  const { expectedSecondsPerJob, expectedNodeHours = 0 } = needs;
  const cpuSeconds = expectedNodeHours * 3600 * REFERENCE_NODE_CPUS;
  return {
    jobs,
    tasksPerJob,
    cpusPerTask,
    memoryMebibytesPerTask,
    isMpi: mpi,
    jobsAtOnce: Math.min(jobs, needs.jobsAtOnce ?? jobs),
    secondsPerJob: expectedSecondsPerJob ?? Math.max(1, Math.ceil(cpuSeconds / (tasks * cpusPerTask))),
  };
}

/** How jobs of a workload lie on nodes of one type. One of the two numbers is 1. */
export interface Fit {
  readonly nodesPerJob: number;
  readonly jobsPerNode: number;
  /** Which of the two runs out first. */
  readonly limitedBy: 'cpus' | 'memory';
}

/** Memory of a node that jobs can have. */
export function schedulableMebibytes({ memoryMebibytes }: InstanceType): number {
  return Math.floor(memoryMebibytes * SCHEDULABLE_MEMORY);
}

/** Undefined where a task, or a job that may not be spread, does not fit on a node, or needs more nodes than a plan has. */
export function fitOf(workload: Workload, type: InstanceType): Fit | undefined {
  const { tasksPerJob, cpusPerTask, memoryMebibytesPerTask, isMpi } = workload;
  const byCpus = Math.floor(type.cores / cpusPerTask);
  const byMemory = Math.floor(schedulableMebibytes(type) / memoryMebibytesPerTask);
  const tasksPerNode = Math.min(byCpus, byMemory);
  if (tasksPerNode < 1) return undefined;
  const limitedBy = byMemory < byCpus ? ('memory' as const) : ('cpus' as const);
  if (tasksPerJob <= tasksPerNode)
    return { nodesPerJob: 1, jobsPerNode: Math.floor(tasksPerNode / tasksPerJob), limitedBy };
  const nodesPerJob = Math.ceil(tasksPerJob / tasksPerNode);
  if (!isMpi || !type.efa || nodesPerJob > MAX_PLANNED_NODES) return undefined;
  return { nodesPerJob, jobsPerNode: 1, limitedBy };
}

/** How many nodes so many jobs need at once. */
export function nodesFor({ nodesPerJob, jobsPerNode }: Fit, jobs: number): number {
  return Math.ceil(jobs / jobsPerNode) * nodesPerJob;
}

/** A number of nodes, and what it does to a workload. */
export interface Shape {
  readonly nodes: number;
  /** So many run at once. */
  readonly jobsAtOnce: number;
  /** So many times one after the other. */
  readonly rounds: number;
  /** Node seconds in which jobs run, the last round's empty nodes left out. */
  readonly busyNodeSeconds: number;
}

/**
 * The fewest nodes for each number of rounds that at most `maxNodes` can do: any other number of nodes takes as many rounds
 * as a smaller one. There are at most some 200 for 10,000 jobs.
 */
export function shapesOf(workload: Workload, fit: Fit, maxNodes: number): Shape[] {
  const { jobs } = workload;
  const capacity = Math.floor(maxNodes / fit.nodesPerJob) * fit.jobsPerNode;
  /** The fewest jobs at once with which it takes no more rounds. */
  const fewest = (atOnce: number): number => Math.ceil(jobs / Math.ceil(jobs / atOnce));
  const shapes = new Map<number, Shape>();
  let atOnce = Math.min(workload.jobsAtOnce, capacity);
  while (atOnce >= 1) {
    atOnce = fewest(atOnce);
    const nodes = nodesFor(fit, atOnce);
    if (!shapes.has(nodes)) shapes.set(nodes, shapeOf(workload, fit, nodes));
    atOnce -= 1;
  }
  return [...shapes.values()];
}

function shapeOf(workload: Workload, fit: Fit, nodes: number): Shape {
  const { jobs, secondsPerJob } = workload;
  const capacity = Math.floor(nodes / fit.nodesPerJob) * fit.jobsPerNode;
  const jobsAtOnce = Math.min(workload.jobsAtOnce, capacity);
  const full = Math.floor(jobs / jobsAtOnce);
  const rest = jobs % jobsAtOnce;
  return {
    nodes,
    jobsAtOnce,
    rounds: Math.ceil(jobs / jobsAtOnce),
    busyNodeSeconds: (nodesFor(fit, jobsAtOnce) * full + nodesFor(fit, rest)) * secondsPerJob,
  };
}
