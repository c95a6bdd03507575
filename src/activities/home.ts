import type { AccessPointDescription, EFSClient } from '@aws-sdk/client-efs';
import { EfsAccessPoints } from '../clients/efs-access-points.ts';
import { KnownFailure } from '../domain/failures.ts';
import { homePath } from '../domain/home.ts';
import { deploymentTags } from '../domain/resource-tags.ts';
import { withHeartbeat } from './heartbeat.ts';
import { pollUntil, takeAway } from './poll.ts';
import type { Activities } from './port.ts';

export interface HomeDeps {
  readonly efs: EFSClient;
  /** The file system that all tenants' homes lie in; without it a home is the head node's own disk. */
  readonly efsFileSystemId: string | undefined;
  /** Whose everything is that is made: see `installationName`. */
  readonly installation?: string;
  /** Between two looks at an access point that is being made. */
  readonly stackPollSeconds: number;
}

/**
 * The way of a deployment into its tenant's homes: an access point whose root is the tenant's own folder. It goes with the
 * deployment; the folder stays, and the next deployment of the tenant finds it.
 */
export function createHomeActivities(deps: HomeDeps): Pick<Activities, 'ensureHome' | 'deleteHome'> {
  const accessPoints = new EfsAccessPoints(deps.efs);
  const { efsFileSystemId: fileSystemId } = deps;
  return {
    async ensureHome(deployment) {
      if (fileSystemId === undefined) return undefined;
      return withHeartbeat(async ({ signal, report }) => {
        const [existing] = await accessPoints.ofEpoch(fileSystemId, deployment.epoch);
        const accessPointId =
          existing?.AccessPointId ??
          (await accessPoints.create(fileSystemId, homePath(deployment), {
            requestToken: `home-${deployment.epoch}`,
            tags: {
              ...deploymentTags(deployment, deps.installation),
              Name: `${deployment.clusterName} ${deployment.epoch}`,
            },
          }));
        const look = async (): Promise<true | undefined> => {
          const found = await accessPoints.ofEpoch(fileSystemId, deployment.epoch);
          const state = found.find(({ AccessPointId }) => AccessPointId === accessPointId)?.LifeCycleState;
          report({ accessPointId, state });
          return isAvailable(accessPointId, state);
        };
        await pollUntil(look, { intervalSeconds: deps.stackPollSeconds, signal });
        return { fileSystemId, accessPointId };
      });
    },

    async deleteHome({ home, askedSecondsAgo, epoch }) {
      const of = home?.fileSystemId ?? fileSystemId;
      if (of === undefined) return;
      const take = async () => {
        const mine = await accessPoints.ofEpoch(of, epoch);
        for (const { AccessPointId = '' } of mine) await accessPoints.delete(AccessPointId);
        return mine.length > 0;
      };
      await withHeartbeat(async ({ signal }) => takeAway(take, { askedSecondsAgo, signal }));
    },
  };
}

function isAvailable(
  accessPointId: string,
  state: AccessPointDescription['LifeCycleState'],
): true | undefined {
  if (state === 'available') return true;
  if (state === undefined || state === 'creating' || state === 'updating') return undefined;
  throw new KnownFailure('HomeNotAvailable', `The access point ${accessPointId} is ${state}`);
}
