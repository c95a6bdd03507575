import { patched } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { lastHold } from '../domain/lifetime.ts';
import { sentence } from '../domain/wording.ts';
import { isPastHardLimit } from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { look } from './cluster-serve.ts';
import { COSTS_THROUGHOUT, HOLDS_KEEP_FILES } from './patches.ts';

/**
 * Keeps a cluster on which nothing runs any more for whoever still reads from it, until the last hold is over or taken back. Who
 * makes a hold has said for how long it may cost something; a hard limit of the budget says otherwise.
 *
 * @returns false where it must be entered again, in a run that was continued as new.
 */
export async function awaitHolds(entity: ClusterEntity, record: DeploymentRecord): Promise<boolean> {
  const { snapshot } = entity;
  for (;;) {
    const hold = lastHold(snapshot.holds, Date.now());
    if (!hold || snapshot.teardown?.kind === 'budget' || !patched(HOLDS_KEEP_FILES)) return true;
    if (isPastHardLimit(entity) && patched(COSTS_THROUGHOUT)) return true;
    if (entity.mustRollOver) return false;
    entity.say(
      `Nothing runs any more. Held by ${hold.name} until ${hold.until}: ${sentence(hold.reason)} ` +
        'It goes at once when its holds are taken back.',
    );
    const leftMs = Date.parse(hold.until) - Date.now();
    const tickMs = Math.min(entity.policy.idleTickSeconds * 1000, leftMs);
    // Nodes that are still up cost something, which only Slurm knows.
    if (!(await entity.sleepUntilWoken(tickMs, 'Until the holds are over'))) await look(entity, record);
  }
}
