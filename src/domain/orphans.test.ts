import { describe, expect, it } from 'vitest';
import { clusterName, keyPairName, keySecretName } from './cluster-name.ts';
import type { Deployment } from './deployment.ts';
import { newEpochId } from './ids.ts';
import { findOrphans, type ResourceKind, type TaggedResource } from './orphans.ts';
import { deploymentTags, tagKeys } from './resource-tags.ts';

const NOW_SECONDS = Date.UTC(2026, 10, 26) / 1000;
const tenant = { virtualLabId: 'lab', projectId: 'proj' };
const deploymentAt = (secondsAgo: number): Deployment => ({
  ...tenant,
  clusterName: clusterName(tenant),
  epoch: newEpochId((NOW_SECONDS - secondsAgo) * 1000, '0123456789abcdef'),
});
const old = deploymentAt(3600);

const INSTALLATION = 'vpc-1/pool';
const resource = (
  kind: ResourceKind,
  name: string,
  deployment = old,
  tags: Record<string, string> = {},
): TaggedResource => ({
  kind,
  id: `${kind}/${name}`,
  name,
  tags: { ...deploymentTags(deployment, INSTALLATION), ...tags },
});

const find = (resources: readonly TaggedResource[], isAttended = false) =>
  findOrphans(resources, {
    isAttended: () => isAttended,
    nowSeconds: NOW_SECONDS,
    installation: INSTALLATION,
  });

describe('what a sweep takes for an orphan', () => {
  it('is all that is left of an epoch that no workflow looks after, in one', () => {
    const resources = [
      resource('stack', 'provisioner-pcluster-lab-proj'),
      resource('stack', 'pcluster-lab-proj'),
      resource('key-pair', keyPairName(old, 'admin')),
      resource('secret', keySecretName(old, 'slurm-api')),
      resource('lustre', 'fs-1'),
      resource('lustre-link', 'dra-1'),
      resource('access-point', 'fsap-1'),
      resource('instance', 'i-1'),
      resource('subnet-lease', 'subnet-1'),
    ];
    const { orphans, lookAlikes } = find(resources);
    expect(orphans).toEqual([{ ...old, resources: resources.map(({ kind, id }) => ({ kind, id })) }]);
    expect(lookAlikes).toEqual([]);
  });

  it('is nothing that a workflow looks after', () => {
    expect(find([resource('lustre', 'fs-1')], true)).toEqual({
      orphans: [],
      lookAlikes: [],
      remnants: [],
      attended: 1,
      deployments: 1,
    });
  });

  it.each([0, 299])('is no deployment that began %d s ago', (secondsAgo) => {
    expect(find([resource('lustre', 'fs-1', deploymentAt(secondsAgo))]).orphans).toEqual([]);
  });

  it('is one epoch of a tenant, and not the other that is looked after', () => {
    const next = deploymentAt(1800);
    const { orphans, attended } = findOrphans(
      [resource('lustre', 'fs-1'), resource('lustre', 'fs-2', next)],
      {
        isAttended: ({ epoch }) => epoch === next.epoch,
        nowSeconds: NOW_SECONDS,
        installation: INSTALLATION,
      },
    );
    expect(orphans.map(({ epoch }) => epoch)).toEqual([old.epoch]);
    expect(attended).toBe(1);
  });
});

describe('what is bound to something else', () => {
  const used = { ...resource('subnet-lease', 'subnet-1'), inUse: 'eni-1 is in it.' };
  const alone = { ...resource('lustre-link', 'dra-1'), remnant: 'fs-1 is gone.' };

  it('is reported and left alone while it is in use', () => {
    expect(find([used])).toMatchObject({
      orphans: [],
      lookAlikes: [{ kind: 'subnet-lease', because: 'eni-1 is in it.' }],
    });
  });

  it('goes by itself when nothing is left that it belongs to', () => {
    expect(find([alone])).toMatchObject({
      orphans: [],
      lookAlikes: [],
      remnants: [{ kind: 'lustre-link', id: alone.id, because: 'fs-1 is gone.' }],
    });
  });

  it('is nobody’s business while a workflow looks after it', () => {
    expect(find([used, alone], true)).toEqual({
      orphans: [],
      lookAlikes: [],
      remnants: [],
      attended: 2,
      deployments: 1,
    });
  });
});

describe('what only looks like one', () => {
  const lookAlikes: readonly [string, TaggedResource][] = [
    ['a stack of another name', resource('stack', 'pcluster-lab-proj-copy')],
    ['a key pair of another name', resource('key-pair', `${keyPairName(old, 'admin')}2`)],
    ['a secret of another epoch', resource('secret', keySecretName(deploymentAt(7200), 'admin'))],
    ['a cluster of another tenant', resource('lustre', 'fs-1', old, { 'obp:costcenter:project': 'other' })],
    ['an epoch that is none of ours', resource('lustre', 'fs-1', { ...old, epoch: 'yesterday' })],
    [
      'a resource without a tenant',
      { kind: 'lustre', id: 'a', name: 'a', tags: { 'parallelcluster-provisioner:epoch': old.epoch } },
    ],
  ];

  it.each(lookAlikes)('is reported and left alone: %s', (_what, each) => {
    const { orphans, lookAlikes: found } = find([each]);
    expect(orphans).toEqual([]);
    expect(found).toMatchObject([{ kind: each.kind, id: each.id }]);
  });
});

describe('what another installation has made', () => {
  const of = (installation: string | undefined, kind: ResourceKind = 'lustre', name = 'fs-1') => {
    const { [tagKeys.installation]: _own, ...tags } = deploymentTags(old, INSTALLATION);
    return {
      ...resource(kind, name),
      tags: { ...tags, ...(installation !== undefined && { [tagKeys.installation]: installation }) },
    };
  };
  const knowing = (more: Partial<Parameters<typeof findOrphans>[1]>, resources: readonly TaggedResource[]) =>
    findOrphans(resources, {
      isAttended: () => false,
      nowSeconds: NOW_SECONDS,
      installation: INSTALLATION,
      ...more,
    });

  it('is left alone, and no deployment of ours', () => {
    expect(find([of('vpc-2/pool')])).toMatchObject({
      orphans: [],
      lookAlikes: [{ because: 'It is of the installation vpc-2/pool.' }],
      deployments: 0,
    });
  });

  it('may be what says nothing of it: left alone, and named', () => {
    expect(find([of(undefined)])).toMatchObject({
      orphans: [],
      lookAlikes: [{ because: `It does not say which installation made it (epoch ${old.epoch}).` }],
      unclaimed: [old.epoch],
    });
  });

  it('is not what an operator claims, unless it says that it is', () => {
    const claimed = [old.epoch];
    expect(knowing({ claimed }, [of(undefined)])).toMatchObject({
      orphans: [{ epoch: old.epoch }],
      lookAlikes: [],
    });
    expect(knowing({ claimed }, [of('vpc-2/pool')]).orphans).toEqual([]);
  });

  it('is not what holds a subnet of ours and was made before anything said so', () => {
    const lease = resource('subnet-lease', 'subnet-1');
    expect(find([of(undefined), lease])).toMatchObject({ orphans: [{ epoch: old.epoch }], lookAlikes: [] });
    // Of a deployment that says it, what does not is somebody's copy.
    expect(find([of(undefined), lease, resource('access-point', 'fsap-1')]).lookAlikes).toMatchObject([
      { kind: 'lustre' },
    ]);
  });

  it('is looked after all the same, where one of our workflows does', () => {
    expect(find([of(undefined)], true)).toMatchObject({ lookAlikes: [], attended: 1, deployments: 1 });
  });
});

describe('what says whose it is, and not of which deployment', () => {
  it.each<[string, Record<string, string>]>([
    ['a tenant', { [tagKeys.virtualLab]: 'lab', [tagKeys.project]: 'proj' }],
    ['an installation', { [tagKeys.installation]: INSTALLATION }],
  ])('is reported and left alone: %s', (_what, tags) => {
    expect(find([{ kind: 'lustre', id: 'a', name: 'a', tags }])).toMatchObject({
      orphans: [],
      lookAlikes: [{ because: 'It lacks tags that we would have set.' }],
    });
  });
});
