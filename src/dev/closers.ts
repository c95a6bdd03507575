/** What has been started, to be stopped in the reverse order. */
export class Closers {
  readonly #closers: (() => Promise<void>)[] = [];

  /** Remembers how to stop something that is running. */
  add(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /**
   * Stops everything, last started first. One that fails does not keep the others from being stopped. What was
   * stopped is forgotten, so it is safe to repeat.
   *
   * @throws AggregateError when something did not stop.
   */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      await close().catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw new AggregateError(errors, 'some parts of the stack did not stop');
  }
}
