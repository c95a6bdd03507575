import { createHash } from 'node:crypto';
import type { CloudOptions } from './cloud-options.ts';
import { nodeList, nodeNames, portList } from './compute-nodes.ts';
import type { ComputeNodes } from './compute-nodes.ts';
import type { HeadNodeSpec, Queue } from './head-node-spec.ts';

/** Fictitious sizes: every compute node of the stand-in looks the same to Slurm, whatever the instance type. */
const NODE_CPUS = 8;
const NODE_MEMORY_MEBIBYTES = 16_000;

/** ParallelCluster's folder for the programs that Slurm calls. */
const SCRIPTS = '/opt/parallelcluster/scripts/slurm';

/** Where a head node is found. */
export interface HeadNodeAddress {
  /** Its own loopback address, e.g. `127.0.1.10`. */
  address: string;
  /** As EC2 names instances, e.g. `ip-127-0-1-10`. */
  hostname: string;
}

/** How slurmdbd reaches its database. */
export interface AccountingDatabase {
  address: string;
  port: number;
  name: string;
  user: string;
  password: string;
}

/** The host name that EC2 would give an instance of this address. */
export function hostnameOf(address: string): string {
  return `ip-${address.replaceAll('.', '-')}`;
}

/**
 * Slurm makes table names of up to 64 characters (MariaDB's limit) from the cluster's name and a suffix of up to
 * 24, e.g. `_wckey_usage_month_table`: hence 40. Two long names may become the same here, each has its own database.
 */
export function slurmClusterName(clusterName: string): string {
  return clusterName.slice(0, 40).toLowerCase();
}

/**
 * A database name for this cluster alone, in lower case: at most 64 characters (MariaDB), also in a GRANT, where each
 * underscore takes two.
 */
export function accountingDatabaseName(clusterName: string): string {
  const readable = clusterName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(0, 40);
  const unique = createHash('sha256').update(clusterName).digest('hex').slice(0, 12);
  return `slurm_${readable}_${unique}`;
}

/** slurm.conf of one cluster. */
export function renderSlurmConf(
  spec: HeadNodeSpec,
  head: HeadNodeAddress,
  nodes: readonly ComputeNodes[],
  cloud: CloudOptions,
): string {
  const settings = {
    ...baseSettings(spec.clusterName, head),
    ...powerSettings(spec, nodes, cloud),
    ...spec.customSlurmSettings,
  };
  return lines([
    ...assignments(settings),
    ...nodes.map((each) => renderNodes(each, head)),
    ...spec.queues.map((queue, index) => renderPartition(queue, nodes, index === 0)),
  ]);
}

function baseSettings(clusterName: string, { address, hostname }: HeadNodeAddress) {
  return {
    ClusterName: slurmClusterName(clusterName),
    SlurmctldHost: `${hostname}(${address})`,
    SlurmUser: 'slurm',
    AuthType: 'auth/munge',
    // Requeued jobs otherwise wait out a credential's life of 120 s.
    AuthInfo: 'cred_expire=5',
    // Without these the daemons listen on every address of the machine.
    CommunicationParameters: 'NoCtldInAddrAny,NoInAddrAny',
    StateSaveLocation: '/var/spool/slurmctld',
    SlurmdSpoolDir: '/var/spool/slurmd/%n',
    SlurmctldPidFile: '/run/slurm/slurmctld.pid',
    SlurmdPidFile: '/run/slurm/slurmd.%n.pid',
    SlurmctldLogFile: '/var/log/slurm/slurmctld.log',
    SlurmdLogFile: '/var/log/slurm/slurmd.%n.log',
    // No cgroups: the processors and the memory are fictitious, so there is nothing to confine jobs to.
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    SlurmdParameters: 'config_overrides',
    JobAcctGatherType: 'jobacct_gather/linux',
    JobAcctGatherFrequency: 5,
    AccountingStorageType: 'accounting_storage/slurmdbd',
    AccountingStorageHost: address,
    // Memory-based scheduling, as the platform's clusters have it.
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU_Memory',
    DefMemPerCPU: NODE_MEMORY_MEBIBYTES / NODE_CPUS,
    // 0.4 s from sbatch to start; the defaults take 2.2 s.
    SchedulerParameters:
      'batch_sched_delay=0,sched_interval=2,bf_interval=2,sched_min_interval=0,nohold_on_prolog_fail',
    ReturnToService: 2,
    MpiDefault: 'none',
    SlurmctldTimeout: 30,
    SlurmdTimeout: 30,
    KillWait: 2,
    MinJobAge: 300,
    // As ParallelCluster has them: custom actions add to these folders. After a failed prolog the node is drained and
    // the job waits for another one.
    Prolog: '/opt/slurm/etc/scripts/prolog.d/*',
    Epilog: '/opt/slurm/etc/scripts/epilog.d/*',
  };
}

/**
 * As aws-parallelcluster-cookbook 3.11 writes them (`slurm.conf.erb`, `slurm_parallelcluster.conf`), with times of a
 * machine that boots within a second: there ResumeTimeout is 1800, SuspendTimeout 120, and Slurm looks every 30 s for
 * nodes to power up or down (`power_save_min_interval=30`).
 */
function powerSettings(
  { scaledownIdleTimeMinutes = 10 }: HeadNodeSpec,
  nodes: readonly ComputeNodes[],
  { minuteSeconds }: CloudOptions,
) {
  const staticNodes = nodes.filter(({ kind }) => kind === 'static').map(nodeList);
  return {
    SlurmctldParameters: 'idle_on_node_suspend,power_save_interval=1',
    ResumeProgram: `${SCRIPTS}/slurm_resume`,
    SuspendProgram: `${SCRIPTS}/slurm_suspend`,
    ResumeFailProgram: `${SCRIPTS}/slurm_suspend`,
    ResumeTimeout: 60,
    SuspendTimeout: 2,
    SuspendTime: scaledownIdleTimeMinutes === -1 ? -1 : scaledownIdleTimeMinutes * minuteSeconds,
    ResumeRate: 0,
    SuspendRate: 0,
    PrivateData: 'cloud',
    TreeWidth: 65_533,
    PrologSlurmctld: `${SCRIPTS}/nodes-up-prolog.sh`,
    ...(staticNodes.length > 0 && { SuspendExcNodes: staticNodes.join(',') }),
  };
}

function renderNodes(nodes: ComputeNodes, { address }: HeadNodeAddress): string {
  return attributes({
    NodeName: nodeList(nodes),
    NodeAddr: address,
    NodeHostname: nodeList(nodes),
    Port: portList(nodes),
    CPUs: NODE_CPUS,
    RealMemory: NODE_MEMORY_MEBIBYTES,
    State: 'CLOUD',
    // ParallelCluster's own features, which jobs may ask for by --constraint.
    Feature: `${nodes.kind},${nodes.instanceType},${nodes.computeResource}`,
    // Static nodes first, as StaticNodePriority and DynamicNodePriority are by default.
    Weight: nodes.kind === 'static' ? 1 : 1000,
  });
}

function renderPartition(queue: Queue, nodes: readonly ComputeNodes[], isDefault: boolean): string {
  const ownNodes = nodes.filter((each) => each.queue === queue.name).map(nodeList);
  const { maxTimeSeconds } = queue;
  return attributes({
    PartitionName: queue.name,
    Nodes: ownNodes.join(','),
    Default: isDefault ? 'YES' : 'NO',
    MaxTime: maxTimeSeconds === undefined ? 'INFINITE' : Math.ceil(maxTimeSeconds / 60),
    State: 'UP',
  });
}

/** slurmdbd.conf: holds the database's password, so slurmdbd insists on mode 600. */
export function renderSlurmdbdConf(
  { address, hostname }: HeadNodeAddress,
  database: AccountingDatabase,
): string {
  return lines(
    assignments({
      AuthType: 'auth/munge',
      CommunicationParameters: 'NoInAddrAny',
      DbdHost: hostname,
      DbdAddr: address,
      SlurmUser: 'slurm',
      StorageType: 'accounting_storage/mysql',
      StorageHost: database.address,
      StoragePort: database.port,
      StorageUser: database.user,
      StoragePass: database.password,
      StorageLoc: database.name,
      PidFile: '/run/slurm/slurmdbd.pid',
      LogFile: '/var/log/slurm/slurmdbd.log',
    }),
  );
}

/** sshd_config: by key only, on the cluster's own address only. */
export function renderSshdConfig({ address }: HeadNodeAddress): string {
  return lines([
    'Port 22',
    `ListenAddress ${address}`,
    'HostKey /etc/ssh/ssh_host_ed25519_key',
    'PermitRootLogin no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'UseDNS no',
    'PrintMotd no',
    // The post-quantum default doubles the time of every connection.
    'KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org',
    'PidFile /run/sshd.pid',
    'Subsystem sftp internal-sftp',
  ]);
}

/** /etc/hosts: every compute node is found at the head node's address. */
export function renderHosts({ address, hostname }: HeadNodeAddress, nodes: readonly ComputeNodes[]): string {
  const names = [hostname, ...nodes.flatMap(nodeNames)];
  return lines(['127.0.0.1 localhost', ...names.map((name) => `${address} ${name}`)]);
}

/** /etc/parallelcluster/cfnconfig, which custom actions source to learn where they run. */
export function renderCfnConfig(spec: HeadNodeSpec): string {
  return lines(
    assignments({
      stack_name: spec.clusterName,
      cfn_node_type: 'HeadNode',
      cfn_scheduler: 'slurm',
      cfn_cluster_user: spec.adminUser,
    }),
  );
}

/** How the node's EC2 behaves: what cloud-nodes.sh sources. */
export function renderEc2Settings({ bootSeconds, maxInstances, minuteSeconds }: CloudOptions): string {
  return lines(
    assignments({
      BOOT_SECONDS: bootSeconds,
      MAX_INSTANCES: maxInstances,
      // aws-parallelcluster-node 3.11: `insufficient_capacity_timeout` (600 s) and clustermgtd's `loop_time` (60 s).
      CAPACITY_TIMEOUT_SECONDS: 10 * minuteSeconds,
      HEALTH_CHECK_SECONDS: minuteSeconds,
    }),
  );
}

/** The nodes that always run, a name a line, for the init script. */
export function renderStaticNodes(nodes: readonly ComputeNodes[]): string {
  return lines(nodes.filter(({ kind }) => kind === 'static').map(nodeList));
}

function assignments(settings: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(settings).map(([key, value]) => `${key}=${value}`);
}

function attributes(settings: Readonly<Record<string, string | number>>): string {
  return assignments(settings).join(' ');
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
