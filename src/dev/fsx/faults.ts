/** What a test lets go wrong in the stand-in for FSx. */
export class FsxFaults {
  /** The next file system ends as FAILED, for this reason. */
  failNextFileSystem: string | undefined;
  /** The next task ends as FAILED, for this reason, and writes nothing. */
  failNextTask: string | undefined;
  /** Tasks begin and never end. */
  tasksHang = false;
  /** Automatic export writes nothing, so that everything waits for a task. */
  automaticExportStandsStill = false;
  /** Paths whose export S3 denies. */
  deniedPaths: RegExp | undefined;

  deniesKey(path: string): boolean {
    return this.deniedPaths?.test(path) === true;
  }

  clear(): void {
    this.failNextFileSystem = undefined;
    this.failNextTask = undefined;
    this.tasksHang = false;
    this.automaticExportStandsStill = false;
    this.deniedPaths = undefined;
  }
}
