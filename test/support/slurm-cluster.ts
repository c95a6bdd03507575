import { readFile } from 'node:fs/promises';
import ssh2 from 'ssh2';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SlurmSsh } from '../../src/clients/slurm-ssh.ts';
import type { CloudOptions } from '../../src/dev/head-node/cloud-options.ts';
import type { HeadNodeSpec, Queue } from '../../src/dev/head-node/head-node-spec.ts';
import type { ExecResult } from '../../src/dev/head-node/node-process.ts';
import { newEpochId } from '../../src/domain/ids.ts';
import type { RootImageSuite } from '../../src/dev/head-node/root-image.ts';
import { jobEnvironment } from './job-environment.ts';
import { asJobUser, smallCluster, startHeadNodeRig } from './head-nodes.ts';
import type { HeadNodeRig } from './head-nodes.ts';
import { slurmRestActions } from './slurm-rest.ts';
import type { SlurmRestTrust } from './slurm-rest.ts';

/** A real cluster with the job user `sim`, and a gateway that logs in as that user. */
export interface SlurmCluster {
  readonly gateway: SlurmSsh;
  readonly head: HeadNode;
  /** Of the job user, in OpenSSH form. */
  readonly privateKey: string;
  /** Of the administrator; the job user's unless `ownAdminKey`. */
  readonly adminPrivateKey: string;
  /** Runs as root inside the head node. */
  asRoot(script: string): Promise<ExecResult>;
  /** Runs a program as the job user. */
  asSim(...argv: string[]): Promise<string>;
  /** Logs in as a person does, with a terminal, and returns how to log out. */
  openTerminal(): Promise<() => void>;
  /** A gateway of its own, as another worker has. */
  newGateway(): SlurmSsh;
  /** How long the controller remembers jobs that have ended (`MinJobAge`). */
  setMinJobAge(seconds: number): Promise<void>;
  /** Ends the controller at once, without a chance to save its state. */
  killController(): Promise<void>;
  startController(): Promise<void>;
  /** As a machine after a power failure: everything is killed and starts again, with its files. */
  restart(): Promise<void>;
  /** Keeps what the controller has saved, once that names a job of this comment, for {@link forgetSince}. */
  rememberState(comment: string): Promise<void>;
  /**
   * Kills the controller and starts it with the state that was kept: it has forgotten the jobs that it accepted since
   * and uses their ids again, as after a crash it forgets those of its last 5 s.
   */
  forgetSince(): Promise<void>;
  close(): Promise<void>;
}

const CLUSTER = 'slurm-contract';

export interface SlurmClusterOptions extends Pick<
  HeadNodeSpec,
  'customSlurmSettings' | 'scaledownIdleTimeMinutes'
> {
  /** So many nodes that are started when a job wants them, `debug-dy-t3-<n>`, in place of those that always run. */
  readonly dynamicNodes?: number;
  readonly cloud?: Partial<CloudOptions>;
  /** Decides the generation of Slurm; the current one if none is given. */
  readonly suite?: RootImageSuite;
  /** Serves Slurm's REST API as well, for tokens of these keys. */
  readonly restApi?: SlurmRestTrust;
  /** One of several clusters of a rig that the test closes itself. */
  readonly of?: { readonly rig: HeadNodeRig; readonly clusterName: string };
  /** Another key for the administrator than for the job user, as the platform has it. */
  readonly ownAdminKey?: boolean;
}

/** Starts a cluster of one queue `debug` with two nodes that always run. */
export async function startSlurmCluster({
  suite = 'trixie',
  restApi,
  customSlurmSettings = {},
  scaledownIdleTimeMinutes,
  dynamicNodes,
  cloud = {},
  of,
  ownAdminKey = false,
}: SlurmClusterOptions = {}): Promise<SlurmCluster> {
  const rig = of?.rig ?? (await startHeadNodeRig({ suite, cloud }));
  const clusterName = of?.clusterName ?? CLUSTER;
  const keys = ssh2.utils.generateKeyPairSync('ed25519');
  const adminKeys = ownAdminKey ? ssh2.utils.generateKeyPairSync('ed25519') : keys;
  const createUser = await readFile(new URL('../../assets/create-job-user.sh', import.meta.url));
  const rest = restApi && (await slurmRestActions(restApi));
  const environment = await jobEnvironment();
  const spec = smallCluster(clusterName, {
    adminPublicKey: adminKeys.public.trim(),
    ...(dynamicNodes !== undefined && { queues: [dynamicQueue(dynamicNodes)] }),
    ...(scaledownIdleTimeMinutes !== undefined && { scaledownIdleTimeMinutes }),
    customSlurmSettings: {
      ...environment.settings,
      ...customSlurmSettings,
      ...rest?.settings,
    },
    ...(rest && { onNodeStart: [rest.onNodeStart] }),
    onNodeConfigured: [
      { name: 'create-job-user.sh', content: createUser, args: ['sim', '1500', keys.public.trim()] },
      environment.onNodeConfigured,
      ...(rest ? [rest.onNodeConfigured] : []),
    ],
  });
  const { address } = await rig.headNodes.start(spec);
  const gateways: SlurmSsh[] = [];
  const newGateway = () => {
    const gateway = new SlurmSsh({ loadPrivateKey: async () => Promise.resolve(keys.private) });
    gateways.push(gateway);
    return gateway;
  };
  const gateway = newGateway();
  const epoch = newEpochId(Date.now(), '0a1b2');
  const access = { address, port: 22, user: 'sim', privateKeySecretArn: 'arn:of-the-key' };
  const hostKey = await gateway.readHostKey({ epoch, access });
  const asRoot = async (script: string) => rig.headNodes.exec(clusterName, ['bash', '-c', script]);
  const killController = async () => {
    // Its name after a reconfiguration is that of the file: slurmctld-wlm.
    await asRoot('pkill -KILL ^slurmctld; while pgrep ^slurmctld >/dev/null; do sleep 0.05; done');
  };
  const startController = async () => {
    const daemon = 'setpriv --reuid slurm --regid slurm --clear-groups slurmctld -D';
    const { code, stderr } = await asRoot(
      `setsid ${daemon} </dev/null >>/var/log/slurm/slurmctld.out 2>&1 &
      for i in {1..100}; do scontrol ping | grep -q 'is UP' && sinfo -h -o %T | grep -qE 'idle|mixed|allocated' && exit 0; sleep 0.1; done
      exit 1`,
    );
    if (code !== 0) throw new Error(`the controller did not come back: ${stderr}`);
  };
  return {
    gateway,
    head: { epoch, access: { ...access, hostKey } },
    privateKey: keys.private,
    adminPrivateKey: adminKeys.private,
    asRoot,
    asSim: async (...argv) => asJobUser(rig, clusterName, argv),
    async openTerminal() {
      const client = new ssh2.Client();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      client.once('error', reject);
      client.once('ready', () => client.shell((error) => (error ? reject(error) : resolve())));
      client.connect({ host: address, username: 'sim', privateKey: keys.private });
      await promise;
      return () => client.end();
    },
    newGateway,
    async setMinJobAge(seconds) {
      await asRoot(
        `sed -i 's/^MinJobAge=.*/MinJobAge=${seconds}/' /etc/slurm/slurm.conf && scontrol reconfigure`,
      );
    },
    killController,
    startController,
    async restart() {
      await rig.headNodes.kill(clusterName);
      await rig.headNodes.start(spec);
    },
    async rememberState(comment) {
      const { code } = await asRoot(
        `for i in {1..200}; do grep -qaF '${comment}' /var/spool/slurmctld/job_state && break; sleep 0.1; done
         rm -rf /var/spool/kept; cp -a /var/spool/slurmctld /var/spool/kept && grep -qaF '${comment}' /var/spool/kept/job_state`,
      );
      if (code !== 0) throw new Error(`the controller has not saved ${comment}`);
    },
    async forgetSince() {
      await killController();
      await asRoot('rm -rf /var/spool/slurmctld; cp -a /var/spool/kept /var/spool/slurmctld');
      await startController();
    },
    async close() {
      for (const each of gateways) each.close();
      await (of ? rig.headNodes.stop(clusterName) : rig.close());
    },
  };
}

function dynamicQueue(maxCount: number): Queue {
  return { name: 'debug', computeResources: [{ name: 't3', instanceType: 't3.micro', maxCount }] };
}
