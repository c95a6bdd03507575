import { describe, expect, test } from 'vitest';
import {
  deploymentTags,
  installationName,
  keyTags,
  stackTags,
  tagKeys,
  tagValue,
  tenantTags,
  toTagList,
} from './resource-tags.ts';

const deployment = {
  virtualLabId: 'lab',
  projectId: 'proj',
  clusterName: 'pcluster-lab-proj',
  epoch: '1k2m9x0aab12cd',
};

describe('resource tags', () => {
  test('everything of a deployment names its tenant, its cluster and its epoch', () => {
    expect(deploymentTags(deployment)).toEqual({
      'obp:costcenter:vlabid': 'lab',
      'obp:costcenter:project': 'proj',
      SBO_Billing: 'hpc:parallelcluster',
      'parallelcluster-provisioner:cluster': 'pcluster-lab-proj',
      'parallelcluster-provisioner:epoch': '1k2m9x0aab12cd',
    });
    expect(stackTags(deployment, 'subnet-1')[tagKeys.subnet]).toBe('subnet-1');
    expect(keyTags(deployment, 'admin')[tagKeys.role]).toBe('admin');
  });

  test('everything of a deployment names the installation that made it', () => {
    const installation = installationName({ vpcId: 'vpc-1', subnetPool: 'pool' });
    expect(installation).toBe('vpc-1/pool');
    for (const tags of [
      tenantTags(deployment, installation),
      stackTags(deployment, 'subnet-1', installation),
      keyTags(deployment, 'admin', installation),
    ])
      expect(tags[tagKeys.installation]).toBe('vpc-1/pool');
  });

  test('no key uses a prefix that AWS or ParallelCluster reserves', () => {
    for (const key of Object.values(tagKeys)) expect(key).not.toMatch(/^(?:aws:|parallelcluster:)/i);
  });

  test('a tag is read back from the list that the SDK wants', () => {
    const list = toTagList(deploymentTags(deployment));
    expect(tagValue(list, tagKeys.epoch)).toBe(deployment.epoch);
    expect(tagValue(list, tagKeys.role)).toBeUndefined();
    expect(tagValue(undefined, tagKeys.epoch)).toBeUndefined();
  });
});
