# Cancels our live jobs. Run by bash in the job user's own name, behind columns.sh.
#
# Standard input: `<beginning of the comments, up to a slash> all`, or `<beginning> <number>` and so many lines, each
# with the rest of a comment, of an array's task with an underscore and its index behind it.
# Standard output: `pcp-answer`, then `unavailable <message>`, or `remaining <number of jobs that are still in the
# queue>`: repeat until it is 0.
# shellcheck shell=bash
LC_ALL=C
export SLURM_BITSTR_LEN=0

give_up() {
  printf 'unavailable %s\n' "${1//[$'\n\r']/ }"
  exit 0
}

printf 'pcp-answer\n'
IFS=' ' read -r beginning count || give_up 'the request did not arrive'
[[ $beginning == pcp/?*/ ]] || give_up 'the request names no jobs of ours'
declare -A wanted=()
if [[ $count != all ]]; then
  for ((i = 0; i < count; i++)); do
    IFS= read -r key || give_up 'the request was cut off'
    wanted[$key]=1
  done
fi

# Our live jobs in `jobs`; in `waiting` those of them that are tasks of an array which have not started.
ours() {
  local queue id array_id state comment key options=()
  # By their tasks only where some are meant: the number of an array stands for all of them.
  if [[ $count != all ]]; then options+=(--array); fi
  queue=$(in_columns JobID,JobArrayID,StateCompact,Comment squeue --noheader --all "${options[@]}" --user="$(id -un)" 2>&1) ||
    give_up "squeue: $queue"
  jobs=() waiting=()
  while IFS=$US read -r id array_id state comment; do
    [[ $comment == "$beginning"?* ]] || continue
    if [[ $count != all ]]; then
      key=${comment#"$beginning"}
      if [[ $array_id == *_* ]]; then
        id=$array_id key+=_${array_id#*_}
        if [[ $state == PD && -n ${wanted[$key]-} ]]; then waiting+=("$id"); fi
      fi
      [[ -n ${wanted[$key]-} ]] || continue
    fi
    jobs+=("$id")
  done <<<"$queue"
}

ours
if ((${#jobs[@]} > 0)); then
  # A waiting task that is cancelled as it is leaves no trace, neither in the queue nor in accounting (seen with 22.05 and
  # 24.11). Holding gives it a record of its own. One that cannot be held has started.
  if ((${#waiting[@]} > 0)); then printf '%s\n' "${waiting[@]}" | xargs -n 500 scontrol hold >/dev/null 2>&1; fi
  # Ids go over standard input into several calls, so that thousands of them fit. A job that has just ended is no error.
  problem=$(printf '%s\n' "${jobs[@]}" | xargs -n 500 scancel --quiet 2>&1)
  case $problem in *'slurm controller'* | *'Socket timed out'*) give_up "scancel: $problem" ;; esac
  ours
fi
printf 'remaining %s\n' "${#jobs[@]}"
