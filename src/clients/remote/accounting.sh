# What accounting knows about jobs. Stands behind columns.sh, before submit.sh, observe.sh and usage.sh, which run it (see remoteCommand).
#
# Seen with Slurm 24.11: accounting keeps a job's comment from its end on. sacct shows of each id the youngest job only,
# unless duplicates are asked for. A period without states leaves out every job that was cancelled before it could run
# (its time of eligibility is unknown). A job that was cancelled in the moment of its submission, because of what it
# depends on, is in no period at all, and has no comment: only its id shows it.
# shellcheck shell=bash
LC_ALL=C
readonly LIVE_STATES='^(PENDING|RUNNING|SUSPENDED|REQUEUED|RESIZING)?$'
# How long sbatch may take to answer after Slurm has accepted the job.
readonly SBATCH_SECONDS=180
# What is asked of each job; sacct joins repeated --format options, so a program that wants others sets them here.
columns=JobIDRaw,JobID,State,ExitCode,Reason,Submit,Start,End,NodeList,Restarts,Partition,User,JobName,Comment
# For awk, where $1 and $2 are JobIDRaw and JobID: the id of a job, of a task or several tasks (`7_4`, `7_[0-3%2]`) that
# of their array.
# shellcheck disable=SC2016 # awk's variables, not bash's
readonly ARRAY_ID='function array_id(id) { id = $1; if ($2 ~ /_/) { id = $2; sub(/_.*/, "", id) } return id }'

# All jobs since $1 (seconds since 1970), or those that the further arguments select.
accounting_since() {
  local since=$1
  shift
  accounting --starttime="uts$since" --endtime=now "$@" \
    --state=BOOT_FAIL,CANCELLED,COMPLETED,DEADLINE,FAILED,NODE_FAIL,OUT_OF_MEMORY,PENDING,PREEMPTED,REQUEUED,RUNNING,SUSPENDED,TIMEOUT
}

accounting() {
  local problem status
  { problem=$(allocations "$@" 2>&1 >&4); } 4>&1
  status=$?
  # Slurm 22.05 keeps no number of restarts; the column in its place is empty for whole jobs. It says so before it asks
  # anybody; newer Slurm is never asked twice.
  if ((status != 0)) && [[ $columns == *,Restarts* && $problem == *'Invalid field requested'*Restarts* ]]; then
    columns=${columns/,Restarts/,MaxRSS}
    allocations "$@"
    return
  fi
  [[ -z $problem ]] || printf '%s\n' "$problem" >&2
  return "$status"
}

allocations() {
  # Otherwise long lists of an array's tasks are cut off.
  SLURM_BITSTR_LEN=0 SLURM_TIME_FORMAT=%s in_columns "$columns" sacct --allocations --noheader "$@"
}

# Whether slurmctld has handed to accounting all that it had to say. Accounting that is asked after this knows the end
# of every job that had left the queue before.
accounting_is_whole() {
  [[ $(sdiag 2>&1) =~ 'DBD Agent queue size:'\ *0([^0-9]|$) ]]
}

# Jobs of accounting, by id, that are those of ledger entries in $1 (lines `<comment> <id> <time> …`) and have ended:
# found by their comment, or, without one, by id and the moment of their submission. Each with its comment.
ended_of() {
  local ids
  ids=$(awk '!seen[$2]++ { printf "%s%s", comma, $2; comma = "," }' <<<"$1")
  accounting --user="$(id -un)" --duplicates --jobs="$ids" |
    awk -F "$US" -v live="$LIVE_STATES" -v sbatch_seconds="$SBATCH_SECONDS" '
      NR == FNR { split($0, entry, " "); entries[entry[2]] = entries[entry[2]] entry[1] " " entry[3] "\n"; next }
      $3 ~ live { next }
      {
        count = split(entries[array_id()], same_id, "\n")
        for (i = 1; i < count; i++) {
          split(same_id[i], entry, " ")
          if ($NF == entry[1]) print
          else if ($NF == "" && $6 - entry[2] <= 5 && entry[2] - $6 <= sbatch_seconds) print $0 entry[1]
        }
      }
      '"$ARRAY_ID" <(printf '%s\n' "$1") -
  return "${PIPESTATUS[0]}"
}
