import { X509Certificate } from 'node:crypto';
import { KnownFailure } from '../domain/failures.ts';
import { jobComment } from '../domain/ids.ts';
import type { ControlOutcome, JobAction } from '../domain/job-control.ts';
import { arrayOption } from '../domain/job-array.ts';
import { arrayPaths, jobPaths, renderJobFiles } from '../domain/sbatch.ts';
import {
  SlurmOutputError,
  parseJobs,
  parseLostJobs,
  parsePartitions,
  parsePing,
} from '../domain/slurm-output.ts';
import { nodeProblemsOf, nodesUpOf, parseNodes, withNodeProblems } from '../domain/slurm-nodes.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import type {
  FileContent,
  FilePart,
  JobControl,
  JobSelection,
  JobToSubmit,
  SlurmHealth,
  SlurmSnapshot,
  Submission,
  SubmittedDependency,
  Submitted,
} from './slurm-gateway.ts';

/** Requests to and answers from the programs in `remote/`, whose heads describe both. */

const RECORD_SEPARATOR = '\u001E';

/** @throws KnownFailure SlurmUnavailable */
export function unavailable(message: string): never {
  throw new KnownFailure('SlurmUnavailable', message);
}

/** The standard input of submit.sh. */
export function encodeSubmission(
  head: { readonly epoch: string; readonly home: string; readonly sinceSeconds: number },
  { campaignId, jobs, defaultQueue }: Submission,
): Buffer {
  const headers = [`${head.epoch} ${jobs.length} ${head.sinceSeconds}`];
  const bodies: Buffer[] = [];
  for (const { spec: job, dependencies = [] } of jobs) {
    const reference = { epoch: head.epoch, campaignId, jobKey: job.key };
    const paths = job.array ? arrayPaths(head.home, reference) : jobPaths(head.home, reference);
    const files = renderJobFiles(job, { ...paths, comment: jobComment(reference), defaultQueue });
    // A directory that the job names itself is not ours to create; tasks of an array make their own.
    const isOurs = job.workingDirectory === undefined && job.array === undefined;
    const directory = isOurs ? paths.defaultWorkingDirectory : '';
    const parts = [directory, files.batch, files.script, files.exports].map((part) =>
      Buffer.from(part, 'utf8'),
    );
    const waitsFor = [...dependencies.map(dependencyInWords), ...(job.singleton ? ['singleton'] : [])];
    const array = job.array ? arrayOption(job.array) : '-';
    headers.push(
      [campaignId, job.key, waitsFor.join(',') || '-', array, ...parts.map((part) => part.length)].join(' '),
    );
    bodies.push(...parts);
  }
  return Buffer.concat([Buffer.from(`${headers.join('\n')}\n`), ...bodies]);
}

function dependencyInWords({ condition, key, arrayTaskId }: SubmittedDependency): string {
  return [condition, key, ...(arrayTaskId === undefined ? [] : [arrayTaskId])].join(':');
}

/** @throws KnownFailure SlurmUnavailable unless every job was decided; those that were, are found again. */
export function decodeSubmission(answer: string, jobs: readonly JobToSubmit[]): Submitted[] {
  const outcomes = new Map<string, Submitted>();
  const lines = answer.split('\n');
  for (const line of lines) {
    const [word, , jobKey = '', ...rest] = line.split(' ');
    const text = rest.join(' ');
    if (word === 'submitted' || word === 'adopted') {
      if (!/^\d+$/.test(text))
        unavailable(`sbatch answered ${JSON.stringify(text.slice(0, 200))} for ${jobKey}`);
      outcomes.set(jobKey, { jobKey, status: word, jobId: text });
    } else if (word === 'rejected' || word === 'deferred') {
      outcomes.set(jobKey, {
        jobKey,
        status: word,
        message: text.replaceAll(/sbatch: (error: )?/g, '').trim(),
      });
    } else if (word === 'unavailable') {
      unavailable(line.slice('unavailable '.length));
    }
  }
  if (!lines.includes('done')) unavailable('the answer to the submission was cut off');
  return jobs.map(({ spec: { key } }) => outcomes.get(key) ?? unavailable(`no answer for the job ${key}`));
}

/** @throws KnownFailure SlurmUnavailable unless both parts are whole. */
export function decodeObservation(answer: string, withAccounting: boolean): SlurmSnapshot {
  const sections = decodeSections(answer);
  const queue = sections.get('queue');
  const accounting = withAccounting ? sections.get('accounting') : '';
  if (queue === undefined || accounting === undefined) unavailable('the answer is cut off');
  const interactiveSessions = sessionsOf(sections);
  return parsed('squeue, sinfo and sacct', () => {
    const shown = sections.get('nodes');
    const nodes = parseNodes(shown ?? '');
    return {
      facts: [
        ...withNodeProblems(parseJobs(queue, 'queue'), nodeProblemsOf(nodes)),
        ...withLogins(
          [accounting, sections.get('found') ?? ''].flatMap((lines) => parseJobs(lines, 'accounting')),
          sections.get('logins') ?? '',
        ),
        ...parseLostJobs(sections.get('lost') ?? ''),
      ],
      // Nodes that nobody has shown are not off.
      ...(shown !== undefined && { nodesUp: nodesUpOf(nodes) }),
      interactiveSessions,
      more: sections.has('more'),
    };
  });
}

/** Facts with the names behind the numbers in lines `<login> <number>`. */
function withLogins(facts: readonly SlurmJobFact[], lines: string): SlurmJobFact[] {
  const logins = new Map(lines.split('\n').map((line) => [Number(line.split(' ')[1]), line.split(' ')[0]]));
  return facts.map((fact) => {
    const login = fact.cancelledBy === undefined ? undefined : logins.get(fact.cancelledBy);
    return login ? { ...fact, cancelledByLogin: login } : fact;
  });
}

/** Undefined where they cannot be seen. @throws KnownFailure SlurmUnavailable when the answer is cut off */
export function decodeSessions(answer: string): number | undefined {
  return sessionsOf(decodeSections(answer));
}

function sessionsOf(sections: ReadonlyMap<string, string>): number | undefined {
  const sessions = /^sessions (\d+|unknown)$/m.exec(sections.get('') ?? '')?.[1];
  if (sessions === undefined) unavailable('the answer is cut off');
  return sessions === 'unknown' ? undefined : Number(sessions);
}

/** @throws KnownFailure SlurmUnavailable unless the controller is up. */
export function decodePing(answer: string): SlurmHealth {
  const sections = decodeSections(answer);
  const ping = sections.get('ping') ?? '';
  return parsed('scontrol and sinfo', () => {
    if (!parsePing(ping)) unavailable(`scontrol ping: ${ping.trim()}`);
    return {
      partitions: parsePartitions(sections.get('partitions') ?? ''),
      storesComments: /^AccountingStoreFlags\s*=.*\bjob_comment\b/m.test(sections.get('settings') ?? ''),
    };
  });
}

/** The standard input of cancel.sh. */
export function encodeCancellation(epoch: string, { campaignId, jobKeys }: JobSelection): string {
  if (campaignId === undefined) return `pcp/${epoch}/ all\n`;
  const beginning = `pcp/${epoch}/${campaignId}/`;
  return [`${beginning} ${jobKeys?.length ?? 'all'}`, ...(jobKeys ?? []), ''].join('\n');
}

/** @throws KnownFailure SlurmUnavailable */
export function decodeCancellation(answer: string): { readonly remaining: number } {
  const remaining = /^remaining (\d+)$/m.exec(answer)?.[1];
  if (remaining === undefined)
    unavailable(/^unavailable (.*)$/m.exec(answer)?.[1] ?? 'the answer is cut off');
  return { remaining: Number(remaining) };
}

/** The standard input of control.sh. */
export function encodeControl(epoch: string, { campaignId, action, jobs }: JobControl): string {
  const lines = jobs.map(({ jobKey, restarts }) => `${jobKey} ${restarts}`);
  return [`pcp/${epoch}/${campaignId}/ ${action.kind} ${valueOf(action)} ${jobs.length}`, ...lines, ''].join(
    '\n',
  );
}

function valueOf(action: JobAction): number | '-' {
  if (action.kind === 'nice') return action.nice;
  return action.kind === 'time-limit' ? Math.ceil(action.timeLimitSeconds / 60) : '-';
}

/** @throws KnownFailure SlurmUnavailable unless every job was decided. */
export function decodeControl(answer: string, { jobs }: JobControl): ControlOutcome[] {
  const outcomes = new Map<string, ControlOutcome>();
  const lines = answer.split('\n');
  for (const line of lines) {
    const [word, jobKey = '', ...rest] = line.split(' ');
    if (word === 'done' || word === 'absent') outcomes.set(jobKey, { jobKey, status: word });
    if (word === 'refused') outcomes.set(jobKey, { jobKey, status: word, message: rest.join(' ').trim() });
    if (word === 'unavailable') unavailable(line.slice('unavailable '.length));
  }
  if (!lines.includes('end')) unavailable('the answer is cut off');
  return jobs.map(({ jobKey }) => outcomes.get(jobKey) ?? unavailable(`no answer for the job ${jobKey}`));
}

/** @throws KnownFailure SlurmUnavailable unless Slurm goes by the new keys */
export function decodeReplacement(answer: string): void {
  if (answer.trimEnd() === 'done') return;
  unavailable(/^unavailable (.*)$/m.exec(answer)?.[1] ?? 'the answer is cut off');
}

/**
 * The fingerprint of a certificate: its SHA-256 in lower-case hexadecimal digits.
 * @throws KnownFailure SlurmUnavailable when there is none yet
 */
export function decodeCertificate(answer: string): string {
  try {
    return new X509Certificate(answer).fingerprint256.replaceAll(':', '').toLowerCase();
  } catch {
    return unavailable('the head node has no certificate for Slurm’s REST API');
  }
}

/** The standard input of read-files.sh. */
export function encodeFileParts(epoch: string, parts: readonly FilePart[]): Buffer {
  const lines = parts.map(({ campaignId, jobKey, file, offset, lengthBytes }) =>
    [campaignId, jobKey, file, offset, lengthBytes].join(' '),
  );
  return Buffer.from([`${epoch} ${parts.length}`, ...lines, ''].join('\n'));
}

/**
 * The contents of the first parts, at least one of them; of all if there was not too much.
 * @throws KnownFailure HeadNodeUnreachable when the answer is not whole.
 */
export function decodeFileParts(answer: Buffer, count: number): FileContent[] {
  const contents: FileContent[] = [];
  let position = 0;
  const readLine = () => {
    const end = answer.indexOf('\n', position);
    if (end < 0) throw new KnownFailure('HeadNodeUnreachable', 'Reading files: the answer was cut off');
    const line = answer.toString('latin1', position, end);
    position = end + 1;
    return line;
  };
  for (let line = readLine(); line !== 'done'; line = readLine()) {
    if (line === 'absent' || line === 'refused') {
      contents.push({ status: line });
      continue;
    }
    const [, sizeBytes, length] = /^ok (\d+) (\d+)$/.exec(line) ?? [];
    if (length === undefined)
      throw new KnownFailure('HeadNodeUnreachable', 'Reading files: the answer is garbled');
    const start = position;
    position += Number(length) + 1;
    const copied = Number(readLine());
    contents.push({
      status: 'ok',
      sizeBytes: Number(sizeBytes),
      data: answer.subarray(start, start + copied),
    });
  }
  if (contents.length === 0 || contents.length > count) {
    throw new KnownFailure('HeadNodeUnreachable', 'Reading files: the answer is garbled');
  }
  return contents;
}

/**
 * Sections by name; what stands before the first is the section ''.
 * @throws KnownFailure SlurmUnavailable when a program failed, or the answer is cut off
 */
export function decodeSections(answer: string): ReadonlyMap<string, string> {
  const sections = new Map<string, string>();
  let name = '';
  let lines: string[] = [];
  for (const line of answer.split('\n')) {
    if (!line.startsWith(RECORD_SEPARATOR)) {
      lines.push(line);
      continue;
    }
    const word = line.slice(1);
    if (word.startsWith('failed ')) unavailable(word.slice('failed '.length));
    // A section counts when its end says `ok`; the head needs no such word.
    if (name === '' || word === `${name} ok`) sections.set(name, lines.join('\n'));
    if (word === 'done') return sections;
    name = word;
    lines = [];
  }
  return unavailable('the answer was cut off');
}

/** What `parse` returns. @throws KnownFailure SlurmUnavailable where it finds another form than was agreed. */
export function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SlurmOutputError) unavailable(`${what} cannot be understood: ${error.message}`);
    throw error;
  }
}
