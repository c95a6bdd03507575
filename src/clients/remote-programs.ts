import { readFileSync } from 'node:fs';
import { shellQuote } from '../domain/shell-quote.ts';

export type RemoteProgram =
  | 'submit'
  | 'observe'
  | 'sessions'
  | 'ping'
  | 'cancel'
  | 'control'
  | 'read-files'
  | 'outputs'
  | 'usage'
  | 'home'
  | 'replace-jwks'
  | 'slurm-api-certificate'
  | 'sample-files'
  | 'open-writers';

/** First line of every answer: what a profile of the job user may print before it is not ours. */
const ANSWER = 'pcp-answer\n';

/**
 * The command of a program: always the same text, so no request is ever part of a command line. bash starts with a
 * small environment, because sbatch hands its own on to the jobs; ParallelCluster's Slurm lies in /opt/slurm/bin.
 */
export function remoteCommand(name: RemoteProgram): string {
  return commands[name];
}

/** In a session of its own a program outlives the signals of sshd: only for one that must not be stopped anywhere. */
const OWN_SESSION = 'setsid --wait';

function load(names: readonly string[], session = ''): string {
  const texts = names.map((name) => readFileSync(new URL(`remote/${name}.sh`, import.meta.url), 'utf8'));
  // What `ps` shows first, to people and to count-sessions.sh, which knows our programs by it.
  const program = [`# parallelcluster-provisioner: ${names.at(-1) ?? ''}\n`, ...texts].join('');
  return [
    `exec ${session} env -i HOME="$HOME" USER="$USER" LOGNAME="$LOGNAME" SHELL="$SHELL" PATH="$PATH:/opt/slurm/bin"`,
    '${SLURM_CONF:+SLURM_CONF="$SLURM_CONF"} bash -c',
    shellQuote(program),
  ].join(' ');
}

const commands: Readonly<Record<RemoteProgram, string>> = {
  submit: load(['columns', 'accounting', 'submit'], OWN_SESSION),
  observe: load(['columns', 'accounting', 'sections', 'count-sessions', 'asked-by-id', 'observe']),
  sessions: load(['sections', 'count-sessions', 'sessions']),
  ping: load(['columns', 'ping']),
  cancel: load(['columns', 'cancel']),
  control: load(['columns', 'control']),
  'read-files': load(['read-files']),
  outputs: load(['outputs']),
  usage: load(['columns', 'accounting', 'sections', 'usage']),
  home: load(['home']),
  'replace-jwks': load(['replace-jwks'], OWN_SESSION),
  'slurm-api-certificate': load(['slurm-api-certificate']),
  'sample-files': load(['sample-files']),
  'open-writers': load(['open-writers']),
};

/** What a program answered, without what stood before it; undefined if it never began to answer. */
export function answerOf(output: Buffer): Buffer | undefined {
  const marker = output.indexOf(ANSWER);
  return marker < 0 ? undefined : output.subarray(marker + ANSWER.length);
}
