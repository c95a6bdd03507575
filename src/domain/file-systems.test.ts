import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { coversSpec } from './cluster-spec.ts';
import { fileSystemsSchema } from './file-systems.ts';
import { planUpdate } from './spec-update.ts';

const efs = 'fs-0aaaaaaaaaaaaaaaa';
const volume = 'fsvol-0cccccccccccccccc';
const mount = (mountDirectory: string, id = efs) => ({ id, mountDirectory });
const specWith = (...fileSystems: ReturnType<typeof mount>[]) =>
  resolveClusterSpec(
    clusterSpecInputSchema.parse({ tier: 'debug', ...(fileSystems.length > 0 && { fileSystems }) }),
  );

describe('an existing file system', () => {
  it.each(['/shared', '/opt/apps', '/mnt/data', '/srv/x', '/Shared.1/a_b-c', '/database', '/homes'])(
    'may be mounted at %s',
    (directory) => {
      expect(fileSystemsSchema.safeParse([mount(directory)]).success).toBe(true);
    },
  );

  it.each([
    '/',
    '',
    'shared',
    '/shared/',
    '//shared',
    '/shared/../etc',
    '/.hidden',
    '/a b',
    '/home',
    '/home/sim',
    '/data',
    '/data/scratch',
    '/scratch',
    '/etc/x',
    '/usr/local/x',
    '/opt',
    '/opt/slurm',
    '/opt/parallelcluster/shared',
    '/mnt',
    '/tmp/x',
    '/NONE',
    '/$(reboot)',
    `/${'x'.repeat(128)}`,
  ])('may not be mounted at %j', (directory) => {
    expect(fileSystemsSchema.safeParse([mount(directory)]).error?.issues[0]?.path).toEqual([
      0,
      'mountDirectory',
    ]);
  });

  it.each(['fs-1', 'fs-0AAAAAAAAAAAAAAAA', 'vol-0aaaaaaaaaaaaaaaa', 'fs-0aaaaaaaaaaaaaaaa; reboot'])(
    'has no id such as %j',
    (id) => {
      expect(fileSystemsSchema.safeParse([mount('/shared', id)]).error?.issues[0]?.path).toEqual([0, 'id']);
    },
  );
});

describe('file systems that a cluster mounts', () => {
  const none = specWith();
  const one = specWith(mount('/shared'));
  const two = specWith(mount('/shared'), mount('/opt/models', volume));

  it('are the same in whatever order they are named', () => {
    expect(specWith(mount('/opt/models', volume), mount('/shared'))).toEqual(two);
  });

  it('cover what asks for them at the same directories', () => {
    expect(coversSpec(two, one)).toBe(true);
    expect(coversSpec(one, none)).toBe(true);
    expect(coversSpec(one, two)).toBe(false);
    expect(coversSpec(one, specWith(mount('/elsewhere')))).toBe(false);
  });

  it('can be added while jobs run, and taken away or moved only when none does', () => {
    expect(planUpdate(none, one).mode).toBe('in-place');
    expect(planUpdate(one, two)).toEqual({
      mode: 'in-place',
      changes: [{ path: `fileSystems.${volume}`, requested: '/opt/models', mode: 'in-place' }],
    });
    expect(planUpdate(two, one).mode).toBe('after-drain');
    expect(planUpdate(one, specWith(mount('/elsewhere')))).toMatchObject({
      mode: 'after-drain',
      changes: [{ path: `fileSystems.${efs}`, existing: '/shared', requested: '/elsewhere' }],
    });
    expect(planUpdate(two, two).mode).toBe('none');
  });
});
