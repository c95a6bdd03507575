#!/bin/bash
# Mounts what a tenant has in S3 on a node without Lustre, below /data as Lustre would be, by Mountpoint for Amazon S3:
# /data/project/public to read, /data/project/private (the tenant's own prefix) to read and write. /data/scratch is a folder
# of the job user's home, which is shared, too.
#
# usage: s3-mounts.sh USER REGION PUBLIC_BUCKET PRIVATE_BUCKET PREFIX      PREFIX ends in a slash
#
# Run as root by ParallelCluster (OnNodeConfigured) on the head node and on every compute node, once USER is there; running
# it again changes nothing. Nodes have no Internet: Mountpoint comes with the image, or from the repository of Amazon Linux
# 2023, which is a bucket that dnf reaches over the gateway endpoint of S3, and whose packages it checks by their signature.
# Credentials are those of the node's role.
set -euo pipefail

readonly DATA=/data UNITS=/etc/systemd/system
readonly MOUNT_SECONDS=60

fail() {
  echo "s3-mounts: $1" >&2
  exit 1
}

[[ $# -eq 5 ]] || fail "expected USER REGION PUBLIC_BUCKET PRIVATE_BUCKET PREFIX, got $# arguments"
user=$1 region=$2 public=$3 private=$4 prefix=$5
uid=$(id -u "$user" 2>/dev/null) || fail "there is no user $user"
gid=$(id -g "$user")
[[ $region =~ ^[a-z]{2}(-[a-z0-9]+)+$ ]] || fail "not a region: $region"
for bucket in "$public" "$private"; do
  [[ $bucket =~ ^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$ ]] || fail "not a bucket: $bucket"
done
# They become words of a unit of systemd.
[[ $prefix =~ ^([a-z0-9][a-z0-9-]*/)+$ ]] || fail "not a prefix: $prefix"

install_mountpoint() {
  if command -v mount-s3 >/dev/null; then return; fi
  command -v dnf >/dev/null || fail 'mount-s3 is neither in the image nor in a repository of this system'
  dnf --assumeyes --quiet install mount-s3 >&2 || fail 'mount-s3 is not in the image, and dnf cannot install it'
}

# mount_bucket NAME BUCKET OPTION...: at /data/project/NAME, also after a restart of the node or of Mountpoint.
mount_bucket() {
  local bucket=$2 folder=$DATA/project/$1 unit=s3-mount-$1 try
  shift 2
  if findmnt --mountpoint "$folder" >/dev/null; then return; fi
  mkdir -p "$folder"
  # While nothing is mounted nobody may write here: it would be on the node's own disk, and lost with it.
  chmod 555 "$folder"
  cat >"$UNITS/$unit.service" <<EOF
[Unit]
Description=s3://$bucket at $folder
Wants=network-online.target
After=network-online.target

[Service]
Type=forking
User=root
ExecStartPre=-/usr/bin/umount --lazy $folder
ExecStart=$(command -v mount-s3) $bucket $folder --region $region --allow-other --uid $uid --gid $gid $*
ExecStop=/usr/bin/umount $folder
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
EOF
  systemctl daemon-reload
  systemctl enable "$unit"
  systemctl restart "$unit" || fail "s3://$bucket cannot be mounted: see \`journalctl --unit $unit\`"
  for ((try = 0; try < MOUNT_SECONDS * 5; try++)); do
    if findmnt --mountpoint "$folder" >/dev/null; then return; fi
    sleep 0.2
  done
  fail "s3://$bucket is not mounted after $MOUNT_SECONDS s: see \`journalctl --unit $unit\`"
}

# With the user's rights: in a shared home an earlier job could have put a link in its place.
link_scratch() {
  local folder
  folder=$(getent passwd "$user" | cut -d : -f 6)/scratch
  # shellcheck disable=SC2016 # expanded by the inner shell
  runuser -u "$user" -- /bin/bash -euc 'umask 077; mkdir -p -- "$1"' s3-mounts "$folder"
  ln -sfnT "$folder" "$DATA/scratch"
}

install_mountpoint
mkdir -p "$DATA/project"
link_scratch
mount_bucket public "$public" --read-only
mount_bucket private "$private" --prefix "$prefix" --allow-delete --allow-overwrite --dir-mode 0750 --file-mode 0640
