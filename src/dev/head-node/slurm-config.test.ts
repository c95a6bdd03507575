import { describe, expect, it } from 'vitest';
import { defaultCloudOptions } from './cloud-options.ts';
import { planComputeNodes } from './compute-nodes.ts';
import type { HeadNodeSpec } from './head-node-spec.ts';
import {
  accountingDatabaseName,
  hostnameOf,
  renderHosts,
  renderSlurmConf,
  renderSlurmdbdConf,
  renderSshdConfig,
  slurmClusterName,
} from './slurm-config.ts';

const spec: HeadNodeSpec = {
  clusterName: 'pcluster-Lab-1',
  adminUser: 'ec2-user',
  adminPublicKey: 'ssh-ed25519 AAAA test',
  queues: [
    {
      name: 'debug',
      computeResources: [{ name: 't3', instanceType: 't3.micro', minCount: 1, maxCount: 8 }],
      maxTimeSeconds: 90,
    },
    { name: 'mem', computeResources: [{ name: 'm5', instanceType: 'm5.8xlarge', maxCount: 1 }] },
  ],
  onNodeConfigured: [],
};
const head = { address: '127.0.1.10', hostname: 'ip-127-0-1-10' };
const nodes = planComputeNodes(spec.queues);
const database = { address: '127.0.1.11', port: 3306, name: 'slurm_x', user: 'slurm_u', password: 'p4ss' };

describe('renderSlurmConf', () => {
  const conf = renderSlurmConf(spec, head, nodes, defaultCloudOptions).split('\n');

  it('listens on the own address only', () => {
    expect(conf).toContain('SlurmctldHost=ip-127-0-1-10(127.0.1.10)');
    expect(conf).toContain('CommunicationParameters=NoCtldInAddrAny,NoInAddrAny');
  });

  it('has one partition for each queue, the first being the default, times rounded up to minutes', () => {
    expect(conf.filter((line) => line.startsWith('PartitionName='))).toEqual([
      'PartitionName=debug Nodes=debug-st-t3-1,debug-dy-t3-[1-7] Default=YES MaxTime=2 State=UP',
      'PartitionName=mem Nodes=mem-dy-m5-1 Default=NO MaxTime=INFINITE State=UP',
    ]);
  });

  it('keeps nodes powered down until a job wants them, but those of MinCount', () => {
    expect(conf.filter((line) => /^NodeName=.* State=CLOUD /.test(line))).toHaveLength(3);
    expect(conf).toContain('SuspendExcNodes=debug-st-t3-1');
    expect(conf).toContain('SuspendTime=600');
  });

  it('never powers nodes down where the configuration says so', () => {
    const never = renderSlurmConf(
      { ...spec, scaledownIdleTimeMinutes: -1 },
      head,
      nodes,
      defaultCloudOptions,
    );
    expect(never.split('\n')).toContain('SuspendTime=-1');
  });

  it('tells the instance type and the compute resource as features', () => {
    const node = conf.find((line) => line.startsWith('NodeName=mem-dy-m5-1 '));
    expect(node).toContain('Feature=dynamic,m5.8xlarge,m5');
  });

  it('lets custom settings replace its own, once', () => {
    const customSlurmSettings = { MinJobAge: 30, AccountingStoreFlags: 'job_comment' };
    const custom = renderSlurmConf({ ...spec, customSlurmSettings }, head, nodes, defaultCloudOptions).split(
      '\n',
    );
    expect(custom.filter((line) => line.startsWith('MinJobAge='))).toEqual(['MinJobAge=30']);
    expect(custom).toContain('AccountingStoreFlags=job_comment');
  });

  it('does not refuse users without an association', () => {
    expect(conf.filter((line) => line.startsWith('AccountingStorageEnforce'))).toEqual([]);
  });
});

describe('names', () => {
  it('are short enough for the tables that Slurm makes of them', () => {
    const longest = `A${'b'.repeat(59)}`;
    expect(`${slurmClusterName(longest)}_wckey_usage_month_table`.length).toBeLessThanOrEqual(64);
    expect(accountingDatabaseName(longest)).toMatch(/^[a-z0-9_]{1,64}$/);
    // A GRANT names it with a backslash before each underscore.
    const hyphens = 'a-'.repeat(30);
    expect(accountingDatabaseName(hyphens).replaceAll('_', String.raw`\_`).length).toBeLessThanOrEqual(64);
  });

  it('of databases differ for clusters that differ only in case or in their last letter', () => {
    const names = ['lab-a', 'Lab-a', `lab-${'x'.repeat(56)}`, `lab-${'x'.repeat(55)}y`].map(
      accountingDatabaseName,
    );
    expect(new Set(names).size).toBe(4);
  });

  it('of hosts are those of EC2', () => {
    expect(hostnameOf('127.0.1.10')).toBe('ip-127-0-1-10');
  });
});

describe('the other files', () => {
  it('point slurmdbd to the shared database', () => {
    const conf = renderSlurmdbdConf(head, database);
    expect(conf).toContain(
      'StorageHost=127.0.1.11\nStoragePort=3306\nStorageUser=slurm_u\nStoragePass=p4ss\n',
    );
    expect(conf).toContain('StorageLoc=slurm_x\n');
  });

  it('let users in by key only', () => {
    const conf = renderSshdConfig(head);
    expect(conf).toContain('ListenAddress 127.0.1.10\n');
    expect(conf).toContain('PasswordAuthentication no\n');
  });

  it("resolve every compute node to the head node's address", () => {
    expect(renderHosts(head, nodes).split('\n').slice(0, 4)).toEqual([
      '127.0.0.1 localhost',
      '127.0.1.10 ip-127-0-1-10',
      '127.0.1.10 debug-st-t3-1',
      '127.0.1.10 debug-dy-t3-1',
    ]);
  });
});
