import { parseS3ObjectUri } from '../../domain/s3-uri.ts';
import { describe, expect, it } from 'vitest';
import {
  clusterSlurmSettings,
  headNodeQueues,
  mergedTags,
  customActions,
  parseClusterConfiguration,
  slurmTimeSeconds,
} from './cluster-configuration.ts';

const configuration = {
  Region: 'us-east-1',
  Image: { Os: 'alinux2023' },
  HeadNode: { InstanceType: 't3.medium', Ssh: { KeyName: 'admin' } },
  Scheduling: {
    SlurmSettings: { CustomSlurmSettings: [{ DebugFlags: 'NO_CONF_HASH' }] },
    SlurmQueues: [
      {
        Name: 'prod',
        CustomSlurmSettings: { MaxTime: '720' },
        ComputeResources: [
          { Name: 'c7a', InstanceType: 'c7a.48xlarge', MinCount: '2', MaxCount: '20' },
          { Name: 'mixed', Instances: [{ InstanceType: 'c6a.48xlarge' }] },
        ],
      },
    ],
  },
};

describe('a ParallelCluster configuration', () => {
  const parsed = parseClusterConfiguration(configuration);

  it('gives queues, with the numbers that CloudFormation made strings', () => {
    expect(headNodeQueues(parsed)).toEqual([
      {
        name: 'prod',
        maxTimeSeconds: 43_200,
        computeResources: [
          { name: 'c7a', instanceType: 'c7a.48xlarge', minCount: 2, maxCount: 20 },
          { name: 'mixed', instanceType: 'c6a.48xlarge', minCount: 0, maxCount: 10 },
        ],
      },
    ]);
    expect(clusterSlurmSettings(parsed)).toMatchObject({ DebugFlags: 'NO_CONF_HASH' });
  });

  it.each([
    ['is', true, 'CR_CPU_Memory'],
    ['is, as CloudFormation writes it,', 'true', 'CR_CPU_Memory'],
    ['is not', 'false', 'CR_CPU'],
    ['is by default not', undefined, 'CR_CPU'],
  ])('schedules memory when that %s asked for', (_, EnableMemoryBasedScheduling, SelectTypeParameters) => {
    const SlurmSettings = { EnableMemoryBasedScheduling };
    const asking = { ...configuration, Scheduling: { ...configuration.Scheduling, SlurmSettings } };
    expect(clusterSlurmSettings(parseClusterConfiguration(asking))).toEqual({ SelectTypeParameters });
  });

  it('may have no custom action, one, or a sequence', () => {
    const one = { Script: 's3://b/one.sh' };
    const withActions = (OnNodeConfigured: object) =>
      customActions(
        parseClusterConfiguration({
          ...configuration,
          HeadNode: { ...configuration.HeadNode, CustomActions: { OnNodeConfigured } },
        }),
        'OnNodeConfigured',
      );
    expect(customActions(parsed, 'OnNodeConfigured')).toEqual([]);
    expect(customActions(parsed, 'OnNodeStart')).toEqual([]);
    expect(withActions(one)).toEqual([{ Script: 's3://b/one.sh', Args: [] }]);
    expect(withActions({ Sequence: [one, { Script: 's3://b/two.sh', Args: [2] }] })).toEqual([
      { Script: 's3://b/one.sh', Args: [] },
      { Script: 's3://b/two.sh', Args: ['2'] },
    ]);
  });

  it.each([
    ['720', 43_200],
    ['1:30', 90],
    ['2:00:01', 7201],
    ['1-0', 86_400],
    ['1-02:03', 93_780],
    ['1-00:00:01', 86_401],
    ['UNLIMITED', undefined],
  ])('has the time limit %s', (text, seconds) => {
    expect(slurmTimeSeconds(text)).toBe(seconds);
  });

  it('has no other time limit', () => {
    expect(() => slurmTimeSeconds('a day')).toThrow('"a day" is not a time limit');
  });

  it('takes scripts from S3 only', () => {
    expect(parseS3ObjectUri('s3://bucket/a/b.sh')).toEqual({ bucket: 'bucket', key: 'a/b.sh' });
    expect(() => parseS3ObjectUri('https://example.org/a.sh')).toThrow('not an s3://bucket/key address');
  });

  it("inherits the outer stack's tags, which it may override", () => {
    const stackTags = [
      { Key: 'aws:cloudformation:stack-name', Value: 'outer' },
      { Key: 'lab', Value: 'stack' },
      { Key: 'project', Value: 'p' },
    ];
    expect(mergedTags(stackTags, { Tags: [{ Key: 'lab', Value: 'own' }] })).toEqual([
      { Key: 'project', Value: 'p' },
      { Key: 'lab', Value: 'own' },
      { Key: 'parallelcluster:custom_resource', Value: 'cluster' },
    ]);
  });
});
