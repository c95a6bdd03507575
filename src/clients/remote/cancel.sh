# Cancels our live jobs. Run by bash in the job user's own name.
#
# Standard input: `<beginning of the comments, up to a slash> all`, or `<beginning> <number>` and so many lines, each
# with the rest of a comment.
# Standard output: `pcp-answer`, then `unavailable <message>`, or `remaining <number of jobs that are still in the
# queue>`: repeat until it is 0.
# shellcheck shell=bash
LC_ALL=C
readonly US=$'\x1f'

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

ours() {
  local queue id comment
  queue=$(squeue --noheader --all --user="$(id -un)" --Format="JobID:$US,Comment:$US" 2>&1) || give_up "squeue: $queue"
  jobs=()
  while IFS=$US read -r id comment _; do
    [[ $comment == "$beginning"?* ]] || continue
    [[ $count == all || -n ${wanted[${comment#"$beginning"}]-} ]] || continue
    jobs+=("$id")
  done <<<"$queue"
}

ours
if ((${#jobs[@]} > 0)); then
  # Ids go over standard input into several calls, so that thousands of them fit. A job that has just ended is no error.
  problem=$(printf '%s\n' "${jobs[@]}" | xargs -n 500 scancel --quiet 2>&1)
  case $problem in *'slurm controller'* | *'Socket timed out'*) give_up "scancel: $problem" ;; esac
  ours
fi
printf 'remaining %s\n' "${#jobs[@]}"
