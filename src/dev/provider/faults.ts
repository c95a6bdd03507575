import type { RequestType } from './event.ts';

/** What a test can make go wrong with the next requests of a type; see {@link ProviderFaults}. */
export class ProviderFaults {
  readonly #failures = new Map<RequestType, string[]>();
  readonly #holds = new Map<RequestType, Promise<void>>();

  /** The next request of this type fails with `reason`, before anything is done. Adds up when repeated. */
  failNext(type: RequestType, reason: string): void {
    this.#failures.set(type, [...(this.#failures.get(type) ?? []), reason]);
  }

  /** Requests of this type wait until the returned function is called. */
  hold(type: RequestType): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holds.set(type, promise);
    return () => {
      this.#holds.delete(type);
      resolve();
    };
  }

  /**
   * Lets a request pass, at once when there are no faults.
   *
   * @throws Error with the reason of a planned failure, or that of `signal` while held.
   */
  async pass(type: RequestType, signal: AbortSignal): Promise<void> {
    const held = this.#holds.get(type);
    if (held !== undefined) await Promise.race([held, aborted(signal)]);
    signal.throwIfAborted();
    const [reason, ...rest] = this.#failures.get(type) ?? [];
    this.#failures.set(type, rest);
    if (reason !== undefined) throw new Error(reason);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}
