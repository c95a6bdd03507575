/** A part of the embedded stack could not be started or stopped. The message ends in what to do next. */
export class DevStackError extends Error {
  override readonly name = 'DevStackError';
  /** Which part failed, in the words of the progress display. */
  readonly component: string;
  /** The log to read, when the part had got as far as writing one. */
  readonly logFile: string | undefined;

  constructor(
    component: string,
    problem: string,
    options: { nextStep: string; logFile?: string; cause?: unknown },
  ) {
    super(`${component}: ${problem.replace(/\.$/, '')}. ${options.nextStep}`, { cause: options.cause });
    this.component = component;
    this.logFile = options.logFile;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
