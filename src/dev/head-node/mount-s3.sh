#!/bin/bash
# mount-s3 of a stand-in head node: as much of Mountpoint for Amazon S3 as assets/s3-mounts.sh uses, by s3fs.
#
# usage: mount-s3 BUCKET FOLDER [OPTION...]
#
# What is closed is in S3 when close() returns, as with Mountpoint. Unlike it, s3fs also writes in place and renames.
# /etc/stand-in-s3/endpoint has the address of the emulated S3, which checks no credentials.
set -euo pipefail

readonly SETTINGS=/etc/stand-in-s3
bucket=$1 folder=$2
shift 2
prefix='' options=(use_path_request_style compat_dir complement_stat)
while (($# > 0)); do
  case $1 in
    --prefix) prefix=$2 && shift ;;
    --uid) options+=("uid=$2") && shift ;;
    --gid) options+=("gid=$2") && shift ;;
    --region | --file-mode) shift ;;
    --dir-mode) options+=(umask=0027 mp_umask=0027) && shift ;;
    --read-only) options+=(ro umask=0022 mp_umask=0022) ;;
    --allow-other) options+=(allow_other) ;;
    --allow-delete | --allow-overwrite) ;;
    *)
      echo "mount-s3 of the stand-in knows no $1" >&2
      exit 2
      ;;
  esac
  shift
done

read -r endpoint <"$SETTINGS/endpoint"
install -m 600 /dev/stdin "$SETTINGS/passwd" <<<'stand-in:stand-in'
path=$bucket
if [[ -n $prefix ]]; then
  path=$bucket:/${prefix%/}
  # s3fs wants a folder there; S3 has none, and Mountpoint wants none.
  python3 - "$endpoint/$bucket/$prefix" <<'EOF'
import sys, urllib.error, urllib.request
headers = {"content-type": "application/x-directory", "x-amz-meta-mode": str(0o40750)}
try:
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], data=b"", method="PUT", headers=headers))
except urllib.error.HTTPError as error:
    # An earlier node has made it, and who names no account may not replace it.
    if error.code != 403:
        raise
EOF
fi
exec s3fs "$path" "$folder" -o "url=$endpoint,passwd_file=$SETTINGS/passwd,$(IFS=,; echo "${options[*]}")"
