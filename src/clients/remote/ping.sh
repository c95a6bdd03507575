# Whether Slurm can be used. Run by bash in the job user's own name.
#
# Standard output: `pcp-answer`, then sections as in observe.sh: `ping` (scontrol ping), `partitions` (sinfo) and
# `settings` (AccountingStoreFlags), then `done`.
# shellcheck shell=bash
LC_ALL=C
readonly US=$'\x1f' RS=$'\x1e'

printf 'pcp-answer\n'
section() {
  local name=$1 answer
  shift
  if answer=$("$@" 2>&1); then
    printf '%s%s\n%s\n%s%s ok\n' "$RS" "$name" "$answer" "$RS" "$name"
  else
    answer=${answer//[$'\n\r']/ }
    printf '%sfailed %s: %s\n' "$RS" "$1" "${answer:-no message}"
    exit 0
  fi
}

section ping scontrol ping
section partitions sinfo --noheader --Format="PartitionName:$US,Available:$US,Nodes:$US"
section settings scontrol show config
printf '%sdone\n' "$RS"
