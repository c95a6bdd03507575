/**
 * Slurm's words for why a job waits (`job_state_reason.c`, Slurm 24.11) in plain words. `stuck`: nothing that can
 * happen by itself lets the job run, so it does not keep a cluster.
 */
interface PendingReason {
  readonly text: string;
  readonly stuck?: true;
}

const pendingReasons: Readonly<Record<string, PendingReason>> = {
  '': { text: 'Waiting to be scheduled' },
  None: { text: 'Waiting to be scheduled' },
  Priority: { text: 'Waiting behind jobs of higher priority' },
  Resources: { text: 'Waiting for free nodes' },
  Dependency: { text: 'Waiting for a job that it depends on' },
  DependencyNeverSatisfied: {
    text: 'A job that it depends on did not end as required: it can never run',
    stuck: true,
  },
  JobHeldUser: { text: 'Held by its user; `scontrol release` lets it run', stuck: true },
  JobHeldAdmin: { text: 'Held by an administrator', stuck: true },
  JobHoldMaxRequeue: { text: 'Held because it was requeued too often', stuck: true },
  SchedDefer: { text: 'Waiting to be scheduled' },
  Cleaning: { text: 'Requeued; its former run is being cleaned up' },
  BeginTime: { text: 'Waiting for its earliest start time' },
  RequeuedHeld: { text: 'Requeued and held', stuck: true },
  job_requeued_in_held_state: { text: 'Requeued and held', stuck: true },
  launch_failed_requeued_held: { text: 'It could not be launched, was requeued and is held', stuck: true },
  ReservationDeleted: { text: 'Held because its reservation was deleted', stuck: true },
  Reservation: { text: 'Waiting for its reservation to begin' },
  Licenses: { text: 'Waiting for a licence' },
  JobArrayTaskLimit: { text: 'Waiting for other tasks of its array' },
  NodeDown: { text: 'A node that it needs is down' },
  ReqNodeNotAvail: { text: 'Nodes that it needs are not available' },
  PartitionDown: { text: 'Its queue is down' },
  PartitionInactive: { text: 'Its queue is inactive' },
  PartitionTimeLimit: {
    text: 'Its time limit is longer than the queue allows: it can never run',
    stuck: true,
  },
  PartitionNodeLimit: { text: 'It asks for more nodes than the queue allows: it can never run', stuck: true },
  BadConstraints: { text: 'No node can satisfy what it asks for: it can never run', stuck: true },
  InvalidAccount: { text: 'Its Slurm account is not valid', stuck: true },
  InvalidQOS: { text: 'Its quality of service is not valid', stuck: true },
  AccountNotAllowed: { text: 'Its account may not use the queue', stuck: true },
  QOSNotAllowed: { text: 'Its quality of service may not use the queue', stuck: true },
  AccountingPolicy: { text: 'Waiting for an accounting limit' },
  BurstBufferResources: { text: 'Waiting for burst buffer space' },
  BurstBufferStageIn: { text: 'Its data is being staged in' },
  Prolog: { text: 'A prolog is running on its nodes' },
  DeadLine: { text: 'It cannot end before its deadline', stuck: true },
  MaxBatchJobRestarts: { text: 'It was restarted too often', stuck: true },
};

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

/** Why a job waits, in plain words, with Slurm's own word for those who know it. */
export function explainPending(reason: string): string {
  const known = lookUp(reason);
  if (known !== undefined) return reason === '' ? known.text : `${known.text} (${reason})`;
  if (LIMIT.test(reason)) {
    return isStuckReason(reason)
      ? `It asks for more than a limit of its account allows: it can never run (${reason})`
      : `Waiting because a limit of its account is reached (${reason})`;
  }
  return `Waiting: ${reason}`;
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
