import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

const ASSETS = join(import.meta.dirname, '../../assets');

/** Plays Mountpoint: it keeps its arguments, and another folder stands for the bucket. */
const MOUNT_S3 = `#!/bin/bash
echo "$*" >>/calls
[[ ! -e /broken ]] || exit 1
[[ -d $2 ]] || exit 2
mkdir -p "/s3/$1"
chown 2000:2000 "/s3/$1"
exec mount --bind "/s3/$1" "$2"`;

/** Plays systemd, as far as it starts programs of units. */
const SYSTEMCTL = `#!/bin/bash
echo "systemctl $*" >>/calls
[[ $1 == restart ]] || exit 0
$(sed -n 's/^ExecStart=//p' "/etc/systemd/system/$2.service")`;

/**
 * Runs commands as root on this machine, but in a root of their own, which vanishes with the process. `mounts` is the script
 * for a tenant; /calls has what it called.
 */
async function onNode(commands: string): Promise<{ exitCode: number | undefined; output: string }> {
  const inside = `
    set -eu
    useradd --uid 2000 --create-home sim
    printf '%s\\n' "$MOUNT_S3" >/usr/local/bin/mount-s3
    printf '%s\\n' "$SYSTEMCTL" >/usr/local/bin/systemctl
    chmod 755 /usr/local/bin/{mount-s3,systemctl}
    mounts() { /bin/bash /assets/s3-mounts.sh sim us-east-1 b-public b-private "\${1-lab1/cortex/}"; }
    ${commands}`;
  const outside = `
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/{upper,work,root}
    mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
    mount -t proc proc /mnt/root/proc
    mkdir /mnt/root/assets
    mount --rbind /dev /mnt/root/dev
    mount --bind "$ASSETS" /mnt/root/assets
    exec chroot /mnt/root /bin/bash -c "$INSIDE"`;
  const { exitCode, all } = await execa(
    'unshare',
    ['--mount', '--propagation', 'private', '/bin/bash', '-euc', outside],
    { env: { ASSETS, INSIDE: inside, MOUNT_S3, SYSTEMCTL }, all: true, reject: false },
  );
  return { exitCode, output: all };
}

describe('the script that mounts buckets', () => {
  test('mounts the public one to read and the tenant’s prefix of the private one to write, for the job user', async () => {
    const { output } = await onNode('mounts; cat /calls');
    expect(output.split('\n').filter((line) => !line.startsWith('systemctl daemon-reload'))).toEqual([
      'systemctl enable s3-mount-public',
      'systemctl restart s3-mount-public',
      'b-public /data/project/public --region us-east-1 --allow-other --uid 2000 --gid 2000 --read-only',
      'systemctl enable s3-mount-private',
      'systemctl restart s3-mount-private',
      'b-private /data/project/private --region us-east-1 --allow-other --uid 2000 --gid 2000 --prefix lab1/cortex/ ' +
        '--allow-delete --allow-overwrite --dir-mode 0750 --file-mode 0640',
    ]);
  });

  test('gives jobs the same folders as Lustre has, with scratch in the shared home', async () => {
    const { output } = await onNode(`mounts
      runuser -u sim -- bash -c 'echo result >/data/project/private/out; echo temporary >/data/scratch/file'
      cat /s3/b-private/out /home/sim/scratch/file
      stat -c '%U %a' /home/sim/scratch`);
    expect(output.split('\n')).toEqual(['result', 'temporary', 'sim 700']);
  });

  test('lets nobody write where nothing is mounted any more: it would be lost with the node', async () => {
    const { exitCode, output } = await onNode(`mounts; umount /data/project/private
      runuser -u sim -- bash -c 'echo lost >/data/project/private/out'`);
    expect(exitCode).not.toBe(0);
    expect(output).toContain('Permission denied');
  });

  test('changes nothing when it runs again', async () => {
    const { exitCode, output } = await onNode(
      `mounts; : >/calls; mounts; cat /calls; findmnt -rno TARGET | grep -c /data/`,
    );
    expect(exitCode).toBe(0);
    expect(output).toBe('2');
  });

  test('fails, and so ends its node, when a bucket cannot be mounted', async () => {
    const { exitCode, output } = await onNode('touch /broken; mounts');
    expect(exitCode).toBe(1);
    expect(output).toContain('s3-mounts: s3://b-public cannot be mounted');
  });

  test('fails where Mountpoint is neither in the image nor in a repository', async () => {
    const { exitCode, output } = await onNode('rm /usr/local/bin/mount-s3; mounts');
    expect(exitCode).toBe(1);
    expect(output).toContain(
      's3-mounts: mount-s3 is neither in the image nor in a repository of this system',
    );
  });

  test('installs Mountpoint from the repository of the system where the image lacks it', async () => {
    const { output } = await onNode(`mv /usr/local/bin/mount-s3 /hidden
      printf '#!/bin/bash\\necho "dnf $*" >>/calls; mv /hidden /usr/local/bin/mount-s3\\n' >/usr/local/bin/dnf
      chmod 755 /usr/local/bin/dnf; mounts; head -n 1 /calls`);
    expect(output).toBe('dnf --assumeyes --quiet install mount-s3');
  });

  test.each(['', '/', 'lab1', 'lab1/../other/', 'lab1/a b/', '--read-only/'])(
    'takes no prefix such as %j, which could name another tenant’s or an option',
    async (prefix) => {
      const { exitCode, output } = await onNode(`mounts '${prefix}'; cat /calls`);
      expect(exitCode).toBe(1);
      expect(output).toBe(`s3-mounts: not a prefix: ${prefix}`);
    },
  );
});
