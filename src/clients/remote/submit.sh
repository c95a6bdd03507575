# Makes one Slurm job for each key, or adopts the one that is there. Run by bash in the job user's own name.
#
# Standard input: `<epoch> <number of jobs> <seconds since 1970>`; for each job a line
#   `<campaign> <key> <bytes of directory> <bytes of batch> <bytes of script> <bytes of exports>`;
# then the bytes of all jobs in that order. A directory that is not empty is created.
# Standard output: `pcp-answer`, then one line for each job as soon as its fate is known:
#   `submitted|adopted <campaign> <key> <job id>`, `rejected <campaign> <key> <Slurm's message>`;
# `unavailable <message>` ends the answer early, `done` ends it.
#
# Exactly one job for each key, whenever the connection or this program dies:
# - One submitter at a time, by a lock. It runs in a session of its own (see remoteCommand), so that no signal of
#   sshd parts it from a running sbatch; when its caller has gone, the next line of output ends it.
# - The ledger names every key before sbatch runs (`try`) and its job afterwards (`job`). A key that it has never
#   tried has no job. For one that it has tried, the queue knows a live job by its comment, accounting an ended one.
# - A ledger that is not there (a home that was wiped) proves nothing: then accounting is always asked.
# shellcheck shell=bash
LC_ALL=C
readonly US=$'\x1f' LOCK_WAIT_SECONDS=60 SBATCH_SECONDS=180
# An ended job may take this long to appear in accounting; Slurm can lose what it accepted in its last 5 seconds.
readonly LAG_SECONDS=30
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
      *'error writing script/environment to file'*) return 0 ;;
  esac
  return 1
}

say 'pcp-answer'
IFS=' ' read -r epoch job_count since || give_up 'the request did not arrive'
root="$HOME/.parallelcluster-provisioner/$epoch"
ledger="$root/ledger"
mkdir -p -- "$root" || give_up "cannot create $root"
exec 9>"$root/lock" || give_up "cannot create $root/lock"
flock --timeout "$LOCK_WAIT_SECONDS" 9 || give_up 'another submission holds the lock'

declare -A tried=() ledger_id=() ledger_time=() known=() ended_id=()
ledger_is_complete=0
if [[ -s $ledger ]]; then
  ledger_is_complete=1
  while IFS=' ' read -r word comment id time; do
    case $word in
      try) tried[$comment]=1 ;;
      job) ledger_id[$comment]=$id ledger_time[$comment]=$time ;;
    esac
  done <"$ledger"
fi

printf -v now '%(%s)T' -1
# Our live jobs, and those that ended in the last minutes (MinJobAge).
queue=$(squeue --noheader --all --states=all --user="$(id -un)" --Format="JobID:$US,Comment:$US" 2>&1) ||
  give_up "squeue: $queue"
while IFS=$US read -r id comment _; do
  [[ $comment == "pcp/$epoch/"* ]] && known[$comment]=$id
done <<<"$queue"

accounting_asked=0
ask_accounting() {
  ((accounting_asked)) && return
  accounting_asked=1
  local rows id state submit comment
  rows=$(SLURM_TIME_FORMAT=%s sacct --allocations --noheader --parsable2 --delimiter="$US" --user="$(id -un)" --starttime="uts$since" \
    --endtime=now --format=JobIDRaw,State,Submit,Comment 2>&1) || give_up "sacct: $rows"
  while IFS=$US read -r id state submit comment; do
    case $state in PENDING | RUNNING | SUSPENDED | REQUEUED | '') continue ;; esac
    [[ $comment == "pcp/$epoch/"* && -z ${known[$comment]-} ]] && known[$comment]=$id
    ended_id[$id]=$submit
  done <<<"$rows"
}

# The job that a comment already has, in `found`; empty if there is none.
find_job() {
  local comment=$1 id time
  found=${known[$comment]-}
  [[ -n $found ]] && return
  ((ledger_is_complete)) && [[ -z ${tried[$comment]-} ]] && return
  ask_accounting
  found=${known[$comment]-}
  id=${ledger_id[$comment]-} time=${ledger_time[$comment]-0}
  [[ -n $found || -z $id ]] && return
  # Accounting that does not keep comments knows the job by its id and the moment of its submission.
  if [[ -n ${ended_id[$id]-} ]] && ((ended_id[$id] - time <= 5 && time - ended_id[$id] <= SBATCH_SECONDS)); then
    found=$id
  elif ((now - time < LAG_SECONDS)); then
    found=$id
  fi
}

# Reads exactly $1 bytes into `bytes`: `read -N` takes no more from the stream than that.
read_bytes() {
  bytes=''
  if (($1 > 0)) && { ! IFS= read -r -N "$1" bytes || ((${#bytes} != $1)); }; then
    give_up 'the request was cut off'
  fi
}

campaigns=() keys=() sizes=()
for ((i = 0; i < job_count; i++)); do
  IFS=' ' read -r campaign key _ size || give_up 'the request was cut off'
  campaigns+=("$campaign") keys+=("$key") sizes+=("$size")
done

directories=() batches=() scripts=() exports=() new_jobs=() folders=()
for ((i = 0; i < job_count; i++)); do
  read -r directory_size batch_size script_size exports_size <<<"${sizes[i]}"
  read_bytes "$directory_size" && directories[i]=$bytes
  read_bytes "$batch_size" && batches[i]=$bytes
  read_bytes "$script_size" && scripts[i]=$bytes
  read_bytes "$exports_size" && exports[i]=$bytes
done

for ((i = 0; i < job_count; i++)); do
  find_job "pcp/$epoch/${campaigns[i]}/${keys[i]}"
  if [[ -n $found ]]; then
    say "adopted ${campaigns[i]} ${keys[i]} $found"
  else
    new_jobs+=("$i")
    folders+=("$root/jobs/${campaigns[i]}/${keys[i]}")
    [[ -n ${directories[i]} ]] && folders+=("${directories[i]}")
  fi
done

# Files and `try` lines of all new jobs first: one process instead of one for each.
write_files() {
  local i job
  exec 8>>"$ledger" || return
  mkdir -p -- "${folders[@]}" || return
  for i in "${new_jobs[@]}"; do
    job="$root/jobs/${campaigns[i]}/${keys[i]}"
    printf %s "${scripts[i]}" >"$job/script" || return
    printf %s "${exports[i]}" >"$job/exports" || return
    printf %s "${batches[i]}" >"$job/batch" || return
    say "try pcp/$epoch/${campaigns[i]}/${keys[i]}" >&8 || return
  done
}

submit_job() {
  local campaign=$1 key=$2 comment="pcp/$epoch/$1/$2" answer
  if answer=$(exec sbatch --parsable --comment="$comment" "$root/jobs/$campaign/$key/batch" 2>&1 </dev/null 8>&-); then
    answer=${answer##*$'\n'}
    answer=${answer%%;*}
    printf 'job %s %s %(%s)T\n' "$comment" "$answer" -1 >&8
    say "submitted $campaign $key $answer"
  elif is_unavailable "$answer"; then
    give_up "sbatch: $answer"
  else
    say "rejected $campaign $key ${answer//[$'\n\r']/ }"
  fi
}

if ((${#new_jobs[@]} > 0)); then
  write_files || give_up "cannot write below $root"
  umask "$login_umask"
  for i in "${new_jobs[@]}"; do submit_job "${campaigns[i]}" "${keys[i]}"; done
fi
say 'done'
