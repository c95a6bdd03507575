import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LogCopyRequest } from '../../src/activities/port.ts';
import type { LogLimits } from '../../src/domain/log-limits.ts';
import type { CampaignContent } from '../../src/domain/job.ts';

/** What a process that copies logs is told on its standard input. */
export interface LogCopyOrder {
  readonly request: LogCopyRequest;
  readonly content: CampaignContent;
  readonly privateKey: string;
  readonly logLimits: LogLimits;
}

/** What it says at its end. */
export interface LogCopyReport {
  readonly copiedBytes: number;
  /** Resident memory before it began, and at most. */
  readonly baseBytes: number;
  readonly peakBytes: number;
}

const PROGRAM = fileURLToPath(new URL('log-copy-process.ts', import.meta.url));

/** A process of its own that runs `copyJobLogs` once, over SSH, into the AWS that this process's environment names. */
export class LogCopyProcess {
  readonly #child: ChildProcess;
  #output = '';

  constructor(order: LogCopyOrder) {
    this.#child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin?.end(JSON.stringify(order));
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }

  async report(): Promise<LogCopyReport> {
    if (this.#child.exitCode === null) await once(this.#child, 'close');
    if (this.#output === '') throw new Error(`the copy ended with code ${this.#child.exitCode ?? 'none'}`);
    const report: LogCopyReport = JSON.parse(this.#output);
    return report;
  }
}
