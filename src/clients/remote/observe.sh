# What Slurm knows about all jobs, in one answer. Run by bash in the job user's own name, behind accounting.sh
# and sections.sh.
#
# Standard input: `<epoch> <seconds since 1970>`: accounting is asked for jobs since then; `-` leaves accounting out.
# Standard output: `pcp-answer`, `sessions <n>`, then sections: a line with the name behind a record separator, what
# belongs to it, and `<name> ok` behind a record separator.
#   `queue`: squeue's lines;
#   `nodes`: partition and reason of nodes that EC2 did not start, only where a job waits for nodes. With accounting also
#   `accounting`: sacct's lines;
#   `found`: the same of jobs of the epoch that neither shows although Slurm once accepted them;
#   `lost`: `<comment> <id>` of those that Slurm has really forgotten.
# `failed <program>: <message>` in place of a section's end ends the answer: half of the facts are none. `done` ends a
# whole answer.
# shellcheck shell=bash
# slurmctld saves accepted jobs every 5 s, and the line in the ledger is written after sbatch has answered.
readonly SETTLED_SECONDS=35
# Ids are one argument of sacct, of which Linux takes 128 KiB. The rest is for the next look.
readonly MAX_MISSING=5000

IFS=' ' read -r epoch since || exit 1

# Terminals of sshd and of the SSM agent, whoever's they are. Channels without a terminal, as ours, are no sessions.
processes=$(ps -eo args=) || fail ps
sessions=0
while IFS= read -r process; do
  case $process in
    sshd:\ *@pts/* | sshd-session:\ *@pts/* | *ssm-session-worker\ *) ((sessions++)) ;;
  esac
done <<<"$processes"
printf 'sessions %s\n' "$sessions"

format() {
  local columns=''
  for column in "$@"; do columns+="$column:$US,"; done
  printf %s "${columns%,}"
}

export SLURM_TIME_FORMAT=%s
# What a section leaves: the text of its program.
output=''
section queue squeue --noheader --all --states=all --Format="$(format JobID JobArrayID State exit_code Reason \
  SubmitTime StartTime EndTime NodeList RestartCnt Partition UserName Name Comment)"

queue=$output
# Why a job waits for nodes, when ParallelCluster could not start them: it notes EC2's error code at the node.
if [[ $queue =~ $US(Resources|ReqNodeNotAvail|Nodes required|NodeDown|PartitionDown|PartitionInactive) ]]; then
  section nodes sinfo --noheader --Node --Format="$(format PartitionName Reason)"
fi

# Entries of the ledger, `<comment> <id> <time>`, whose job neither the queue in $1 nor accounting in $2 shows.
missing_of() {
  local ledger="$HOME/.parallelcluster-provisioner/$epoch/ledger" now
  [[ -r $ledger ]] || return
  printf -v now '%(%s)T' -1
  # Jobs from before the period that accounting was asked for would only seem to be missing.
  awk -F "$US" -v after="$((since + SBATCH_SECONDS))" -v before="$((now - SETTLED_SECONDS))" -v max="$MAX_MISSING" '
    FNR == 1 { part++ }
    part == 1 { if (NF > 1) known[$(NF - 1)]; next }
    part == 2 { known[$NF]; next }
    split($0, entry, " ") == 4 && entry[1] == "job" { id[entry[2]] = entry[3]; time[entry[2]] = entry[4] }
    END {
      for (comment in id) {
        if (comment in known || time[comment] < after || time[comment] > before) continue
        if (count++ < max) print comment, id[comment], time[comment]
      }
    }' <(printf '%s\n' "$1") <(printf '%s\n' "$2") "$ledger"
}

# Entries in $1 without a job in $2.
lost_of() {
  awk -F "$US" '
    NR == FNR { found[$NF]; next }
    { split($0, entry, " "); if (!(entry[1] in found)) print entry[1], entry[2] }
  ' <(printf '%s\n' "$2") <(printf '%s\n' "$1")
}

if [[ $since != - ]]; then
  section accounting accounting_since "$since" --allusers
  missing=$(missing_of "$queue" "$output")
  if [[ -n $missing ]] && accounting_is_whole; then
    section found ended_of "$missing"
    section lost lost_of "$missing" "$output"
  fi
fi
printf '%sdone\n' "$RS"
