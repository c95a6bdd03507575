#!/bin/bash
# Process 1 of a node: mounts its root, starts the daemons of its role, and ends when its standard input does.
#
# Environment: NODE_ROLE (cluster|database), NODE_IMAGE, NODE_DIRECTORY, NODE_ADDRESS, NODE_HOSTNAME, and what the
#   role's script asks for. No value is ever evaluated as shell code.
# Standard input: held open by the owner for as long as the node shall live; its end stops the node gracefully.
# Standard output, one message a line: `pid N` (as the host sees it), then `ready`, or `failed REASON`.
# Standard error: the log. A failure before `ready` ends with a non-zero exit code; with process 1 everything is gone.
set -eEuo pipefail

exec 3<&0 </dev/null 4>&1 1>&2
tell() { printf '%s\n' "$*" >&4; }
fail() {
  tell "failed $*"
  exit 1
}
trap 'fail "$BASH_COMMAND (${BASH_SOURCE[0]##*/}, line $LINENO)"' ERR

# The host's /proc is still in place here, so this is the number by which the host knows this process.
read -r host_pid _ </proc/self/stat
tell "pid $host_pid"

# shellcheck source-path=SCRIPTDIR source=cluster.sh
source "$(dirname "${BASH_SOURCE[0]}")/$NODE_ROLE.sh"

# Starts a daemon that holds nothing open but its log.
daemon() { "$@" </dev/null 3<&- 4>&- & }

# await SECONDS COMMAND...: repeats it every 50 ms until it succeeds.
await() {
  local tries=$(($1 * 20))
  shift
  while ((tries-- > 0)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.05
  done
  return 1
}

port_open() { (exec 5<>"/dev/tcp/$NODE_ADDRESS/$1"); }
# Something that listens on all addresses of this machine would answer in our daemon's place.
refuse_taken_ports() {
  local port
  for port; do
    if port_open "$port" 2>/dev/null; then
      fail "port $port is taken: another program of this machine listens on it at all addresses or at $NODE_ADDRESS"
    fi
  done
}
await_port() { await 30 port_open "$1" || fail "nothing listens on $NODE_ADDRESS:$1 ($2)"; }

mount_devices() {
  local dev=$1/dev device
  mount -t tmpfs -o mode=755,size=1m dev "$dev"
  for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$dev/${device%:*}" c 1 "${device#*:}"
  done
  mknod -m 666 "$dev/tty" c 5 0
  if [[ -c /dev/fuse ]]; then mknod -m 666 "$dev/fuse" c 10 229; fi
  ln -s /proc/self/fd "$dev/fd"
  ln -s fd/0 "$dev/stdin"
  ln -s fd/1 "$dev/stdout"
  ln -s fd/2 "$dev/stderr"
  mkdir "$dev/pts" "$dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$dev/pts"
  ln -s pts/ptmx "$dev/ptmx"
  mount -t tmpfs -o mode=1777 shm "$dev/shm"
}

# The file holds source, target and ro|rw, each ended by a NUL character.
mount_binds() {
  local root=$1 fields index source target mode
  mapfile -d '' fields <"$NODE_DIRECTORY/seed/binds"
  for ((index = 0; index < ${#fields[@]}; index += 3)); do
    source=${fields[index]} target=$root/${fields[index + 1]} mode=${fields[index + 2]}
    [ -e "$source" ] || fail "the bind's source $source does not exist"
    if [ -d "$source" ]; then
      mkdir -p "$target"
    else
      mkdir -p "$(dirname "$target")"
      : >>"$target"
    fi
    mount --bind "$source" "$target"
    if [ "$mode" = ro ]; then mount -o remount,ro,bind "$target"; fi
  done
}

mount_root() {
  local root=$NODE_DIRECTORY/root file
  mount -t overlay overlay \
    -o "lowerdir=$NODE_IMAGE,upperdir=$NODE_DIRECTORY/upper,workdir=$NODE_DIRECTORY/work" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount_devices "$root"
  mount -t tmpfs -o mode=755 run "$root/run"
  mount -t tmpfs -o mode=1777 tmp "$root/tmp"
  mount --bind "$NODE_DIRECTORY/home" "$root/home"
  mount --bind "$NODE_DIRECTORY/scratch" "$root/scratch"
  mount --bind "$NODE_DIRECTORY/log" "$root/var/log"
  mkdir -m 700 "$root/run/seed"
  mount --bind "$NODE_DIRECTORY/seed" "$root/run/seed"
  mount_binds "$root"
  # The network is shared, so jobs resolve names and trust certificates as this machine does.
  for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
    if [ -r "$file" ]; then cat "$file" >"$root$file"; fi
  done
  cd "$root"
  pivot_root . old-root
  cd /
  umount -l /old-root
  # Compute nodes see what is mounted and unmounted here later, as they would on a network file system.
  mount --make-rshared /
}

mount_root
hostname "$NODE_HOSTNAME"
echo "$NODE_HOSTNAME" >/etc/hostname
install -m 644 /run/seed/hosts /etc/hosts
export HOME=/root LANG=C.UTF-8
start_daemons
umount /run/seed
tell ready

# From here on nothing that a command answers may end the node.
trap - ERR
set +eu
trap 'stop_daemons; exit 0' TERM
while read -r _ <&3; do :; done
stop_daemons
