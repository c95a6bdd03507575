import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HeadNodeRig } from '../support/head-nodes.ts';
import { smallCluster, startHeadNodeRig } from '../support/head-nodes.ts';

const CLUSTER = 'job-folders';
const PROGRAM = '/usr/local/bin/job-environment';
const DISK = '/var/lib/parallelcluster-provisioner';
const DRIVES = '/scratch/parallelcluster-provisioner';

let rig: HeadNodeRig;

beforeAll(async () => {
  rig = await startHeadNodeRig();
  await rig.headNodes.start(smallCluster(CLUSTER));
  const script = await readFile(new URL('../../assets/job-environment.sh', import.meta.url));
  await rig.headNodes.exec(CLUSTER, ['bash', '-c', `cat >${PROGRAM}; chmod 755 ${PROGRAM}`], script);
});
afterAll(async () => rig?.close());

/**
 * Runs commands as root with disks of their own, which vanish with the process. `prolog ID` and `epilog ID` are the
 * script as slurmd runs it, both for `sim` unless another number is given; `mount_drives` mounts local drives as
 * ParallelCluster does.
 */
async function onNode(commands: string): Promise<string> {
  const prepared = `
    mount -t tmpfs -o mode=1777 tmpfs /scratch
    mount -t tmpfs -o mode=755 tmpfs ${DISK}
    as_slurm() { env -i SLURM_SCRIPT_CONTEXT="$1" SLURM_JOB_ID="$2" SLURM_JOB_UID="\${3-$(id -u sim)}" SLURMD_NODENAME=n1 ${PROGRAM}; }
    prolog() { as_slurm prolog_slurmd "$@"; }
    epilog() { as_slurm epilog_slurmd "$@"; }
    mount_drives() { mount -t tmpfs -o "mode=1777,\${1-size=1m}" /dev/mapper/vg.01-lv_ephemeral /scratch; }
    as_sim() { setpriv --reuid sim --regid sim --clear-groups bash -euc "$1"; }
    tmpdir() { as_sim "SLURM_SCRIPT_CONTEXT=prolog_task SLURM_JOB_ID=$1 ${PROGRAM}" | sed -n 's/^export TMPDIR=//p'; }
    ${commands}`;
  const argv = ['unshare', '--mount', '--propagation', 'private', 'bash', '-euc', `exec 2>&1; ${prepared}`];
  const { stdout } = await rig.headNodes.exec(CLUSTER, argv);
  return stdout.trim();
}

describe('the folder of a job', () => {
  test('is on local drives where ParallelCluster has mounted some, and removed from there', async () => {
    const output = await onNode(`
      mount_drives; prolog 7
      stat -c '%U %a %n' ${DRIVES} ${DRIVES}/job-7; tmpdir 7; ls -A ${DISK}
      epilog 7; ls -A ${DRIVES}`);
    expect(output).toBe(`root 711 ${DRIVES}\nsim 700 ${DRIVES}/job-7\n${DRIVES}/job-7`);
  });

  test('is not on a /scratch that is another file system, such as one that nodes share', async () => {
    expect(await onNode('prolog 7; ls -A /scratch; tmpdir 7')).toBe(`${DISK}/job-7`);
  });

  test.each([
    ['a folder', `mkdir ${DRIVES}; ln -s /etc/target ${DRIVES}/job-7`],
    ['a link', `ln -s /etc/target ${DRIVES}`],
  ])(
    'is on the node’s own disk when a job has put %s in the place of ours on the drives',
    async (_, attack) => {
      const output = await onNode(`
      mkdir -p /etc/target; touch /etc/target/ended-1
      mount_drives; as_sim '${attack}'
      prolog 7; tmpdir 7; epilog 7
      stat -c '%U' /etc/target; ls -A /etc/target; ls -A ${DISK}; rm -r /etc/target`);
      expect(output).toBe(`${DISK}/job-7\nroot\nended-1`);
    },
  );

  test('is removed without following links out of it, also where the user has closed folders', async () => {
    const output = await onNode(`
      mkdir -p /etc/target; echo kept >/etc/target/file
      prolog 7
      as_sim 'cd ${DISK}/job-7; ln -s /etc/target link; mkdir -p closed/below; ln -s /etc/target closed/link; chmod 0 closed'
      epilog 7; ls -A ${DISK}; cat /etc/target/file; rm -r /etc/target`);
    expect(output).toBe('kept');
  });

  test('is empty although a former run of the job has left one', async () => {
    const output = await onNode(`
      prolog 7; as_sim 'touch ${DISK}/job-7/left'
      prolog 7; ls -A ${DISK}/job-7; epilog 7; ls -A ${DISK}`);
    expect(output).toBe('');
  });

  test('is that of the job alone: another one stays', async () => {
    expect(await onNode(`prolog 7; prolog 71; epilog 7; ls -A ${DISK}`)).toBe('job-71');
  });
});

describe('prolog and epilog succeed', () => {
  test('when there is no room for a folder', async () => {
    const output = await onNode(`
      mount_drives nr_inodes=2
      prolog 7 && echo started; tmpdir 7; epilog 7 && echo ended`);
    expect(output.split('\n').filter((line) => !line.startsWith('mkdir:'))).toEqual(['started', 'ended']);
  });

  test('for a user that the node does not know', async () => {
    expect(await onNode(`prolog 7 4242; epilog 7 4242 && echo ended; ls -A ${DISK}`)).toMatch(
      /no such user\nended$/,
    );
  });

  test.each(['../../etc/target', '7 8', '', '$(touch /etc/target/x)'])(
    'and touch nothing when the number of the job is %j',
    async (id) => {
      const output = await onNode(`
        mkdir -p /etc/target
        prolog '${id}' && epilog '${id}' && echo ended; ls -A ${DISK} /etc/target; rm -r /etc/target`);
      expect(output).toBe(`ended\n/etc/target:\n\n${DISK}:`);
    },
  );
});

describe('the installation', () => {
  test('is refused where Slurm is not ParallelCluster’s, and says so', async () => {
    const output = await onNode(`mount -t tmpfs tmpfs /opt; ${PROGRAM} install || echo "exit code $?"`);
    expect(output).toBe(
      'job-environment: there is no /opt/slurm/etc/scripts/prolog.d or no /opt/slurm/etc/scripts/epilog.d: ' +
        'is this a head node of ParallelCluster?\nexit code 1',
    );
  });

  test('changes nothing when it is repeated', async () => {
    const state = 'find /opt/slurm/etc/ /home/shared -printf "%p %m %u %l\\n" | sort | sha256sum';
    const output = await onNode(`${PROGRAM} install; ${state}; ${PROGRAM} install; ${state}`);
    const [first, second] = output.split('\n');
    expect(second).toBe(first);
  });
});
