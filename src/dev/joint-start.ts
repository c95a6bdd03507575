/**
 * Parts that are started at the same time and are worth nothing without each other: as soon as one fails, or the
 * outer signal is aborted, the others give up.
 */
export class JointStart {
  readonly #failure = new AbortController();
  /** For every part: aborted by the first failure, with it as the reason, or by the outer signal. */
  readonly signal: AbortSignal;

  constructor(outer?: AbortSignal) {
    this.signal = AbortSignal.any([this.#failure.signal, ...(outer ? [outer] : [])]);
  }

  /**
   * Waits until every part has ended, so that nothing is still on its way up when the caller stops what came up.
   *
   * @throws the first cause: the first failure, or the reason of the outer signal when that came before.
   */
  async all<T extends readonly Promise<unknown>[]>(
    parts: T,
  ): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
    for (const part of parts) part.catch((error: unknown) => this.#failure.abort(error));
    await Promise.allSettled(parts);
    this.signal.throwIfAborted();
    return Promise.all(parts);
  }
}
