import { setTimeout as sleep } from 'node:timers/promises';

/** FSx takes minutes for each change of state; long enough here that callers see it. */
const TRANSITION_MILLISECONDS = 100;

/** What goes on after a request was answered. */
export class Background {
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  begin(work: () => Promise<void>): void {
    const running = work()
      // The emulators are stopped at the same time as this.
      .catch(() => {})
      .finally(() => this.#work.delete(running));
    this.#work.add(running);
  }

  /** As {@link begin}, after the time that a change of state takes. */
  later(change: () => void): void {
    this.begin(async () => {
      await this.pause();
      change();
    });
  }

  async pause(milliseconds = TRANSITION_MILLISECONDS): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  /** Ends every pause, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#work);
  }
}
