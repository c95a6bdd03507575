import { CancellationScope, condition } from '@temporalio/workflow';
import type { ClusterEntity } from './cluster-entity.ts';

export type StepOutcome<T> =
  | { readonly status: 'done'; readonly value: T }
  | { readonly status: 'failed'; readonly error: unknown }
  /** The cluster is wanted again, and the step was cancelled. */
  | { readonly status: 'called-back' };

/** One step of the state `exporting`, given up when the cluster is called back. */
export async function whileExporting<T>(
  entity: ClusterEntity,
  step: () => Promise<T>,
): Promise<StepOutcome<T>> {
  const isExporting = () => entity.snapshot.state === 'exporting';
  const scope = new CancellationScope({ cancellable: true });
  let outcome: StepOutcome<T> | undefined;
  const run = async () => {
    try {
      outcome = { status: 'done', value: await scope.run(step) };
    } catch (error) {
      outcome = { status: 'failed', error };
    }
  };
  const running = run();
  await condition(() => outcome !== undefined || !isExporting());
  if (outcome && isExporting()) return outcome;
  scope.cancel();
  await running;
  return { status: 'called-back' };
}
