import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';

/** Work that goes on beside the loop which began it, at most one of each name at a time. */
export class SideBySide<Name extends string> {
  private readonly scope = new CancellationScope({ cancellable: true });
  private readonly busy = new Map<Name, Promise<void>>();
  private readonly onEnd: () => void;
  private isStopped = false;
  private defect: { readonly error: unknown } | undefined;

  /** `onEnd` is called whenever something has ended. Cancelling the scope in which this is made cancels all of it. */
  constructor(onEnd: () => void) {
    this.onEnd = onEnd;
  }

  isBusy(name: Name): boolean {
    return this.busy.has(name);
  }

  get isAnyBusy(): boolean {
    return this.busy.size > 0;
  }

  begin(name: Name, work: () => Promise<void>): void {
    this.busy.set(name, this.watch(name, work));
  }

  private async watch(name: Name, work: () => Promise<void>): Promise<void> {
    try {
      await this.scope.run(work);
    } catch (error) {
      if (!(this.isStopped && isCancellation(error))) this.defect ??= { error };
    } finally {
      this.busy.delete(name);
      this.onEnd();
    }
  }

  /** Throws what something threw that had not been meant to. */
  throwIfBroken(): void {
    if (this.defect) throw this.defect.error;
  }

  /** Waits until nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.busy.values());
  }

  /** Waits so many seconds, then cancels what is still under way. Nothing can be begun afterwards. */
  async stop(patienceSeconds: number): Promise<void> {
    const isIdle = () => !this.isAnyBusy;
    const summary = 'Until what is under way has ended';
    if (this.isAnyBusy && !(await condition(isIdle, patienceSeconds * 1000, { summary }))) {
      this.isStopped = true;
      this.scope.cancel();
      await this.settled();
    }
    this.throwIfBroken();
  }
}
