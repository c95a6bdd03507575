# Makes one Slurm job for each key, or adopts the one that is there. Run by bash in the job user's own name,
# behind columns.sh and accounting.sh.
#
# Standard input: `<epoch> <number of jobs> <seconds since 1970>`; for each job a line
#   `<campaign> <key> <dependencies> <array> <bytes of directory> <bytes of batch> <bytes of script> <bytes of exports>`;
#   dependencies are `-` or `<condition>:<key>,…` of the same campaign, each in Slurm or in a line before (with
#   `:<index>` behind it for one task of an array), or `singleton`; array is `-` or what sbatch is told of it, e.g. `0-9,20%4`;
# then the bytes of all jobs in that order. A directory that is not empty is created.
# Standard output: `pcp-answer`, then one line for each job as soon as its fate is known:
#   `submitted|adopted <campaign> <key> <job id>`, `rejected|deferred <campaign> <key> <message>`;
# `unavailable <message>` ends the answer early, `done` ends it.
#
# Exactly one job for each key, whenever the connection or this program dies:
# - One submitter at a time, by a lock that every sbatch holds too. It runs in a session of its own (see remoteCommand),
#   so that no signal of sshd parts it from a running sbatch; when its caller has gone, the next line of output ends it.
# - The ledger names every key before sbatch runs (`try`), also on the disk, and its job afterwards (`job`). A key that
#   it has never tried has no job. For one that it has tried, the queue knows a live job by its comment, accounting an
#   ended one; accounting only counts as long as slurmctld holds nothing back from it.
# - A request can outlive its sbatch: a slurmctld that stood still carries out later what had come meanwhile. So the
#   ledger says when each sbatch began (`sent`), and `job` or `none` when it was answered. Without an answer, no second
#   one is made until the first cannot be carried out any more.
# - A ledger that is not there (a home that was wiped) proves nothing: then accounting is always asked.
# shellcheck shell=bash
readonly LOCK_WAIT_SECONDS=60
# An ended job may take this long to appear in accounting; Slurm can lose what it accepted in its last 5 seconds.
readonly LAG_SECONDS=30
# slurmctld refuses what is older than munge's credential in it (munge(7): 300 s). Its own restart forgets it at once.
readonly REQUEST_LIVES_SECONDS=310
# How often slurmctld is asked, twice a second, whether it holds accounting records back: it sends them in batches.
readonly ACCOUNTING_LOOKS=10
# sbatch waits for slurmctld most of the time. More than a few at once only wait for each other there.
readonly SBATCHES_AT_ONCE=3
# Ours, not the jobs': sbatch hands its own on to them.
login_umask=$(umask)
umask 077

say() { printf '%s\n' "$*"; }
give_up() { say "unavailable ${1//[$'\n\r']/ }"; exit 0; }

# Slurm's words when it could not decide about a job (slurm_errno.c), as against those for a job that it refuses.
is_unavailable() {
  case $1 in
    *'Unable to contact slurm controller'* | *'Socket timed out'* | *'Zero Bytes were transmitted'* | \
      *'onnection refused'* | *'onnection reset'* | *'onnection timed out'* | *'Communication '*' failure'* | \
      *'Message send failure'* | *'Message receive failure'* | *'emporarily un'* | *'No route to host'* | \
      *'standby mode'* | *'Protocol authentication error'* | *'onfiguration source'* | *'munge'* | *'Munge'* | \
      *'Unable to connect to database'* | *'job queue full'* | *'Unspecified error'* | \
      *'error writing script/environment to file'* | 'cannot write below '*) return 0 ;;
  esac
  return 1
}

# Reads exactly $1 bytes into `bytes`: `read -N` takes no more from the stream than that.
read_bytes() {
  bytes=''
  if (($1 > 0)) && { ! IFS= read -r -N "$1" bytes || ((${#bytes} != $1)); }; then
    give_up 'the request was cut off'
  fi
}

say 'pcp-answer'
IFS=' ' read -r epoch job_count since || give_up 'the request did not arrive'
root="$HOME/.parallelcluster-provisioner/$epoch"
ledger="$root/ledger"

campaigns=() keys=() waits=() arrays=() sizes=() comments=() wanted=()
for ((i = 0; i < job_count; i++)); do
  IFS=' ' read -r campaign key wait array size || give_up 'the request was cut off'
  [[ $array =~ ^(-|[0-9,-]+(%[0-9]+)?)$ ]] || give_up 'the request is not one of ours'
  campaigns+=("$campaign") keys+=("$key") waits+=("$wait") arrays+=("${array#-}") sizes+=("$size")
  comments+=("pcp/$epoch/$campaign/$key")
  [[ $wait == - ]] && continue
  IFS=, read -r -a dependencies <<<"$wait"
  for dependency in "${dependencies[@]}"; do
    IFS=: read -r _ key _ <<<"$dependency"
    wanted+=("pcp/$epoch/$campaign/$key")
  done
done
wanted+=("${comments[@]}")
directories=() batches=() scripts=() exports=()
for ((i = 0; i < job_count; i++)); do
  IFS=' ' read -r directory_size batch_size script_size exports_size <<<"${sizes[i]}"
  read_bytes "$directory_size" && directories[i]=$bytes
  read_bytes "$batch_size" && batches[i]=$bytes
  read_bytes "$script_size" && scripts[i]=$bytes
  read_bytes "$exports_size" && exports[i]=$bytes
done

mkdir -p -- "$root" || give_up "cannot create $root"
exec 9>"$root/lock" || give_up "cannot create $root/lock"
flock --timeout "$LOCK_WAIT_SECONDS" 9 || give_up 'another submission holds the lock'
printf -v now '%(%s)T' -1

# Of the lines of standard input, those whose column $2 between separators $1 is a comment of this request.
select_wanted() {
  awk -F "$1" -v column="$2" 'NR == FNR { wanted[$0]; next } $column in wanted' <(printf '%s\n' "${wanted[@]}") -
}

declare -A tried=() sent_time=() ledger_id=() ledger_time=() queue_id=() queue_time=() ended_id=() ended_time=()
ledger_is_complete=0
if [[ -s $ledger ]]; then
  ledger_is_complete=1
  while IFS=' ' read -r word comment id time _; do
    case $word in
      try) tried[$comment]=1 ;;
      sent) sent_time[$comment]=$id ;;
      none) sent_time[$comment]=0 ;;
      job) ledger_id[$comment]=$id ledger_time[$comment]=$time sent_time[$comment]=0 ;;
    esac
  done < <(select_wanted ' ' 2 <"$ledger")
fi

# Our live jobs, and those that ended in the last minutes (MinJobAge).
queue=$(SLURM_TIME_FORMAT=%s in_columns ArrayJobID,Comment,SubmitTime \
  squeue --noheader --all --states=all --user="$(id -un)" 2>&1) || give_up "squeue: $queue"
while IFS=$US read -r id comment time; do
  queue_id[$comment]=$id queue_time[$comment]=$time
done < <(select_wanted "$US" 2 <<<"$queue")

# What accounting knows of the jobs whose numbers are given, in `ended_id` and `ended_time`; whether it is whole, in `is_whole`.
ask_accounting() {
  local rows look comment id i entries=''
  is_whole=0
  for ((look = 0; look < ACCOUNTING_LOOKS; look++)); do
    if ((look > 0)); then sleep 0.5; fi
    if accounting_is_whole; then
      is_whole=1
      break
    fi
  done
  rows=$(accounting_since "$since" --user="$(id -un)" 2>&1) || give_up "sacct: $rows"
  take_ended "$rows"
  for i in "$@"; do
    comment=${comments[i]} id=${ledger_id[${comments[i]}]-}
    if [[ -n $id && -z ${ended_id[$comment]-} ]]; then entries+="$comment $id ${ledger_time[$comment]}"$'\n'; fi
  done
  [[ -n $entries ]] || return
  rows=$(ended_of "${entries%$'\n'}" 2>&1) || give_up "sacct: $rows"
  take_ended "$rows"
}

take_ended() {
  local comment id time
  while IFS=' ' read -r comment id time; do
    ended_id[$comment]=$id ended_time[$comment]=$time
  done < <(select_wanted "$US" 14 <<<"$1" | awk -F "$US" -v live="$LIVE_STATES" '$3 !~ live { print $NF, array_id(), $6 } '"$ARRAY_ID")
}

# Behind a `job` line of the ledger, of an array: its tasks, so that one of which Slurm knows nothing is missed.
tasks_of() {
  local array=${arrays[$1]%%%*}
  printf %s "${array:+ $array}"
}

adopt() {
  local i=$1 id=$2 time=$3 comment=${comments[$1]}
  if [[ ${ledger_id[$comment]-} != "$id" ]]; then
    printf 'try %s\njob %s %s %s%s\n' "$comment" "$comment" "$id" "$time" "$(tasks_of "$i")" >>"$ledger" ||
      give_up "cannot write $ledger"
  fi
  say "adopted ${campaigns[i]} ${keys[i]} $id"
}

# Whether slurmctld may still carry out an earlier request for the comment $1.
controller_started=''
may_still_come() {
  local sent=${sent_time[$1]-0} settings
  ((now - sent < REQUEST_LIVES_SECONDS)) || return
  if [[ -z $controller_started ]]; then
    settings=$(SLURM_TIME_FORMAT=%s scontrol show config 2>&1) || give_up "scontrol: $settings"
    [[ $settings =~ BOOT_TIME[[:blank:]]*=[[:blank:]]*([0-9]+) ]] || give_up 'scontrol does not say when slurmctld was started'
    controller_started=${BASH_REMATCH[1]}
  fi
  ((controller_started <= sent))
}

new_jobs=() doubtful=()
declare -A is_doubtful=()
for ((i = 0; i < job_count; i++)); do
  comment=${comments[i]}
  if [[ -n ${queue_id[$comment]-} ]] || { ((ledger_is_complete)) && [[ -z ${tried[$comment]-} ]]; }; then continue; fi
  doubtful+=("$i") is_doubtful[$i]=1
done
if ((${#doubtful[@]} > 0)); then ask_accounting "${doubtful[@]}"; fi
for ((i = 0; i < job_count; i++)); do
  comment=${comments[i]} time=${ledger_time[${comments[i]}]-0}
  if [[ -n ${queue_id[$comment]-} ]]; then
    adopt "$i" "${queue_id[$comment]}" "${queue_time[$comment]}"
  elif [[ -z ${is_doubtful[$i]-} ]]; then
    new_jobs+=("$i")
  elif [[ -n ${ended_id[$comment]-} ]]; then
    adopt "$i" "${ended_id[$comment]}" "${ended_time[$comment]}"
  elif ((now - time < LAG_SECONDS)); then
    adopt "$i" "${ledger_id[$comment]}" "$time"
  elif ((is_whole)); then
    if may_still_come "$comment"; then
      say "deferred ${campaigns[i]} ${keys[i]} slurmctld did not answer an earlier request in time and may still carry it out"
    else
      new_jobs+=("$i")
    fi
  else
    give_up 'slurmctld still holds back from accounting how jobs ended (sdiag, DBD Agent queue size)'
  fi
done

# Slurm opens the output of a task before its wrapper could make a folder for it.
add_task_folders() {
  local range index ranges=()
  IFS=, read -r -a ranges <<<"${arrays[$1]%%%*}"
  for range in "${ranges[@]}"; do
    for ((index = ${range%-*}; index <= ${range#*-}; index++)); do
      folders+=("$root/jobs/${campaigns[$1]}/${keys[$1]}_$index")
    done
  done
}

# Folders and `try` lines of all new jobs first: one process instead of one for each. The ledger must be on the disk
# before Slurm has a job: a head node that loses its power keeps both or neither.
begin() {
  local i tries='' folders=()
  for i in "${new_jobs[@]}"; do
    folders+=("$root/jobs/${campaigns[i]}/${keys[i]}")
    if [[ -n ${directories[i]-} ]]; then folders+=("${directories[i]}"); fi
    add_task_folders "$i"
    tries+="try ${comments[i]}"$'\n'
  done
  printf '%s\0' "${folders[@]}" | xargs -0 mkdir -p -- && exec 8>>"$ledger" && printf %s "$tries" >&8 && sync --data "$ledger"
}

# sbatches that run: number of the job, file descriptor of the answer. The oldest first.
running=()
declare -A is_running=()
outage=''

# Writes what the job reads when it starts, then becomes its sbatch. The home is a network file system, where a file
# takes some milliseconds: so jobs that are submitted at once write at once.
run_sbatch() {
  local i=$1 folder="$root/jobs/${campaigns[$1]}/${keys[$1]}"
  shift
  if ! printf %s "${scripts[i]-}" >"$folder/script" || ! printf %s "${exports[i]-}" >"$folder/exports"; then
    say "cannot write below $folder"
    exit
  fi
  umask "$login_umask"
  exec sbatch "$@" 8>&- <<<"${batches[i]%$'\n'}"
}

start_job() {
  local i=$1 answer_fd options=(--parsable --comment="${comments[$1]}")
  if [[ -n ${arrays[i]} ]]; then options+=(--array="${arrays[i]}"); fi
  # Without this, Slurm would keep a job for ever that waits for what cannot happen any more.
  if [[ -n $dependency ]]; then options+=(--dependency="$dependency" --kill-on-invalid-dep=yes); fi
  printf 'sent %s %(%s)T\n' "${comments[i]}" -1 >&8
  exec {answer_fd}< <(run_sbatch "$i" "${options[@]}" 2>&1)
  running+=("$i $answer_fd") is_running[${comments[i]}]=1
}

finish_oldest() {
  local i answer_fd answer='' id
  IFS=' ' read -r i answer_fd <<<"${running[0]}"
  running=("${running[@]:1}")
  unset "is_running[${comments[i]}]"
  IFS= read -r -d '' -u "$answer_fd" answer
  exec {answer_fd}<&-
  answer=${answer%$'\n'}
  id=${answer##*$'\n'}
  id=${id%%;*}
  if [[ $id =~ ^[0-9]+$ ]]; then
    printf 'job %s %s %(%s)T%s\n' "${comments[i]}" "$id" -1 "$(tasks_of "$i")" >&8
    queue_id[${comments[i]}]=$id
    say "submitted ${campaigns[i]} ${keys[i]} $id"
  elif [[ -z $answer ]] || is_unavailable "$answer"; then
    outage="sbatch: ${answer:-no answer}"
  elif [[ $answer == *'Job dependency problem'* ]]; then
    printf 'none %s\n' "${comments[i]}" >&8
    say "deferred ${campaigns[i]} ${keys[i]} Slurm no longer knows a job that this one depends on"
  else
    printf 'none %s\n' "${comments[i]}" >&8
    say "rejected ${campaigns[i]} ${keys[i]} ${answer//[$'\n\r']/ }"
  fi
}

# What sbatch is to be told about dependencies, in `dependency`. Fails, with what is missing in `missing`.
resolve_dependencies() {
  local i=$1 each on condition index dependencies=()
  dependency=''
  if [[ ${waits[i]} == - ]]; then return; fi
  IFS=, read -r -a dependencies <<<"${waits[i]}"
  for each in "${dependencies[@]}"; do
    if [[ $each == singleton ]]; then
      dependency+="${dependency:+,}singleton"
      continue
    fi
    IFS=: read -r condition missing index <<<"$each"
    on="pcp/$epoch/${campaigns[i]}/$missing"
    while [[ -n ${is_running[$on]-} ]]; do finish_oldest; done
    if [[ -z ${queue_id[$on]-} ]]; then return 1; fi
    dependency+="${dependency:+,}$condition:${queue_id[$on]}${index:+_$index}"
  done
}

if ((${#new_jobs[@]} > 0)); then
  begin || give_up "cannot write below $root"
  for i in "${new_jobs[@]}"; do
    if ! resolve_dependencies "$i"; then
      say "deferred ${campaigns[i]} ${keys[i]} Slurm does not have the job $missing, which this one depends on"
      continue
    fi
    while ((${#running[@]} >= SBATCHES_AT_ONCE)); do finish_oldest; done
    [[ -z $outage ]] || break
    start_job "$i"
  done
  while ((${#running[@]} > 0)); do finish_oldest; done
  [[ -z $outage ]] || give_up "$outage"
fi
say 'done'
