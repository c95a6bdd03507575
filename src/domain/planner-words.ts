import type { CampaignNeeds } from './campaign-needs.ts';
import type { Alternative, Infeasibility, PlanningGround } from './plan.ts';
import {
  type Candidate,
  type CandidateOptions,
  DEFAULT_SCALEDOWN_SECONDS,
  isPlannable,
  overheads,
} from './planner-candidates.ts';
import { fitOf, MAX_PLANNED_NODES, schedulableMebibytes } from './planner-workload.ts';
import { nodeUsdPerHour } from './prices.ts';
import { counted } from './wording.ts';

/** Why this cluster, in sentences. */
export function explain(
  chosen: Candidate,
  needs: CampaignNeeds,
  { workload, prices }: CandidateOptions,
  possible: number,
): string[] {
  const { instanceType, type, fit, shape, lustre, cost } = chosen;
  const { jobs, tasksPerJob, secondsPerJob } = workload;
  const hourly = nodeUsdPerHour(prices, instanceType) ?? 0;
  const limit = fit.limitedBy === 'memory' ? 'memory is what limits' : 'CPUs are what limits';
  return [
    `${counted(jobs, 'job')} of ${counted(tasksPerJob, 'task')} with ${counted(workload.cpusPerTask, 'CPU')} and ${workload.memoryMebibytesPerTask} MiB each; a job runs ${inWords(secondsPerJob)}.`,
    `A node of ${instanceType} has ${type.cores} CPUs and ${schedulableMebibytes(type)} MiB for jobs at ${hourly} USD an hour: ` +
      (fit.nodesPerJob > 1
        ? `a job takes ${fit.nodesPerJob} nodes, joined by EFA in one placement group; ${limit}.`
        : `${counted(fit.jobsPerNode, 'job')} at a time; ${limit}.`),
    `On ${counted(shape.nodes, 'node')} ${shape.jobsAtOnce} of them run at once, in ${counted(shape.rounds, 'round')}: ` +
      `the last job ends ${inWords(chosen.seconds)} after the request, for ${cost.total} USD until the cluster is gone.`,
    whyChosen(chosen, needs, possible),
    `${lustre ? `Lustre of ${lustre.sizeGibibytes} GiB` : 'No Lustre'}: ${whyLustre(chosen, needs)}.`,
  ];
}

function whyChosen(
  { cost }: Candidate,
  { budgetUsd, deadlineSeconds }: CampaignNeeds,
  possible: number,
): string {
  const of = `of ${counted(possible, 'combination')} of type and number of nodes`;
  if (budgetUsd !== undefined)
    return `It is the cheapest of the fastest (within 5 %) ${of} for at most ${budgetUsd} USD${deadlineSeconds === undefined ? '' : ' in time'}.`;
  if (deadlineSeconds !== undefined)
    return `It is the cheapest ${of} that end within ${inWords(deadlineSeconds)}.`;
  return `It is the cheapest ${of} that end within a day, or else the fastest; no deadline or budget was given (${cost.total} USD).`;
}

function whyLustre({ fit, lustre }: Candidate, needs: CampaignNeeds): string {
  if (needs.lustre === 'yes') return 'it was asked for';
  if (needs.lustre === 'no') return 'it was not wanted';
  const { storageGibibytes = 0 } = needs;
  if (lustre)
    return fit.nodesPerJob > 1
      ? 'jobs run on several nodes'
      : `for ${storageGibibytes} GiB it costs no more than EFS`;
  return fit.nodesPerJob > 1
    ? 'this installation has none, although jobs run on several nodes'
    : `each job stays on one node, and for ${storageGibibytes} GiB EFS costs less, or this installation has none`;
}

/** What every plan takes for granted. */
export function assumptionsOf({ times }: CandidateOptions): string[] {
  return [
    'A CPU is a physical core, and every type of instance is as fast as any other: only what you measure tells them apart.',
    'A job takes as long on many nodes as on few: how a program scales (Amdahl) is not modelled, `tasksPerJob` is taken as it is.',
    `Making the cluster takes ${overheads.clusterSeconds} s, Lustre ${overheads.lustreSeconds} s more, booting nodes ${overheads.nodeBootSeconds} s, deleting ${overheads.teardownSeconds} s; none of these was measured on AWS.`,
    `The cluster stays ${times.idleTimeoutSeconds} s when nothing runs any more, a node ${times.scaledownIdleTimeSeconds ?? DEFAULT_SCALEDOWN_SECONDS} s.`,
    'EC2 has the nodes when they are wanted. No job fails, none is requeued.',
    'On-demand prices without discount; spot is counted as on-demand. Not counted: taxes, data transfer, requests, root volumes, logs, the shared database.',
    'The interface endpoints of its zone are counted as if no other cluster used them.',
  ];
}

/** Why nothing will do, and what to change. */
export function whyInfeasible(
  limit: Infeasibility,
  { deadlineSeconds = 0, budgetUsd = 0 }: CampaignNeeds,
  { times }: CandidateOptions,
  nearest: readonly Alternative[],
): string {
  const soonest = nearest.find(({ kind }) => kind === 'faster')?.estimate;
  const least = nearest.find(({ kind }) => kind === 'cheaper')?.estimate;
  const sooner = soonest ? `${inWords(soonest.seconds)} for ${soonest.usd.total} USD` : 'nothing';
  const cheaper = least ? `${least.usd.total} USD in ${inWords(least.seconds)}` : 'nothing';
  switch (limit) {
    case 'deadline':
      return `Nothing ends within ${inWords(deadlineSeconds)}; the nearest is ${sooner}.`;
    case 'budget':
      return `Nothing costs at most ${budgetUsd} USD; the nearest is ${cheaper}.`;
    case 'deadline-and-budget':
      return `Nothing ends within ${inWords(deadlineSeconds)} for at most ${budgetUsd} USD: within the budget ${sooner}, in time ${cheaper}.`;
    default:
      return `Nothing ends within maxLifetimeSeconds, ${inWords(times.maxLifetimeSeconds)}; the nearest is ${sooner}.`;
  }
}

/** What is too large, and which types would do if they had a price. */
export function whyNoType(
  { workload, prices, capacityType }: CandidateOptions,
  ground: PlanningGround,
): string {
  const { instanceTypes, region } = ground;
  const plannable = Object.entries(instanceTypes).filter(([, type]) => isPlannable(type, capacityType));
  const unpriced = plannable
    .filter(([name, type]) => nodeUsdPerHour(prices, name) === undefined && fitOf(workload, type))
    .map(([name]) => name);
  const priced = plannable.filter(([name]) => nodeUsdPerHour(prices, name) !== undefined);
  const most = (of: (type: (typeof priced)[number][1]) => number): number =>
    Math.max(0, ...priced.map(([, type]) => of(type)));
  const { tasksPerJob, cpusPerTask, memoryMebibytesPerTask, isMpi } = workload;
  return (
    `No type of instance takes a job of ${counted(tasksPerJob, 'task')} with ${counted(cpusPerTask, 'CPU')} and ${memoryMebibytesPerTask} MiB each` +
    `${isMpi ? `, on at most ${MAX_PLANNED_NODES} nodes with EFA` : ' on one node (`mpi` would allow several)'}. ` +
    `The largest in ${region} have ${most(({ cores }) => cores)} CPUs and ${most(schedulableMebibytes)} MiB for jobs.` +
    (unpriced.length > 0 ? ` ${unpriced.join(', ')} would do, but ${region} has no price of them.` : '')
  );
}

/** `2 h 5 min`, `40 s`. */
function inWords(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
