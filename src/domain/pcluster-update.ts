import type { ClusterSpec } from './cluster-spec.ts';
import type { OuterStackTemplate } from './outer-stack.ts';
import { renderQueue } from './pcluster-config.ts';

/**
 * The template of a deployed stack with the queues of another specification. All else stays as it was deployed, also what
 * this service's settings would render otherwise by now: ParallelCluster refuses most of such changes, and replaces nodes
 * for others. New queues are set up as those that are there.
 *
 * @throws TypeError for a template that is not of {@link renderOuterStack}'s making.
 */
export function withQueuesOf(deployed: OuterStackTemplate, spec: ClusterSpec): OuterStackTemplate {
  const { Cluster } = deployed.Resources;
  const { ClusterConfiguration } = Cluster.Properties;
  const { Scheduling } = ClusterConfiguration;
  const [model] = Scheduling.SlurmQueues;
  if (!model) throw new TypeError('the deployed template has no queue');
  const { CustomActions, Iam, Networking } = model;
  const { SubnetIds, AdditionalSecurityGroups } = Networking;
  const shared = {
    securityGroups: AdditionalSecurityGroups ? { AdditionalSecurityGroups } : {},
    setUp: { CustomActions, Iam },
  };
  const configuration = {
    ...ClusterConfiguration,
    Scheduling: {
      ...Scheduling,
      SlurmQueues: spec.queues.map((queue) => renderQueue(queue, SubnetIds[0], shared)),
    },
  };
  return {
    ...deployed,
    Resources: {
      Cluster: {
        ...Cluster,
        Properties: { ...Cluster.Properties, ClusterConfiguration: configuration },
      },
    },
  };
}
