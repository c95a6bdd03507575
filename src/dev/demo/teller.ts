import { styleText } from 'node:util';
import { type Finding, leftoverKinds } from '../leftovers.ts';
import type { Change } from './changes.ts';

const SUBJECT_WIDTH = 7;
const STATE_WIDTH = 16;

const colours: Readonly<Record<string, 'green' | 'red' | 'yellow' | 'cyan'>> = {
  ready: 'green',
  succeeded: 'green',
  deleted: 'green',
  failed: 'red',
  blocked: 'red',
  running: 'cyan',
};

/** Writes the demo's story line by line; in colour where standard output takes it. */
export class Teller {
  readonly #write: (text: string) => unknown;
  readonly #startedAt = performance.now();

  constructor(write: (text: string) => unknown) {
    this.#write = write;
  }

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  line(text = ''): void {
    this.#write(`${text}\n`);
  }

  heading(text: string): void {
    this.line(`\n${styleText('bold', text)}`);
  }

  /** An entry of the timeline, with the seconds since the beginning. */
  tell({ subject, state, text }: Omit<Change, 'subject'> & { subject: string }): void {
    const time = styleText('dim', `${this.seconds.toFixed(1).padStart(6)} s`);
    const padded = state.padEnd(STATE_WIDTH);
    const colour = colours[state];
    const coloured = colour ? styleText(colour, padded) : padded;
    this.line(`${time}  ${subject.padEnd(SUBJECT_WIDTH)}  ${coloured}  ${text}`.trimEnd());
  }

  /** A request that was sent, and what came back. */
  sent(request: string, text: string): void {
    this.tell({ subject: 'you', state: request, text });
  }

  output(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.line(`    ${styleText('dim', '│')} ${line}`);
  }

  check(isGood: boolean, text: string): void {
    this.line(`  ${isGood ? styleText('green', '✔') : styleText('red', '✖')} ${text}`);
  }

  findings(findings: readonly Finding[]): void {
    for (const { kind, left } of findings) {
      const name = leftoverKinds[kind];
      this.check(left.length === 0, left.length === 0 ? `no ${name}` : `${name}: ${left.join('; ')}`);
    }
  }
}
