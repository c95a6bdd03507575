import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlurmRest } from '../../src/clients/slurm-rest.ts';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SshConnection } from '../../src/clients/ssh-connection.ts';
import { startHeadNodeRig } from '../support/head-nodes.ts';
import type { HeadNodeRig } from '../support/head-nodes.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newSigningKey } from '../support/slurm-rest.ts';
import { withRestAccess } from '../support/slurm-rigs.ts';

/*
 * Two tenants whose clusters run at once, and what one may not read of the other, also as root of its head node.
 * Every refusal stands beside the same attempt at the own cluster, which succeeds: so it is refused for its reason.
 * The stand-in's network is one loopback, on which everything is reached that a security group closes on AWS.
 */
const CLUSTERS = { a: 'pcluster-lab-a', b: 'pcluster-lab-b' } as const;
const SECRET = 'only-for-tenant-b';

interface TenantCluster extends SlurmCluster {
  readonly signingKey: string;
  /** With its REST API. */
  readonly served: HeadNode;
}

let rig: HeadNodeRig;
let a: TenantCluster;
let b: TenantCluster;
const gateways: SlurmRest[] = [];

async function startCluster(clusterName: string): Promise<TenantCluster> {
  const signingKey = newSigningKey();
  const cluster = await startSlurmCluster({
    of: { rig, clusterName },
    ownAdminKey: true,
    restApi: { trust: 'epoch-key', signingKeys: [signingKey] },
  });
  return { ...cluster, signingKey, served: await withRestAccess(cluster, 'epoch-key') };
}

beforeAll(async () => {
  rig = await startHeadNodeRig();
  [a, b] = await Promise.all([startCluster(CLUSTERS.a), startCluster(CLUSTERS.b)]);
  await b.asSim('bash', '-c', `echo ${SECRET} | tee "$HOME/result" >/scratch/result`);
  await b.asSim('sbatch', `--job-name=${SECRET}`, '--parsable', '--output=/dev/null', '--wrap=sleep 600');
});
afterAll(async () => {
  for (const gateway of gateways) gateway.close();
  await Promise.all([a?.close(), b?.close()]);
  await rig?.close();
});

/** A value of a daemon's configuration. */
async function setting(cluster: SlurmCluster, file: string, name: string): Promise<string> {
  const { stdout } = await cluster.asRoot(`sed -n 's/^${name}=//p' /etc/slurm/${file}`);
  return stdout.trim();
}

/** Asks the database as slurmdbd of `cluster` does; the password stands in a file of root. */
async function askDatabase(cluster: SlurmCluster, statement: string) {
  return cluster.asRoot(`umask 077
    value() { sed -n "s/^$1=//p" /etc/slurm/slurmdbd.conf; }
    printf '[client]\\nhost=%s\\nport=%s\\nuser=%s\\npassword=%s\\n' "$(value StorageHost)" "$(value StoragePort)" \\
      "$(value StorageUser)" "$(value StoragePass)" >/root/client.cnf
    mariadb --defaults-file=/root/client.cnf --batch --skip-column-names -e '${statement}'`);
}

/** As whoever runs the database: by the statements of the documentation. */
async function makeDocumentedAccount(): Promise<string> {
  const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, sql = expect.unreachable('no SQL there')] = /^```sql\n([^]*?)^```$/m.exec(text) ?? [];
  const namespaces = ['--target', String(rig.database.pid), '--mount', '--pid'];
  await execa('nsenter', [...namespaces, '--', 'mariadb'], { input: sql });
  return '<password>';
}

/** Logs in on a cluster and says who that is. */
async function logIn({ head }: SlurmCluster, user: string, privateKey: string): Promise<string> {
  const { address, hostKey } = head.access;
  const timeouts = { connectSeconds: 20, keepAliveSeconds: 20 };
  const connection = await SshConnection.open({ address, port: 22, user, hostKey }, privateKey, timeouts);
  try {
    const options = { timeoutSeconds: 20, maxOutputBytes: 1000, purpose: 'who am I' };
    return (await connection.run('id -un', options)).stdout.toString().trim();
  } finally {
    connection.close();
  }
}

function restOf(cluster: SlurmCluster, signingKey: string): SlurmRest {
  const loadSigningKey = async () => Promise.resolve(signingKey);
  const gateway = new SlurmRest({ loadSigningKey, overSsh: cluster.gateway });
  gateways.push(gateway);
  return gateway;
}

/** As root of `from`: one of Slurm's programs with the configuration of `of`, and so at its daemons. */
async function atDaemonsOf(of: SlurmCluster, from: SlurmCluster, command: string, munge = '') {
  const { stdout: conf } = await of.asRoot('cat /etc/slurm/slurm.conf');
  const own = munge ? conf.replace(/^AuthInfo=.*$/m, `AuthInfo=socket=${munge}`) : conf;
  const encoded = Buffer.from(own).toString('base64');
  return from.asRoot(
    `mkdir -p /root/foreign; base64 --decode <<<'${encoded}' >/root/foreign/slurm.conf
     cp /etc/slurm/cgroup.conf /root/foreign/; SLURM_CONF=/root/foreign/slurm.conf timeout 60 ${command}`,
  );
}

describe('as root of the head node of another tenant', () => {
  it('nothing of a tenant’s home and scratch is found', async () => {
    const search = `grep -rlsF ${SECRET} /home /scratch /tmp /var/spool /var/log /run`;
    expect((await b.asRoot(search)).stdout).toContain('/home/sim/result\n/scratch/result');
    expect(await a.asRoot(search)).toMatchObject({ code: 1, stdout: '' });
  });

  it('none of its processes and none of its daemons’ logs is seen', async () => {
    const host = await setting(b, 'slurmdbd.conf', 'DbdHost');
    const search = `cat /proc/[0-9]*/environ /var/log/slurm/*.log 2>/dev/null | tr '\\0' '\\n' | grep -aFc -e ${host}`;
    expect(Number((await b.asRoot(search)).stdout)).toBeGreaterThan(0);
    expect((await a.asRoot(search)).stdout).toBe('0\n');
  });

  it('its accounting database is refused to the account that this cluster has', async () => {
    const [ownName, foreignName] = await Promise.all(
      [a, b].map(async (cluster) => setting(cluster, 'slurmdbd.conf', 'StorageLoc')),
    );
    const tables = (name: string | undefined) => `SELECT COUNT(*) > 0 FROM ${name}.cluster_table`;
    expect(await askDatabase(a, tables(ownName))).toMatchObject({ code: 0, stdout: '1\n' });
    expect(await askDatabase(b, tables(foreignName))).toMatchObject({ code: 0, stdout: '1\n' });
    const denied = { code: 1, stderr: expect.stringMatching(/denied/) as unknown };
    expect(await askDatabase(a, tables(foreignName))).toMatchObject(denied);
    expect(await askDatabase(a, `CREATE TABLE ${foreignName}.mine (id INT)`)).toMatchObject(denied);
    expect(await askDatabase(a, `DROP DATABASE ${foreignName}`)).toMatchObject(denied);
    expect(await askDatabase(a, 'SELECT User FROM mysql.user')).toMatchObject(denied);
    expect((await askDatabase(a, 'SHOW DATABASES')).stdout.split('\n')).not.toContain(foreignName);
  });

  it.each([
    ['the embedded stack', async (name: string) => (await rig.database.createDatabase(name, name)).password],
    ['the documentation', makeDocumentedAccount],
  ])('a database whose name fits another’s as a pattern is refused to the account of %s', async (_, make) => {
    // `_` stands for any character in the names of GRANT.
    const [own, foreign] = ['pcluster_lab_cortex', 'pcluster_labxcortex'];
    const password = await make(own);
    const { address } = await rig.database.createDatabase(foreign, foreign);
    const login = `--host=${address} --user=${own}`;
    const ask = async (name: string) =>
      a.asRoot(`MYSQL_PWD='${password}' mariadb ${login} -e 'CREATE TABLE ${name}.probe (id INT)'`);
    expect(await ask(own)).toMatchObject({ code: 0 });
    expect(await ask(foreign)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('denied') as unknown,
    });
    for (const name of [own, foreign]) await rig.database.dropDatabase(name, name);
  });

  it('its queue and its accounting are refused, because munge’s key is another', async () => {
    expect((await atDaemonsOf(b, b, 'squeue --noheader --format=%j')).stdout).toBe(`${SECRET}\n`);
    for (const command of [
      'squeue',
      'scontrol show jobs',
      'sbatch --wrap=id',
      'scontrol shutdown',
      'sacct --allusers',
    ]) {
      const { code, stdout, stderr } = await atDaemonsOf(b, a, command);
      expect({ command, code, stdout }).toMatchObject({
        code: 1,
        stdout: expect.not.stringContaining(SECRET) as unknown,
      });
      expect(stderr).toMatch(/authentication error|Protocol|Unable to contact|Zero Bytes|dbd/i);
    }
    const { stdout: log } = await b.asRoot(
      'grep -hi munge /var/log/slurm/slurmctld.log /var/log/slurm/slurmdbd.log',
    );
    expect(log).toMatch(/Munge decode failed: Invalid credential/);
    expect((await b.asRoot('scontrol ping')).stdout).toContain('is UP');
  });

  it('its queue is not known by its cluster’s name', async () => {
    const name = await setting(b, 'slurm.conf', 'ClusterName');
    const answer = await a.asRoot(`squeue --clusters=${name}`);
    expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining(name) as unknown });
  });
});

describe('the keys of one tenant', () => {
  it.each(['sim', 'ec2-user'])('do not open the account %s of another', async (user) => {
    const keyOf = ({ privateKey, adminPrivateKey }: SlurmCluster) =>
      user === 'sim' ? privateKey : adminPrivateKey;
    expect(await logIn(b, user, keyOf(b))).toBe(user);
    await expect(logIn(b, user, keyOf(a))).rejects.toMatchObject({
      type: 'HeadNodeUnreachable',
      message: expect.stringMatching(/authentication methods failed/) as unknown,
    });
  });

  it('do not open the administrator’s account with the job user’s, nor the other way round', async () => {
    await expect(logIn(b, 'ec2-user', b.privateKey)).rejects.toThrow(/authentication methods failed/);
    await expect(logIn(b, 'sim', b.adminPrivateKey)).rejects.toThrow(/authentication methods failed/);
  });

  it('sign no token for the REST API of another', async () => {
    await expect(restOf(b, b.signingKey).observe(b.served, {})).resolves.toBeDefined();
    await expect(restOf(b, a.signingKey).observe(b.served, {})).rejects.toMatchObject({
      type: 'SlurmTokenRefused',
    });
  });
});

describe('the secrets of a deployment', () => {
  it('are useless in the next one of the same tenant', async () => {
    const old = b;
    const { stdout: oldMungeKey } = await old.asRoot('base64 --wrap=0 /etc/munge/munge.key');
    await old.close();
    b = await startCluster(CLUSTERS.b);

    expect(await logIn(b, 'sim', b.privateKey)).toBe('sim');
    await expect(logIn(b, 'sim', old.privateKey)).rejects.toThrow(/authentication methods failed/);
    expect(await logIn(b, 'ec2-user', b.adminPrivateKey)).toBe('ec2-user');
    await expect(logIn(b, 'ec2-user', old.adminPrivateKey)).rejects.toThrow(/authentication methods failed/);

    const pinned = { ...b.head, access: { ...b.head.access, hostKey: old.head.access.hostKey } };
    await expect(b.gateway.ping(b.head)).resolves.toBeDefined();
    await expect(b.gateway.ping(pinned)).rejects.toMatchObject({ type: 'HostKeyMismatch' });

    await expect(restOf(b, b.signingKey).observe(b.served, {})).resolves.toBeDefined();
    await expect(restOf(b, old.signingKey).observe(b.served, {})).rejects.toMatchObject({
      type: 'SlurmTokenRefused',
    });
    expect(b.served.access.slurmApi?.certificateSha256).not.toBe(
      old.served.access.slurmApi?.certificateSha256,
    );

    // From the head node of another, whose munged is started once more with the old key.
    const socket = '/run/munge/old.socket';
    const files = ['pid', 'log', 'seed'].map((kind) => `--${kind}-file=/run/munge/old.${kind}`).join(' ');
    const started = await a.asRoot(
      `base64 --decode <<<'${oldMungeKey}' | install -o munge -g munge -m 400 /dev/stdin /run/munge/old.key
       setpriv --reuid munge --regid munge --clear-groups munged --key-file=/run/munge/old.key --socket=${socket} ${files}
       munge --socket=${socket} --no-input | unmunge --socket=${socket} | head -n 1`,
    );
    expect(started.stdout).toContain('Success');
    const { code, stderr } = await atDaemonsOf(b, a, 'squeue', socket);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/authentication error|Protocol/i) as unknown,
    });
    await a.asRoot('kill "$(cat /run/munge/old.pid)"');
  });
});
