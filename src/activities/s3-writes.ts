import type { DeploymentStore } from '../clients/deployment-store.ts';
import type { HeadNodeFiles } from '../clients/slurm-gateway.ts';
import { KnownFailure } from '../domain/failures.ts';
import { STORAGE_MOUNT_PATH, storagePaths } from '../domain/lustre.ts';
import { describeWriters } from '../domain/open-writers.ts';
import { withHeartbeat } from './heartbeat.ts';
import { pollUntil } from './poll.ts';
import type { Activities } from './port.ts';

export interface S3WritesDeps {
  readonly files: Pick<HeadNodeFiles, 'listWriters'>;
  readonly deploymentStore: Pick<DeploymentStore, 'putDiscard'>;
  /** How long what still writes may go on. */
  readonly settleSeconds?: number;
}

const DEFAULT_SETTLE_SECONDS = 600;
const POLL_SECONDS = 5;
/** Of the mounts the one that can be written to. */
const FOLDER = STORAGE_MOUNT_PATH + storagePaths.projectPrivate;

/**
 * Mountpoint uploads a file while it is written, and completes it when it is closed: what is closed is in S3, or its writer was
 * told. So everything is there once no job has a node and no file is open for writing.
 */
export function createS3WritesActivities({
  files,
  deploymentStore,
  settleSeconds = DEFAULT_SETTLE_SECONDS,
}: S3WritesDeps): Pick<Activities, 'settleS3Writes'> {
  return {
    async settleS3Writes({ access, discard, ...deployment }) {
      if (discard) {
        await deploymentStore.putDiscard(deployment, discard);
        return;
      }
      const deadline = performance.now() + settleSeconds * 1000;
      await withHeartbeat(async ({ signal, report }) =>
        pollUntil(
          async () => {
            const writers = await files.listWriters({ epoch: deployment.epoch, access }, FOLDER, { signal });
            report({ writers: describeWriters(writers) });
            if (writers.length === 0) return true;
            if (performance.now() < deadline) return undefined;
            throw new KnownFailure(
              'S3WritesUnfinished',
              `Still at work, with ${FOLDER} in reach: ${describeWriters(writers)}.`,
            );
          },
          { intervalSeconds: Math.min(POLL_SECONDS, settleSeconds), signal },
        ),
      );
    },
  };
}
