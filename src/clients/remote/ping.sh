# Whether Slurm can be used. Run by bash in the job user's own name, behind columns.sh.
#
# Standard output: `pcp-answer`, then sections as in observe.sh: `ping` (scontrol ping), `partitions` (sinfo) and
# `settings` (AccountingStoreFlags), then `done`.
# shellcheck shell=bash
LC_ALL=C
readonly RS=$'\x1e'

printf 'pcp-answer\n'
section() {
  local name=$1 answer
  shift
  if answer=$("$@" 2>&1); then
    printf '%s%s\n%s\n%s%s ok\n' "$RS" "$name" "$answer" "$RS" "$name"
  else
    answer=${answer//[$'\n\r']/ }
    printf '%sfailed %s: %s\n' "$RS" "$name" "${answer:-no message}"
    exit 0
  fi
}

section ping scontrol ping
section partitions in_columns PartitionName,Available,Nodes sinfo --noheader
section settings scontrol show config
printf '%sdone\n' "$RS"
