import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { answerOf, remoteCommand } from '../../src/clients/remote-programs.ts';
import type { RemoteProgram } from '../../src/clients/remote-programs.ts';

/** Ends each column of squeue, sinfo and sacct. */
export const US = '\u001F';

/** Stands for a separator that is in a column's own text. */
export const US_IN_TEXT = '\u0001';
const SLURM_TABLES: ReadonlySet<string> = new Set(['squeue', 'sinfo', 'sacct']);
const END_COLUMNS_AS_TOLD = `
for option; do
  case $option in
    --delimiter=*) end=\${option#*=} ;;
    --Format=*) end=\${option#*:} end=\${end%%,*} ;;
  esac
done
answer "$@" | sed "s/\\x1f/$end/g; s/\\x01/\\x1f/g"
exit "\${PIPESTATUS[0]}"`;

/** A job user's home for the programs that run on a head node, with stand-ins for Slurm's own programs. */
export class RemoteHome {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<RemoteHome> {
    const home = new RemoteHome(await mkdtemp(join(tmpdir(), 'remote-home-')));
    await mkdir(join(home.path, 'bin'));
    return home;
  }

  /**
   * Puts a program of this name before all others in the PATH. Slurm's programs end each column as they are told, where the
   * body prints {@link US}; for {@link US_IN_TEXT} they print that separator itself.
   */
  async program(name: string, body: string): Promise<void> {
    const text = SLURM_TABLES.has(name) ? `answer() (\n${body}\n)\n${END_COLUMNS_AS_TOLD}` : body;
    await writeFile(join(this.path, 'bin', name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  }

  async write(name: string, content: string): Promise<void> {
    await mkdir(join(this.path, name, '..'), { recursive: true });
    await writeFile(join(this.path, name), content);
  }

  /** Lines of a file, none if it is not there. */
  async linesOf(name: string): Promise<string[]> {
    const text = await readFile(join(this.path, name), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  start(name: RemoteProgram, stdin: string | Buffer): ChildProcessByStdio<Writable, Readable, null> {
    const env = {
      HOME: this.path,
      USER: 'sim',
      LOGNAME: 'sim',
      SHELL: '/bin/bash',
      PATH: `${this.path}/bin:/usr/bin:/bin`,
    };
    const stdio: ['pipe', 'pipe', 'inherit'] = ['pipe', 'pipe', 'inherit'];
    const child = spawn('/bin/bash', ['-c', remoteCommand(name)], { env, stdio });
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    return child;
  }

  /** What a program answers, without what stands before its answer. */
  async run(name: RemoteProgram, stdin: string | Buffer): Promise<string> {
    const child = this.start(name, stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(child, 'close');
    return answerOf(Buffer.concat(chunks))?.toString() ?? '';
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true });
  }
}

/** A line of sacct, as the programs ask for it. */
export function accountingRow(
  jobId: string,
  state: string,
  submit: number,
  comment: string,
  name = 'name',
): string {
  const own = jobId.replace(/_.*/, '');
  const columns = [own, jobId, state, '0:0', 'None', submit, submit, submit, 'n1', 0, 'q', 'sim', name];
  return `${[...columns, comment].join(US)}${US}\n`;
}

/** Seconds since 1970. */
export function secondsAgo(seconds: number): number {
  return Math.floor(Date.now() / 1000) - seconds;
}
