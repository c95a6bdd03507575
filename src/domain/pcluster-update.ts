import type { ClusterSpec } from './cluster-spec.ts';
import type { AttachableFileSystems } from './file-systems.ts';
import type { OuterStackTemplate } from './outer-stack.ts';
import { renderMonitoring } from './pcluster-config.ts';
import { storageWith } from './pcluster-storage.ts';
import { renderQueue } from './pcluster-queue.ts';

/**
 * The template of a deployed stack with the queues, further file systems, and what CloudWatch is to have, of another specification. All else
 * stays as it was deployed, also what this service's settings would render otherwise by now: ParallelCluster refuses most of
 * such changes, and replaces nodes for others. New queues are set up as those that are there.
 *
 * @throws RangeError for a new file system that the installation does not allow.
 * @throws TypeError for a template that is not of {@link renderOuterStack}'s making.
 */
export function withQueuesOf(
  deployed: OuterStackTemplate,
  spec: ClusterSpec,
  attachable?: AttachableFileSystems,
): OuterStackTemplate {
  const { Cluster } = deployed.Resources;
  const { ClusterConfiguration } = Cluster.Properties;
  const { Scheduling, SharedStorage } = ClusterConfiguration;
  const [model] = Scheduling.SlurmQueues;
  if (!model) throw new TypeError('the deployed template has no queue');
  const { CustomActions, Iam, Networking } = model;
  const { PlacementGroup: _ofThatQueue, ...networking } = Networking;
  const configuration = {
    ...ClusterConfiguration,
    ...storageWith(SharedStorage, spec.fileSystems, attachable),
    Scheduling: {
      ...Scheduling,
      SlurmQueues: spec.queues.map((queue) => renderQueue(queue, networking, { CustomActions, Iam })),
    },
    Monitoring: renderMonitoring(spec, {
      logRetentionDays: ClusterConfiguration.Monitoring.Logs.CloudWatch.RetentionInDays,
    }),
  };
  return {
    ...deployed,
    Resources: {
      ...deployed.Resources,
      Cluster: {
        ...Cluster,
        Properties: { ...Cluster.Properties, ClusterConfiguration: configuration },
      },
    },
  };
}
