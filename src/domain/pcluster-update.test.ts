import { describe, expect, it } from 'vitest';
import {
  attachableFileSystems,
  configurationOf,
  deployment,
} from '../../test/support/cluster-configuration.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { nodePolicyReference, renderOuterStack } from './outer-stack.ts';
import { withQueuesOf } from './pcluster-update.ts';

const queue = (name: string, maxCount = 4) => ({
  name,
  computeResources: [{ name: 'nodes', instanceType: 'm5.large', maxCount }],
});
const template = (queues: readonly ReturnType<typeof queue>[], settings = {}) =>
  renderOuterStack(deployment, 'arn:provider:1', configurationOf({ queues: [...queues] }, { settings }));

describe('the template of an updated stack', () => {
  it('is what a new stack of the same settings would have', () => {
    const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ queues: [queue('a', 8), queue('b')] }));
    expect(withQueuesOf(template([queue('a')]), spec)).toEqual(template([queue('a', 8), queue('b')]));
  });

  it('has what CloudWatch is to have by now, and what it had where nothing is said', () => {
    const specWith = (chosen: object) =>
      resolveClusterSpec(clusterSpecInputSchema.parse({ queues: [queue('a')], ...chosen }));
    const deployed = template([queue('a')], { logRetentionDays: 365 });
    const changed = withQueuesOf(deployed, specWith({ cloudWatch: { retentionDays: 7, dashboard: false } }));
    expect(changed.Resources.Cluster.Properties.ClusterConfiguration.Monitoring).toEqual({
      Logs: { CloudWatch: { RetentionInDays: 7, DeletionPolicy: 'Retain' } },
      Dashboards: { CloudWatch: { Enabled: false } },
    });
    expect(withQueuesOf(deployed, specWith({}))).toEqual(deployed);
  });

  it('has the policy of its nodes as it was deployed, also where queues are new', () => {
    const then = { nodePolicy: nodePolicyReference };
    const buckets = { scratch: 'a', projectPublic: 'b', projectPrivate: 'c' };
    const deployed = (queues: ReturnType<typeof queue>[]) =>
      renderOuterStack(deployment, 'arn:provider:1', configurationOf({ queues }, then), buckets);
    const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ queues: [queue('a'), queue('b')] }));
    const changed = withQueuesOf(deployed([queue('a')]), spec);
    expect(changed).toEqual(deployed([queue('a'), queue('b')]));
    expect(JSON.stringify(changed).match(/"Ref"/g)).toHaveLength(3);
  });

  it('mounts further file systems beside what is mounted, and leaves that as it is', () => {
    const mount = { id: 'fs-0aaaaaaaaaaaaaaaa', mountDirectory: '/shared' };
    const volume = { id: 'fsvol-0cccccccccccccccc', mountDirectory: '/opt/models' };
    const home = { fileSystemId: 'fs-1', accessPointId: 'fsap-1' };
    const deployed = (fileSystems?: object[]) =>
      renderOuterStack(
        deployment,
        'arn:provider:1',
        configurationOf(
          clusterSpecInputSchema.parse({ queues: [queue('a')], ...(fileSystems && { fileSystems }) }),
          { home },
        ),
      );
    const specWith = (fileSystems?: object[]) =>
      resolveClusterSpec(
        clusterSpecInputSchema.parse({ queues: [queue('a')], ...(fileSystems && { fileSystems }) }),
      );
    const changed = withQueuesOf(deployed([mount]), specWith([volume, mount]), attachableFileSystems);
    expect(changed).toEqual(deployed([mount, volume]));
    // The deployed text says whether there is anything to do, so its order counts.
    expect(JSON.stringify(withQueuesOf(deployed([mount]), specWith([mount]), {}))).toBe(
      JSON.stringify(deployed([mount])),
    );
    expect(() => withQueuesOf(deployed(), specWith([volume]), {})).toThrow(RangeError);
  });

  it('keeps what was deployed, whatever the settings are by now: only queues are others', () => {
    const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ queues: [queue('a', 8), queue('b')] }));
    const then = {
      additionalSecurityGroupIds: ['sg-0123456789abcdef0'],
      jobUserScriptUri: 's3://provisioner-control/assets/older.sh',
      customAmi: 'ami-0123456789abcdef0',
    };
    expect(withQueuesOf(template([queue('a')], then), spec)).toEqual(
      template([queue('a', 8), queue('b')], then),
    );
  });
});
