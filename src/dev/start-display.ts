import { Listr } from 'listr2';
import type { ListrTask } from 'listr2';
import type { ProgressEvent, ReportProgress } from './progress.ts';

/** Shows how parts start: on a terminal as a live list, elsewhere as one line for each piece of news. */
export interface StartDisplay {
  readonly report: ReportProgress;
  /** Tells something that concerns all parts that are still starting. */
  announce(text: string): void;
  /** Ends the display; parts that never said how they ended are shown as given up. */
  end(): Promise<void>;
}

/** Where lines go. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Starts a display for parts of these names, in this order. */
export function showStart(components: readonly string[], output: Output): StartDisplay {
  return output.isTTY === true ? liveList(components) : plainLines(components, output);
}

function plainLines(components: readonly string[], output: Output): StartDisplay {
  const width = widthOf(components);
  const report: ReportProgress = (event) => {
    // That something begins is worth no line; what it does for long, and how it ended, is.
    if (event.status === 'starting' && event.detail === '') return;
    output.write(`${marks[event.status]} ${describe(event, width)}\n`);
  };
  return { report, announce: (text) => output.write(`… ${text}\n`), end: async () => undefined };
}

const marks = { starting: '…', ready: '✔', failed: '✖', 'given up': '–' } as const;

function widthOf(components: readonly string[]): number {
  return Math.max(...components.map(({ length }) => length));
}

function describe({ component, status, detail, seconds }: ProgressEvent, width: number): string {
  const time = status === 'starting' ? '' : ` (${seconds.toFixed(1)} s)`;
  return `${component.padEnd(width)}  ${detail || status}${time}`;
}

/** One part of the list: events are handed to its task, which ends with the last of them. */
class Part {
  readonly #width: number;
  readonly #component: string;
  readonly #news: ProgressEvent[] = [];
  #wake: () => void = () => undefined;
  #announcement: string | undefined;
  #isOver = false;

  constructor(component: string, width: number) {
    this.#component = component;
    this.#width = width;
  }

  add(event: ProgressEvent): void {
    this.#news.push(event);
    this.#wake();
  }

  announce(text: string): void {
    this.#announcement = text;
    this.#wake();
  }

  giveUp(): void {
    this.#isOver = true;
    this.#wake();
  }

  task(): ListrTask {
    return {
      title: this.#component,
      task: async (_context, task) => {
        for (;;) {
          const event = this.#news.shift();
          if (event?.status === 'ready') {
            task.title = describe(event, this.#width);
            return;
          }
          if (event?.status === 'failed') throw new Error(event.detail);
          if (event?.status === 'given up' || (!event && this.#isOver)) {
            task.skip(`${this.#component.padEnd(this.#width)}  given up`);
            return;
          }
          if (event || this.#announcement !== undefined) {
            task.output = this.#announcement ?? event?.detail ?? '';
            this.#announcement = undefined;
          } else await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      },
    };
  }
}

function liveList(components: readonly string[]): StartDisplay {
  const width = widthOf(components);
  const parts = new Map(components.map((component) => [component, new Part(component, width)]));
  const list = new Listr(
    [...parts.values()].map((part) => part.task()),
    // Signals are the command's own business: the display must not end the process.
    { concurrent: true, exitOnError: false, registerSignalListeners: false },
  );
  const running = list.run();
  return {
    report: (event) => parts.get(event.component)?.add(event),
    announce: (text) => parts.forEach((part) => part.announce(text)),
    end: async () => {
      for (const part of parts.values()) part.giveUp();
      await running;
    },
  };
}
