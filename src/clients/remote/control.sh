# Holds, releases, requeues or changes our live jobs, one by one. Run by bash, behind columns.sh, in the job user's own name, or in that of
# the head node's administrator, who does through sudo what Slurm lets only its operators do.
#
# Standard input: `<beginning of the comments, up to a slash> <action> <value> <number>`, and so many lines, each
# `<rest of a comment> <restarts>`, of an array's task with an underscore and its index behind the comment. Actions: `hold`, `release`, `requeue` (only a job that was restarted so often and
# no more), `time-limit` (value: minutes), `nice` (value: a number, of which less than 0 raises the priority).
# Standard output: `pcp-answer`, then for each line `done <rest>`, `absent <rest>` (no live job), or
# `refused <rest> <message>`; `end` ends a whole answer, `unavailable <message>` one that is not.
# shellcheck shell=bash
LC_ALL=C
export SLURM_BITSTR_LEN=0

give_up() {
  printf 'unavailable %s\n' "${1//[$'\n\r']/ }"
  exit 0
}

printf 'pcp-answer\n'
IFS=' ' read -r beginning action value count || give_up 'the request did not arrive'
[[ $beginning == pcp/?*/?*/ && $value =~ ^(-|-?[0-9]+)$ && $count =~ ^[0-9]+$ ]] || give_up 'the request is not one of ours'

me=$(id -un)
declare -A id_of=() restarts_of=() user_of=() state_of=() queue_of=()
queue=$(in_columns JobArrayID,RestartCnt,UserName,State,Partition,Comment squeue --noheader --all --array 2>&1) || give_up "squeue: $queue"
while IFS=$US read -r id restarts user state partition comment; do
  [[ $comment == "$beginning"?* ]] || continue
  key=${comment#"$beginning"}
  if [[ $id == *_* ]]; then key+=_${id#*_}; fi
  id_of[$key]=$id restarts_of[$key]=$restarts user_of[$key]=$user state_of[$key]=$state queue_of[$key]=$partition
done <<<"$queue"

# minutes_of TIME: as Slurm writes it, `<days>-<hours>:<minutes>:<seconds>`, from the left without what is 0.
minutes_of() {
  local days=0 parts
  if [[ $1 == *-* ]]; then days=${1%%-*}; fi
  IFS=: read -ra parts <<<"${1#*-}"
  while ((${#parts[@]} < 3)); do parts=(0 "${parts[@]}"); done
  printf '%d' $(((10#$days * 24 + 10#${parts[0]}) * 60 + 10#${parts[1]}))
}

declare -A limit_of=()
if [[ $action == time-limit ]]; then
  limits=$(sinfo --noheader --all --format='%R %l' 2>&1) || give_up "sinfo: $limits"
  while read -r name limit; do
    if [[ $limit =~ ^([0-9]+-)?[0-9:]+$ ]]; then limit_of[$name]=$(minutes_of "$limit"); fi
  done <<<"$limits"
fi

# refusal_of KEY: why Slurm is not asked, although it would do as told.
refusal_of() {
  local limit=${limit_of[${queue_of[$1]}]-}
  case $action:${state_of[$1]} in
    hold:RUNNING | hold:CONFIGURING | hold:SUSPENDED | hold:STOPPED)
      # It would run on, and be held only once it is requeued.
      printf 'It has its nodes already: only a job that waits can be held. Requeue it, then hold it.'
      ;;
    time-limit:*)
      # Slurm lets its operators go beyond.
      if [[ -n $limit ]] && ((value > limit)); then
        printf 'The queue %s allows %d minutes (%d s) at most, not %d.' "${queue_of[$1]}" "$limit" $((limit * 60)) "$value"
      fi
      ;;
  esac
}

# carry_out JOB_ID USER
carry_out() {
  local control=("$(type -P scontrol)")
  if [[ $2 != "$me" ]]; then control=(sudo -n -- "${control[@]}"); fi
  case $action in
    hold | release | requeue) "${control[@]}" "$action" "$1" ;;
    time-limit) "${control[@]}" update JobId="$1" TimeLimit="$value" ;;
    nice) "${control[@]}" update JobId="$1" Nice="$value" ;;
    *) printf 'there is no action %s\n' "$action" && false ;;
  esac
}

for ((i = 0; i < count; i++)); do
  IFS=' ' read -r key restarts || give_up 'the request was cut off'
  id=${id_of[$key]-}
  if [[ -z $id ]]; then
    printf 'absent %s\n' "$key"
  elif [[ $action == requeue && ${restarts_of[$key]} != "$restarts" ]]; then
    # It was requeued since: by an earlier attempt of this request, or by Slurm itself.
    printf 'done %s\n' "$key"
  elif message=$(refusal_of "$key") && [[ -n $message ]]; then
    printf 'refused %s %s\n' "$key" "$message"
  elif message=$(carry_out "$id" "${user_of[$key]}" 2>&1); then
    printf 'done %s\n' "$key"
  else
    case $message in *'slurm controller'* | *'Socket timed out'*) give_up "scontrol: $message" ;; esac
    printf 'refused %s %s\n' "$key" "${message//[$'\n\r']/ }"
  fi
done
printf 'end\n'
