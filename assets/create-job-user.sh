#!/bin/bash
# Creates the user that jobs run as, who may log in with exactly one key and may not administer anything.
#
# usage: create-job-user.sh USER UID PUBLIC_KEY
#
# Run as root by ParallelCluster (OnNodeConfigured) on the head node and on every compute node; running it again
# changes nothing. /home is shared: on a compute node it usually holds what the head node made, and what the user's
# own jobs made of it. So everything below /home/USER is written with the user's rights and not with root's: a job
# could have put a link to one of root's files there.
set -euo pipefail

fail() {
  echo "create-job-user: $1" >&2
  exit 1
}

[[ $# -eq 3 ]] || fail "expected USER UID PUBLIC_KEY, got $# arguments"
user=$1
uid=$2
public_key=$3
home=/home/$user

[[ $user =~ ^[a-z][a-z0-9-]{0,30}$ ]] || fail "not a user name: $user"
[[ $uid =~ ^[1-9][0-9]{3,5}$ ]] || fail "not an id between 1000 and 999999: $uid"
[[ $public_key =~ ^ssh-ed25519\ [A-Za-z0-9+/]+=*$ ]] || fail "not an Ed25519 public key without comment"

if ! getent group "$user" >/dev/null; then
  groupadd --gid "$uid" "$user"
fi
if ! getent passwd "$user" >/dev/null; then
  useradd --uid "$uid" --gid "$user" --home-dir "$home" --create-home --shell /bin/bash "$user"
fi
# Files in shared storage belong to numbers: with another one the user would not own its own home.
[[ $(id -u "$user"):$(id -g "$user") == "$uid:$uid" ]] || fail "$user exists with the ids $(id "$user")"

# No password fits `*`, and unlike `!` it does not count as locked, which makes sshd refuse keys as well.
# No supplementary group, above all not one that sudo knows.
usermod --password '*' --groups '' "$user"

# The home is missing when the account was there already; one that is there keeps its contents.
[[ -d $home ]] || install -d -o "$user" -g "$user" "$home"

# shellcheck disable=SC2016 # expanded by the inner shell
runuser -u "$user" -- /bin/bash -euc '
  umask 077
  chmod 700 "$1"
  cd "$1"
  [[ -d .ssh && ! -L .ssh ]] || { rm -rf .ssh; mkdir .ssh; }
  chmod 700 .ssh
  new=$(mktemp .ssh/authorized_keys.XXXXXX)
  printf "%s\n" "$2" >"$new"
  # By renaming, because sshd may read at any moment and other nodes may do the same right now.
  mv -fT "$new" .ssh/authorized_keys
' create-job-user "$home" "$public_key"
