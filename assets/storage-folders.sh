#!/bin/bash
# Lets the job user write into folders of a shared file system whose root belongs to root.
#
# usage: storage-folders.sh USER FOLDER...
#
# Run as root by ParallelCluster (OnNodeConfigured) on the head node, when the file system is mounted; running it again
# changes nothing. Only the folders themselves are given away, not what lies in them: that keeps the owners that it has
# in S3. No link is followed, for an earlier epoch's jobs could have put one there.
set -euo pipefail

fail() {
  echo "storage-folders: $1" >&2
  exit 1
}

[[ $# -ge 2 ]] || fail "expected USER FOLDER..., got $# arguments"
user=$1
shift
id -u "$user" >/dev/null 2>&1 || fail "there is no user $user"

for folder; do
  [[ $folder == /*/* ]] || fail "not a path below a file system: $folder"
  [[ $(realpath --canonicalize-missing -- "$folder") == "$folder" ]] || fail "a link stands in the way of $folder"
  mkdir -p -- "$folder"
  chown --no-dereference "$user:$user" -- "$folder"
  chmod 750 -- "$folder"
done
