/** How a command learns that it shall end, and what its exit code is then. */
export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM. Further ones change nothing: what stops, stops within seconds. */
  readonly signal: AbortSignal;
  /** 128 + the number of the signal, as shells have it; undefined as long as none came. */
  readonly exitCode: number | undefined;
  /** Gives the signals back their usual meaning. */
  dispose(): void;
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Listens for Ctrl-C and termination. Both a terminal and `npm run` send a SIGINT for one Ctrl-C, so a second one must
 * not mean "at once".
 */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const listeners = Object.entries(SIGNALS).map(([name, code]) => {
    const listener = (): void => {
      exitCode ??= code;
      controller.abort(new Error('interrupted'));
    };
    process.on(name, listener);
    return () => process.off(name, listener);
  });
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    dispose: () => listeners.forEach((remove) => remove()),
  };
}
