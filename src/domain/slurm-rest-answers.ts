import { z } from 'zod';
import { formatIndexes, taskKey } from './job-array.ts';
import type { SlurmJobFact } from './slurm-facts.ts';
import { hasEnded, parseState, SlurmOutputError, withTasksOfArrays } from './slurm-output.ts';
import type { PartitionFact } from './slurm-output.ts';

/**
 * What slurmrestd answers, in both of its generations: up to v0.0.38 (Slurm 22.05) plain numbers and words, from
 * v0.0.39 on (23.02) `{set, infinite, number}` and lists of flags.
 */

/** A number that may not be there: plain, or with the word whether it is set. */
const optionalNumber = z
  .union([
    z.number(),
    z.object({ set: z.boolean(), infinite: z.boolean().optional(), number: z.number() }),
    z.null(),
  ])
  .optional()
  .transform((value) => {
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'number') return value;
    return value.set && !(value.infinite ?? false) ? value.number : undefined;
  });

const words = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

/** A raw wait status (wait(2)) in the older generation. */
const exitCode = z
  .union([
    z.number().transform((status) => ({ return: status >> 8, signal: status & 0x7f })),
    z
      .object({
        return_code: optionalNumber,
        signal: z
          .object({ id: optionalNumber, signal_id: optionalNumber })
          .nullish()
          .transform((signal) => signal?.id ?? signal?.signal_id ?? 0),
      })
      .transform((code) => ({ return: code.return_code ?? 0, signal: code.signal })),
  ])
  .optional();

const queueJobSchema = z.object({
  job_id: z.number(),
  array_job_id: optionalNumber,
  array_task_id: optionalNumber,
  array_task_string: text,
  comment: text,
  user_name: text,
  name: text,
  partition: text,
  job_state: words,
  state_reason: text,
  exit_code: exitCode,
  submit_time: optionalNumber,
  start_time: optionalNumber,
  end_time: optionalNumber,
  nodes: text,
  restart_cnt: optionalNumber,
});

const accountingJobSchema = z.object({
  job_id: z.number(),
  array: z
    .object({ job_id: z.number(), task_id: optionalNumber, task: text })
    .nullish()
    .transform((array) => array ?? undefined),
  comment: z.union([z.object({ job: text }).transform(({ job }) => job), text]),
  user: text,
  name: text,
  partition: text,
  state: z.object({ current: words, reason: text }),
  exit_code: exitCode,
  time: z.object({ submission: optionalNumber, start: optionalNumber, end: optionalNumber }),
  nodes: text,
  restart_cnt: optionalNumber,
});

/** 22.05 has the base state in one field and everything else in another. */
const nodeSchema = z.object({ name: z.string(), state: words, state_flags: words.nullish() });

/** The nodes of `GET /slurm/…/nodes`. @throws SlurmOutputError */
export function parseRestNodes(
  body: unknown,
): { readonly name: string; readonly states: readonly string[] }[] {
  const { nodes } = parsed(z.object({ nodes: z.array(nodeSchema) }), body);
  return nodes.map(({ name, state, state_flags: flags }) => ({
    name,
    states: [...state, ...(flags ?? [])].map((word) => word.toLowerCase()),
  }));
}

/** The jobs of `GET /slurm/…/jobs`. @throws SlurmOutputError */
export function parseQueueJobs(body: unknown): SlurmJobFact[] {
  const { jobs } = parsed(z.object({ jobs: z.array(queueJobSchema) }), body);
  const facts = jobs.map((job): SlurmJobFact => ({
    ...factOf({
      states: job.job_state,
      exit: job.exit_code,
      submit: job.submit_time,
      start: job.start_time,
      end: job.end_time,
    }),
    ...jobIdOf(job.job_id, job.array_job_id, job.array_task_id, job.array_task_string),
    comment: job.comment,
    user: job.user_name,
    name: job.name,
    partition: job.partition,
    reason: wordOf(job.state_reason),
    nodes: wordOf(job.nodes),
    restarts: job.restart_cnt ?? 0,
    source: 'queue',
  }));
  return withTasksOfArrays(facts);
}

/** The jobs of `GET /slurmdb/…/jobs`. @throws SlurmOutputError */
export function parseAccountingJobs(body: unknown): SlurmJobFact[] {
  const { jobs } = parsed(z.object({ jobs: z.array(accountingJobSchema) }), body);
  const facts = jobs.map((job): SlurmJobFact => ({
    ...factOf({
      states: job.state.current,
      exit: job.exit_code,
      submit: job.time.submission,
      start: job.time.start,
      end: job.time.end,
    }),
    ...jobIdOf(job.job_id, job.array?.job_id, job.array?.task_id, job.array?.task ?? ''),
    comment: job.comment,
    user: job.user,
    name: job.name,
    partition: job.partition,
    reason: wordOf(job.state.reason),
    nodes: wordOf(job.nodes),
    restarts: job.restart_cnt ?? 0,
    source: 'accounting',
  }));
  return withTasksOfArrays(facts);
}

/** As squeue names a job: one task of an array, several that wait together, or a job that is in none (array id 0). */
function jobIdOf(
  own: number,
  arrayId: number | undefined,
  index: number | undefined,
  waiting: string,
): Pick<SlurmJobFact, 'jobId' | 'arrayTaskId'> {
  if (!arrayId) return { jobId: String(own) };
  if (waiting !== '') return { jobId: `${arrayId}_[${expressionOf(waiting)}]` };
  return index === undefined
    ? { jobId: String(own) }
    : { jobId: taskKey(String(arrayId), index), arrayTaskId: index };
}

/** In accounting it is as Slurm keeps it: the tasks as bits, the lowest last (seen with 22.05 and 24.11). */
function expressionOf(waiting: string): string {
  const [, bits] = /^(0x[\da-f]+)/i.exec(waiting) ?? [];
  if (bits === undefined) return waiting;
  const lowestFirst = Array.from(BigInt(bits).toString(2)).toReversed();
  return formatIndexes(lowestFirst.flatMap((bit, index) => (bit === '1' ? [index] : [])));
}

interface StateAndTimes {
  readonly states: readonly string[];
  readonly exit: { readonly return: number; readonly signal: number } | undefined;
  readonly submit: number | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
}

/** Before the end, Slurm shows the end that it expects; before the start, the start that it expects. */
function factOf({ states, exit, submit, start, end }: StateAndTimes) {
  const { state, flags } = parseState(states.join(' '));
  const isOver = hasEnded(state);
  return {
    state,
    flags,
    ...(isOver && exit && exitOf(state, exit)),
    // slurmrestd writes 0 for a time that it does not know.
    ...(submit && { submitTime: submit }),
    ...(start && state !== 'PENDING' && { startTime: start }),
    ...(end && isOver && { endTime: end }),
  };
}

/** Accounting of 22.05 says 0 whatever the exit code was (seen): of a job that failed, that is no exit code. */
function exitOf(state: SlurmJobFact['state'], exit: { readonly return: number; readonly signal: number }) {
  if (exit.signal !== 0) return { exitCode: exit.return, signal: exit.signal };
  return state === 'FAILED' && exit.return === 0 ? {} : { exitCode: exit.return };
}

function wordOf(value: string): string {
  return value === 'None' || value === '(null)' || value === 'None assigned' ? '' : value;
}

const partitionSchema = z.object({
  name: z.string(),
  /** v0.0.38. */
  state: z.string().optional(),
  total_nodes: z.number().optional(),
  /** From v0.0.39 on. */
  partition: z.object({ state: words }).optional(),
  nodes: z.union([z.object({ total: z.number() }), z.string(), z.null()]).optional(),
});

/** `GET /slurm/…/partitions`. @throws SlurmOutputError */
export function parseRestPartitions(body: unknown): PartitionFact[] {
  const { partitions } = parsed(z.object({ partitions: z.array(partitionSchema) }), body);
  return partitions.map(({ name, state, total_nodes, partition, nodes }) => {
    const availability = (partition?.state ?? [state ?? 'unknown']).join('+').toLowerCase();
    const total = typeof nodes === 'object' && nodes !== null ? nodes.total : (total_nodes ?? 0);
    return { name, availability, nodes: total };
  });
}

/** Whether a controller is up, of `GET /slurm/…/ping`: `ping` up to v0.0.38, then `pinged`. @throws SlurmOutputError */
export function parseRestPing(body: unknown): boolean {
  const ping = z.object({ ping: z.string().optional(), pinged: z.string().optional() });
  const { pings } = parsed(z.object({ pings: z.array(ping) }), body);
  return pings.some((each) => (each.pinged ?? each.ping) === 'UP');
}

/** How many records slurmctld holds back from accounting, of `GET /slurm/…/diag`. @throws SlurmOutputError */
export function parseHeldBack(body: unknown): number {
  const statistics = z.object({ dbd_agent_queue_size: z.number() });
  return parsed(z.object({ statistics }), body).statistics.dbd_agent_queue_size;
}

/** The id of the job that `POST /slurm/…/job/submit` made. @throws SlurmOutputError */
export function parseSubmittedJobId(body: unknown): string {
  const { job_id } = parsed(z.object({ job_id: z.number().int().positive() }), body);
  return String(job_id);
}

/** What Slurm itself says about why it did not do something. */
export interface SlurmRestError {
  /** Of slurm_errno.h; -1 is "Unspecified error". 0 where slurmrestd gives none. */
  readonly number: number;
  readonly message: string;
}

const errorSchema = z.object({
  error_number: z.number().optional(),
  /** In the place of it where v0.0.38 answers a submission. */
  error_code: z.number().optional(),
  error: text,
  description: text,
});

/** Everything that an answer names under `errors`, whatever its status. */
export function parseRestErrors(body: unknown): SlurmRestError[] {
  const { data } = z.object({ errors: z.array(errorSchema).nullish() }).safeParse(body);
  return (data?.errors ?? []).map(({ error_number, error_code, error, description }) => ({
    number: error_number ?? error_code ?? 0,
    message: [...new Set([description, error].filter(Boolean))].join(': ') || 'no message',
  }));
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new SlurmOutputError(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as agreed'}`);
}
