/** What a job waits for, for programs: the words beside it are for people. */
export const pendingCauses = [
  'scheduling',
  'priority',
  'resources',
  /** EC2 has no such instances at the moment. */
  'capacity',
  /** A quota of the AWS account is used up. */
  'quota',
  'node-booting',
  'node-unavailable',
  'dependency',
  /** A limit of the queue, the account or the quality of service. */
  'limit',
  'held',
  'time',
  /** Nothing that happens by itself lets it run. */
  'impossible',
  'unknown',
] as const;

export type PendingCause = (typeof pendingCauses)[number];

/** Why a job waits, and what to do if that takes too long. */
export interface PendingExplanation {
  readonly text: string;
  readonly cause: PendingCause;
  readonly nextStep: string;
}

interface PendingReason {
  readonly text: string;
  readonly cause: PendingCause;
  /** What its cause says if absent. */
  readonly nextStep?: string;
  /** Nothing that can happen by itself lets the job run, so it does not keep a cluster. */
  readonly stuck?: true;
}

const NOTHING = 'Nothing: it starts by itself.';
/** Protected mode: https://docs.aws.amazon.com/parallelcluster/latest/ug/slurm-protected-mode-v3.html */
const LOOK_AT_CLUSTERMGTD =
  'Operators: ParallelCluster may protect the queue because its nodes failed to boot again and again; see clustermgtd’s log.';
const CHANGE_THE_JOB = 'Cancel it and submit it again with a request that the queue can meet.';

const nextStepOf: Readonly<Record<PendingCause, string>> = {
  scheduling: NOTHING,
  priority: NOTHING,
  resources: 'Nothing: it starts when nodes are free. A queue with a larger maxCount would start it earlier.',
  capacity:
    'Wait: ParallelCluster tries again every 10 minutes. If it lasts, use a queue with other instance types.',
  quota: 'Operators: ask AWS for a higher EC2 quota, or use a queue with other instance types.',
  'node-booting': 'Nothing: nodes need some minutes to boot.',
  'node-unavailable': 'Wait some minutes. If it lasts, operators look at the nodes with `sinfo -R`.',
  dependency: 'Nothing: it starts when the jobs that it depends on have ended as asked.',
  limit: 'Wait until other jobs have ended; operators can raise the limit.',
  held: 'Release it, or cancel it.',
  time: NOTHING,
  impossible: CHANGE_THE_JOB,
  unknown: 'Operators: look at the job with `scontrol show job` on the head node.',
};

/** Slurm's words for why a job waits (`job_state_reason.c`, Slurm 24.11). */
const pendingReasons: Readonly<Record<string, PendingReason>> = {
  '': { text: 'Waiting to be scheduled', cause: 'scheduling' },
  None: { text: 'Waiting to be scheduled', cause: 'scheduling' },
  Priority: { text: 'Waiting behind jobs of higher priority', cause: 'priority' },
  Resources: { text: 'Waiting for free nodes', cause: 'resources' },
  Dependency: { text: 'Waiting for a job that it depends on', cause: 'dependency' },
  DependencyNeverSatisfied: {
    text: 'A job that it depends on did not end as required: it can never run',
    cause: 'dependency',
    nextStep: 'Cancel it, mend the job that it depends on, and submit both again.',
    stuck: true,
  },
  JobHeldUser: { text: 'Held by its user', cause: 'held', stuck: true },
  JobHeldAdmin: {
    text: 'Held by an administrator',
    cause: 'held',
    nextStep: 'Operators: release it with `scontrol release`, or cancel it.',
    stuck: true,
  },
  JobHoldMaxRequeue: { text: 'Held because it was requeued too often', cause: 'held', stuck: true },
  SchedDefer: { text: 'Waiting to be scheduled', cause: 'scheduling' },
  Cleaning: { text: 'Requeued; its former run is being cleaned up', cause: 'scheduling' },
  BeginTime: { text: 'Waiting for its earliest start time', cause: 'time' },
  RequeuedHeld: { text: 'Requeued and held', cause: 'held', stuck: true },
  job_requeued_in_held_state: { text: 'Requeued and held', cause: 'held', stuck: true },
  launch_failed_requeued_held: {
    text: 'It could not be launched, was requeued and is held',
    cause: 'held',
    // Seen with 24.11 when slurmctld had died within seconds of the start, which it then did not know of.
    nextStep:
      'It may run unseen. Release it when its output does not grow any more and it must run again, or cancel it.',
    stuck: true,
  },
  ReservationDeleted: {
    text: 'Held because its reservation was deleted',
    cause: 'held',
    stuck: true,
  },
  Reservation: { text: 'Waiting for its reservation to begin', cause: 'time' },
  Licenses: { text: 'Waiting for a licence', cause: 'limit' },
  JobArrayTaskLimit: {
    text: 'Waiting for other tasks of its array',
    cause: 'limit',
    nextStep: NOTHING,
  },
  NodeDown: { text: 'A node that it needs is down', cause: 'node-unavailable' },
  ReqNodeNotAvail: { text: 'Nodes that it needs are not available', cause: 'node-unavailable' },
  PartitionDown: {
    text: 'Its queue is down',
    cause: 'node-unavailable',
    nextStep: LOOK_AT_CLUSTERMGTD,
  },
  PartitionInactive: {
    text: 'Its queue is inactive',
    cause: 'node-unavailable',
    nextStep: LOOK_AT_CLUSTERMGTD,
  },
  PartitionTimeLimit: {
    text: 'Its time limit is longer than the queue allows: it can never run',
    cause: 'impossible',
    nextStep: 'Cancel it and submit it again with a shorter timeLimitSeconds, or to another queue.',
    stuck: true,
  },
  PartitionNodeLimit: {
    text: 'It asks for more nodes than the queue allows: it can never run',
    cause: 'impossible',
    nextStep: 'Cancel it and submit it again with fewer nodes, or to another queue.',
    stuck: true,
  },
  BadConstraints: {
    text: 'No node can satisfy what it asks for: it can never run',
    cause: 'impossible',
    stuck: true,
  },
  InvalidAccount: { text: 'Its Slurm account is not valid', cause: 'impossible', stuck: true },
  InvalidQOS: { text: 'Its quality of service is not valid', cause: 'impossible', stuck: true },
  AccountNotAllowed: { text: 'Its account may not use the queue', cause: 'impossible', stuck: true },
  QOSNotAllowed: { text: 'Its quality of service may not use the queue', cause: 'impossible', stuck: true },
  AccountingPolicy: { text: 'Waiting for an accounting limit', cause: 'limit' },
  BurstBufferResources: { text: 'Waiting for burst buffer space', cause: 'resources' },
  BurstBufferStageIn: { text: 'Its data is being staged in', cause: 'scheduling' },
  Prolog: { text: 'A prolog is running on its nodes', cause: 'node-booting', nextStep: NOTHING },
  DeadLine: { text: 'It cannot end before its deadline', cause: 'impossible', stuck: true },
  MaxBatchJobRestarts: { text: 'It was restarted too often', cause: 'held', stuck: true },
};

/** Nodes that must boot before the job can run. */
export const NODES_BOOT: PendingExplanation = {
  text: 'Its nodes are booting',
  cause: 'node-booting',
  nextStep: nextStepOf['node-booting'],
};

/** Requeued, and nobody but a person lets it run. */
export const REQUEUED_AND_HELD: PendingExplanation = {
  text: 'Requeued and held',
  cause: 'held',
  nextStep: nextStepOf.held,
};

/**
 * Requeued, by Slurm or because somebody asked: it waits until the credential of its former run has expired, 120 s unless
 * slurm.conf says otherwise (`cred_expire` of AuthInfo), and Slurm calls that its earliest start time.
 */
export const PAUSED_AFTER_REQUEUE: PendingExplanation = {
  text: 'Slurm requeued it and starts it again after a pause, of two minutes by default (BeginTime)',
  cause: 'time',
  nextStep: NOTHING,
};

/** Slurm's reason of a node whose prolog failed (`slurm_drain_nodes` in slurmctld's proc_req.c, 24.11). */
const PROLOG_ERROR = 'Prolog error';

/** What is wrong with a node: {@link PROLOG_ERROR}, or the code of EC2 that ParallelCluster writes into its reason. */
const nodeProblems: Readonly<Record<string, PendingReason>> = {
  [PROLOG_ERROR]: {
    text: 'A node could not be prepared for it: a prolog failed there, and the node takes no jobs any more',
    cause: 'node-unavailable',
    nextStep:
      'Operators: slurmd’s log of the node says which script failed (`sinfo -R` names the node); mend it, then `scontrol update NodeName=… State=RESUME`.',
  },
  InsufficientInstanceCapacity: { text: 'EC2 has no such instances left', cause: 'capacity' },
  InsufficientHostCapacity: { text: 'EC2 has no dedicated host left', cause: 'capacity' },
  InsufficientReservedInstanceCapacity: {
    text: 'The capacity reservation has no instances left',
    cause: 'capacity',
  },
  MaxSpotInstanceCountExceeded: { text: 'The account may not have more Spot instances', cause: 'quota' },
  SpotMaxPriceTooLow: { text: 'Spot instances cost more than the queue pays', cause: 'capacity' },
  Unsupported: { text: 'The zone does not have this instance type', cause: 'capacity' },
  VcpuLimitExceeded: { text: 'The account’s quota of vCPUs is used up', cause: 'quota' },
  InstanceLimitExceeded: { text: 'The account’s quota of instances is used up', cause: 'quota' },
  VolumeLimitExceeded: { text: 'The account’s quota of EBS volumes is used up', cause: 'quota' },
};

/**
 * What is wrong with a node, by its reason. One that ParallelCluster could not start has a code there, e.g.
 * `(Code:InsufficientInstanceCapacity)Failure when resuming nodes`
 * (https://docs.aws.amazon.com/parallelcluster/latest/ug/slurm-short-capacity-fail-mode-v3.html).
 */
export function nodeProblemOf(nodeReason: string): string | undefined {
  if (nodeReason.startsWith(PROLOG_ERROR)) return PROLOG_ERROR;
  return /\(Code:([A-Za-z]+)\)/.exec(nodeReason)?.[1];
}

/** Waiting for nodes: the only reasons behind which a problem of a node can stand. */
const WAITS_FOR_NODES: ReadonlySet<string> = new Set([
  'Resources',
  'ReqNodeNotAvail',
  'NodeDown',
  'PartitionDown',
  'PartitionInactive',
]);

/** Limits of an association or a quality of service: `AssocGrpCpuLimit`, `QOSMaxCpuPerJobLimit`, … */
const LIMIT = /^(Assoc|QOS)\w+$/;
/** A limit on one job alone does not change by waiting; a limit on all jobs together does. */
const LIMIT_OF_ONE_JOB = /^(Assoc|QOS)\w*PerJob/;

/**
 * Reasons that carry a list of nodes, and those that Slurm writes out in place of a word: `launch failed requeued held`
 * (seen with 24.11, where slurmd refused an id that had been used again).
 */
function wordOf(reason: string): string {
  if (reason.startsWith('Nodes required for job are DOWN')) return 'ReqNodeNotAvail';
  if (/^[a-z]+( [a-z]+)+$/.test(reason)) return reason.replaceAll(' ', '_');
  return /^[A-Za-z_]*/.exec(reason)?.[0] ?? '';
}

function lookUp(reason: string): PendingReason | undefined {
  const word = wordOf(reason);
  return Object.hasOwn(pendingReasons, word) ? pendingReasons[word] : undefined;
}

/**
 * Why a job waits, in plain words, with Slurm's own word for those who know it.
 *
 * @param nodeProblem {@link nodeProblemOf} a node of the job's queue, if something is wrong with one.
 */
export function explainPending(reason: string, nodeProblem?: string): PendingExplanation {
  const known = knownReason(reason, nodeProblem);
  const { text, cause, nextStep = nextStepOf[cause] } = known;
  return { text: reason === '' ? text : `${text} (${reason})`, cause, nextStep };
}

function knownReason(reason: string, nodeProblem: string | undefined): PendingReason {
  if (nodeProblem !== undefined && WAITS_FOR_NODES.has(wordOf(reason))) {
    return (
      nodeProblems[nodeProblem] ?? {
        text: `Its nodes could not be started: ${nodeProblem}`,
        // Whatever it is, nobody has said that another place would help.
        cause: 'node-unavailable',
      }
    );
  }
  const known = lookUp(reason);
  if (known !== undefined) return known;
  if (!LIMIT.test(reason)) return { text: 'Waiting', cause: 'unknown' };
  return isStuckReason(reason)
    ? { text: 'It asks for more than a limit of its account allows: it can never run', cause: 'impossible' }
    : { text: 'Waiting because a limit of its account is reached', cause: 'limit' };
}

/** Whether the cause of the wait may be that nodes cannot be started or prepared for it. */
export function waitsForNodes(reason: string): boolean {
  return WAITS_FOR_NODES.has(wordOf(reason));
}

/** Whether a waiting job with this reason can never run by itself. A reason that is not known can. */
export function isStuckReason(reason: string): boolean {
  return lookUp(reason)?.stuck === true || LIMIT_OF_ONE_JOB.test(reason);
}

/** Linux signal numbers by name (signal(7)); real-time signals have none. */
const signalNames =
  'SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS'.split(
    ' ',
  );

/** `signal 11 (SIGSEGV)`. */
export function describeSignal(signal: number): string {
  const name = signalNames[signal - 1];
  return name === undefined ? `signal ${signal}` : `signal ${signal} (${name})`;
}
