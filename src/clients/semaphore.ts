interface Waiter {
  granted: boolean;
  readonly wake: () => void;
}

/** At most `permits` holders at a time; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting: Waiter[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Runs `task` when it is its turn. Rejects with the signal's reason if that aborts while waiting. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    try {
      return await task();
    } finally {
      this.#release();
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { granted: false, wake: resolve };
    this.#waiting.push(waiter);
    const wake = () => resolve();
    signal?.addEventListener('abort', wake, { once: true });
    await promise;
    signal?.removeEventListener('abort', wake);
    if (signal?.aborted !== true) return;
    // The permit may have been granted at the same moment as the abort: then it is passed on.
    if (waiter.granted) this.#release();
    else this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
    signal.throwIfAborted();
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#free += 1;
    } else {
      next.granted = true;
      next.wake();
    }
  }
}
