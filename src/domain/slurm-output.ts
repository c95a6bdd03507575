import { parseIndexes, taskKey } from './job-array.ts';
import { DROPPED_FROM_ARRAY, type SlurmJobFact } from './slurm-facts.ts';
import { slurmBaseStates, slurmStateFlags } from './slurm-states.ts';
import type { SlurmBaseState, SlurmStateFlag } from './slurm-states.ts';

/** Between the columns of a line that remote/columns.sh has made of a record: no text of squeue or sacct has it in itself. */
export const COLUMN_SEPARATOR = '\u001F';

/** Slurm printed something that does not have the agreed form: never read as "no jobs". */
export class SlurmOutputError extends Error {
  override readonly name = 'SlurmOutputError';
}

/** Columns of both programs, in order. squeue: `--Format`; sacct: `--format`; times as seconds since 1970 (`SLURM_TIME_FORMAT=%s`). */
export const squeueColumns =
  'JobID JobArrayID State exit_code Reason SubmitTime StartTime EndTime NodeList RestartCnt Partition UserName Name Comment'.split(
    ' ',
  );
export const sacctColumns =
  'JobIDRaw JobID State ExitCode Reason Submit Start End NodeList Restarts Partition User JobName Comment'.split(
    ' ',
  );

/**
 * Parses lines of the columns above. A record of which a column cannot be read costs itself only: it is a job of a state that
 * is not known, as {@link SlurmJobFact.unreadable} says.
 * @throws SlurmOutputError naming the line that has other columns.
 */
export function parseJobs(output: string, source: SlurmJobFact['source']): SlurmJobFact[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return withTasksOfArrays(lines.map((line) => parseJob(columnsOf(line, squeueColumns.length), source)));
}

/** The columns of a line. @throws SlurmOutputError unless there are so many. */
export function columnsOf(line: string, count: number): string[] {
  const columns = line.split(COLUMN_SEPARATOR);
  if (columns.length === count) return columns;
  throw new SlurmOutputError(
    `${columns.length} columns instead of ${count}: ${JSON.stringify(line.slice(0, 200))}`,
  );
}

/**
 * A record can stand for several waiting tasks of an array, `7_[1-3,9%2]`: for those a fact each, behind the others, as
 * tasks that have a record of their own are also counted in it (seen in accounting of 22.05). Of a record that says
 * nothing final that is not worth it in accounting: there the queue counts.
 */
export function withTasksOfArrays(facts: readonly SlurmJobFact[]): SlurmJobFact[] {
  const isOfSeveral = ({ jobId }: SlurmJobFact) => jobId.endsWith(']');
  const ofSeveral = facts.filter(isOfSeveral);
  if (ofSeveral.length === 0) return [...facts];
  const own = facts.filter((fact) => !isOfSeveral(fact));
  const tasks = ofSeveral
    .filter(({ source, state }) => source === 'queue' || hasEnded(state))
    .flatMap((fact) => {
      const [, arrayId, indexes] = /^(\d+)_\[([\d,:%-]+)\]$/.exec(fact.jobId) ?? [];
      // Slurm cuts long lists off with `...`, unless it is told not to (SLURM_BITSTR_LEN).
      if (arrayId === undefined || indexes === undefined)
        return [
          // Not with its comment: which tasks of the campaign it stands for is not known.
          { ...fact, comment: '', ...unreadable(`not tasks of an array: ${JSON.stringify(fact.jobId)}`) },
        ];
      return parseIndexes(indexes).map((index) => ({
        ...fact,
        jobId: taskKey(arrayId, index),
        arrayTaskId: index,
      }));
    });
  return [...own, ...tasks];
}

function parseJob(columns: readonly string[], source: SlurmJobFact['source']): SlurmJobFact {
  const column = (index: number) => columns[index] ?? '';
  const known = {
    ...jobIdOf(column(0), column(1)),
    comment: textOf(column(13)),
    user: column(11),
    name: column(12),
    partition: column(10),
    nodes: textOf(column(8)),
    source,
  };
  try {
    return { ...known, ...stateOf(columns) };
  } catch (error) {
    if (!(error instanceof SlurmOutputError)) throw error;
    return { ...known, restarts: 0, ...unreadable(error.message) };
  }
}

/** What is said of a job in the place of what cannot be read. */
function unreadable(problem: string): Pick<SlurmJobFact, 'state' | 'flags' | 'reason' | 'unreadable'> {
  return { state: undefined, flags: [], reason: '', unreadable: problem };
}

/** @throws SlurmOutputError naming what cannot be read */
function stateOf(
  columns: readonly string[],
): Omit<
  SlurmJobFact,
  'jobId' | 'arrayTaskId' | 'comment' | 'user' | 'name' | 'partition' | 'nodes' | 'source'
> {
  const column = (index: number) => columns[index] ?? '';
  const { state, flags } = parseState(column(2));
  const cancelledBy = /^CANCELLED by (\d+)$/.exec(column(2))?.[1];
  const exit = parseExitCode(column(3));
  const startTime = parseTime(column(6));
  const endTime = parseTime(column(7));
  return {
    state,
    flags,
    reason: reasonOf(column(4)),
    // Before the end, Slurm shows 0:0 and the end that it expects; before the start, the start that it expects.
    ...(hasEnded(state) ? exit : {}),
    ...optional('cancelledBy', cancelledBy === undefined ? undefined : Number(cancelledBy)),
    ...optional('submitTime', parseTime(column(5))),
    ...optional('startTime', state === 'PENDING' ? undefined : startTime),
    ...optional('endTime', hasEnded(state) ? endTime : undefined),
    restarts: parseCount(column(9)),
  };
}

/** Of an array's task the number that Slurm gives it when it starts says nothing to anybody. */
function jobIdOf(own: string, inArray: string): Pick<SlurmJobFact, 'jobId' | 'arrayTaskId'> {
  const [, index] = /^\d+_(\d+)$/.exec(inArray) ?? [];
  if (index !== undefined) return { jobId: inArray, arrayTaskId: Number(index) };
  return { jobId: inArray.endsWith(']') ? inArray : own };
}

/**
 * Parses `<comment> <job id>` lines: jobs that Slurm accepted and does not know any more. Their state is undefined,
 * so nothing takes them for ended. With indexes behind it, it is the array's tasks of these that Slurm does not know,
 * while it knows others.
 * @throws SlurmOutputError naming the line that has another form.
 */
export function parseLostJobs(output: string): SlurmJobFact[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.flatMap((line): SlurmJobFact[] => {
    const [, comment, jobId, indexes] = /^(\S+) (\d+)(?: ([\d,]+))?$/.exec(line) ?? [];
    if (comment === undefined || jobId === undefined)
      throw new SlurmOutputError(`not a lost job: ${JSON.stringify(line.slice(0, 200))}`);
    const common = { comment, user: '', name: '', partition: '', flags: [], nodes: '', restarts: 0 };
    if (indexes === undefined) return [{ ...common, jobId, state: undefined, reason: '', source: 'ledger' }];
    return parseIndexes(indexes).map((index) => ({
      ...common,
      jobId: taskKey(jobId, index),
      arrayTaskId: index,
      state: 'CANCELLED',
      reason: DROPPED_FROM_ARRAY,
      source: 'accounting',
    }));
  });
}

/** The base state beneath a flag that Slurm's programs print in its place (`job_state_string`, slurm_protocol_defs.c). */
const baseOfFlag: Readonly<Record<SlurmStateFlag, SlurmBaseState | undefined>> = {
  LAUNCH_FAILED: 'PENDING',
  REQUEUED: 'PENDING',
  REQUEUE_HOLD: 'PENDING',
  SPECIAL_EXIT: 'PENDING',
  REQUEUE_FED: 'PENDING',
  RESV_DEL_HOLD: 'PENDING',
  RESIZING: 'RUNNING',
  CONFIGURING: 'RUNNING',
  COMPLETING: 'RUNNING',
  RECONFIG_FAIL: 'RUNNING',
  POWER_UP_NODE: 'RUNNING',
  SIGNALING: 'RUNNING',
  STAGE_OUT: 'RUNNING',
  STOPPED: 'SUSPENDED',
  REVOKED: 'CANCELLED',
};

/** Whether a base state is an end, should no flag say otherwise. */
export function hasEnded(state: SlurmBaseState | undefined): boolean {
  return state !== undefined && state !== 'PENDING' && state !== 'RUNNING' && state !== 'SUSPENDED';
}

const isBaseState = (word: string): word is SlurmBaseState => slurmBaseStates.some((state) => state === word);
const isFlag = (word: string): word is SlurmStateFlag => slurmStateFlags.some((flag) => flag === word);

/**
 * A state as Slurm prints it: one word, several joined by `+` or `,`, or `CANCELLED by <uid>`. Words that this
 * version does not know leave the state undefined, whatever stands beside them.
 */
export function parseState(text: string): Pick<SlurmJobFact, 'state' | 'flags'> {
  const words = text
    .replace(/ by \S+$/, '')
    .split(/[+,\s]+/)
    .filter(Boolean);
  const flags = words.filter(isFlag);
  const known = words.length > 0 && words.every((word) => isFlag(word) || isBaseState(word));
  const [firstFlag] = flags;
  const implied = firstFlag === undefined ? undefined : baseOfFlag[firstFlag];
  return { state: known ? (words.find(isBaseState) ?? implied) : undefined, flags };
}

/**
 * `3:0` is exit code 3; `0:11` is signal 11. Live jobs say `0:0`, which means nothing before the end. squeue of 22.05
 * prints the raw wait status (wait(2)): 768 is exit code 3.
 */
function parseExitCode(text: string): Pick<SlurmJobFact, 'exitCode' | 'signal'> {
  const raw = /^\d+$/.test(text.trim()) ? Number(text) : undefined;
  const printed = raw === undefined ? text.trim() : `${raw >> 8}:${raw & 0x7f}`;
  const match = /^(\d+):(\d+)$/.exec(printed);
  if (match === null) throw new SlurmOutputError(`not an exit code: ${JSON.stringify(text.slice(0, 50))}`);
  const signal = Number(match[2]);
  return signal === 0 ? { exitCode: Number(match[1]) } : { exitCode: Number(match[1]), signal };
}

const NO_TIME: ReadonlySet<string> = new Set(['', 'N/A', 'NONE', 'None', 'Unknown', '(null)', '0']);

/** Seconds since 1970 as squeue and sacct print them; undefined for a moment that is not known. @throws SlurmOutputError */
export function parseTime(text: string): number | undefined {
  const trimmed = text.trim();
  if (NO_TIME.has(trimmed)) return undefined;
  if (!/^\d+$/.test(trimmed)) throw new SlurmOutputError(`not a time: ${JSON.stringify(text.slice(0, 50))}`);
  return Number(trimmed);
}

function parseCount(text: string): number {
  if (!/^\d*$/.test(text)) throw new SlurmOutputError(`not a number: ${JSON.stringify(text.slice(0, 50))}`);
  return Number(text);
}

function textOf(text: string): string {
  return text === '(null)' || text === 'None assigned' ? '' : text;
}

function reasonOf(text: string): string {
  return text === 'None' ? '' : textOf(text);
}

function optional<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  const none: Partial<Record<K, number>> = {};
  return value === undefined ? none : { ...none, [key]: value };
}

/** Whether a controller answers, from `scontrol ping`: `Slurmctld(primary) at host is UP`. */
export function parsePing(output: string): boolean {
  const controllers = output.trim().split('\n');
  if (!controllers.every((line) => /^Slurmctld\(\S+\) at .+ is (UP|DOWN)\b/.test(line.trim()))) {
    throw new SlurmOutputError(`not an answer of scontrol ping: ${JSON.stringify(output.slice(0, 200))}`);
  }
  return controllers.some((line) => / is UP\b/.test(line));
}

/** One partition as `sinfo` shows it. */
export interface PartitionFact {
  readonly name: string;
  /** `up` accepts and runs jobs; Slurm's other words are `down`, `drain`, `inact`. */
  readonly availability: string;
  readonly nodes: number;
}

/** Columns of sinfo. */
export const sinfoColumns = ['PartitionName', 'Available', 'Nodes'];

/** Parses `sinfo` printed with those columns. @throws SlurmOutputError */
export function parsePartitions(output: string): PartitionFact[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name, availability, nodes] = columnsOf(line, sinfoColumns.length);
      if (!name || !availability || nodes === undefined || !/^\d+$/.test(nodes)) {
        throw new SlurmOutputError(`not a partition: ${JSON.stringify(line.slice(0, 200))}`);
      }
      return { name, availability, nodes: Number(nodes) };
    });
}
