# What Slurm knows about all jobs, in one answer. Run by bash in the job user's own name, behind columns.sh, accounting.sh,
# sections.sh, sessions.sh and asked-by-id.sh.
#
# Standard input: `<epoch> <seconds since 1970> <one|all>`: accounting is asked for jobs since then; `-` leaves accounting
# out. With `one`, sacct runs once at most: what it must be asked by id is left to the next look, which asks it nothing else.
# Standard output: `pcp-answer`, `sessions <n>` or `sessions unknown`, then sections: a line with the name behind a record
# separator, what belongs to it, and `<name> ok` behind a record separator.
#   `queue`: squeue's lines;
#   `nodes`: partition, name, states and reason of each node. With accounting also
#   `accounting`: sacct's lines;
#   `found`: the same of jobs of the epoch that neither shows although Slurm once accepted them, as far as it was asked;
#   `lost`: `<comment> <id>` of those that Slurm has really forgotten; `<comment> <id> <index>,…` of an array's tasks of
#   which it knows nothing, while it knows others;
#   `logins`: `<login> <number>` of users who cancelled jobs;
#   `more`: how many jobs are left to the next look.
# `failed <program>: <message>` in place of a section's end ends the answer: half of the facts are none. `done` ends a
# whole answer.
# shellcheck shell=bash
# slurmctld saves accepted jobs every 5 s, and the line in the ledger is written after sbatch has answered.
readonly SETTLED_SECONDS=35

IFS=' ' read -r epoch since sacct_calls || exit 1
readonly FOLDER="$HOME/.parallelcluster-provisioner/$epoch"
answers="$FOLDER/asked-by-id"
# Entries of the ledger that the next look has to ask for.
readonly LEFT_OVER="$FOLDER/to-ask-by-id"

count_sessions

# Slurm cuts long lists of an array's tasks off; that of 22.05 also where it shows them one by one.
export SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0
# What a section leaves: the text of its program.
output=''
# A line for each task of an array: without --array, those that wait are one line, with all of their reasons.
section queue in_columns \
  JobID,JobArrayID,State,exit_code,Reason,SubmitTime,StartTime,EndTime,NodeList,RestartCnt,Partition,UserName,Name,Comment \
  squeue --noheader --all --states=all --array

queue=$output
# Which nodes EC2 bills, and why a job waits for some: ParallelCluster notes EC2's error code at a node that did not start,
# Slurm that a prolog failed.
section nodes in_columns PartitionName,NodeList,StateComplete,Reason sinfo --noheader --Node

# For awk: which tasks of which comment the lines of squeue and sacct show, in `known`; what a ledger entry misses.
# shellcheck disable=SC2016 # awk's variables, not bash's
readonly KNOWN_TASKS='
  function ranges(expression, parts) { sub(/%.*/, "", expression); return split(expression, parts, ",") }
  function bounds(range, ends) { if (split(range, ends, /[-:]/) == 1) ends[2] = ends[1]; if (!(3 in ends)) ends[3] = 1 }
  function note(comment, job,   parts, ends, count, i, task) {
    known[comment]
    if (!sub(/^[0-9]+_\[?/, "", job)) return
    sub(/\]$/, "", job)
    count = ranges(job, parts)
    for (i = 1; i <= count; i++) {
      delete ends
      bounds(parts[i], ends)
      for (task = ends[1] + 0; task <= ends[2]; task += ends[3]) known[comment, task]
    }
  }
  function missing_tasks(comment, expression,   parts, ends, count, i, task, missing) {
    count = ranges(expression, parts)
    for (i = 1; i <= count; i++) {
      delete ends
      bounds(parts[i], ends)
      for (task = ends[1] + 0; task <= ends[2]; task += ends[3])
        if (!((comment, task) in known)) missing = missing (missing == "" ? "" : ",") task
    }
    return missing
  }'

# Entries of the ledger, `<comment> <id> <time> [<tasks>]`, whose job, or a task of it, neither the queue in $1 nor
# accounting in $2 shows.
missing_of() {
  local ledger="$FOLDER/ledger" now
  [[ -r $ledger ]] || return
  printf -v now '%(%s)T' -1
  # Jobs from before the period that accounting was asked for would only seem to be missing.
  awk -F "$US" -v after="$((since + SBATCH_SECONDS))" -v before="$((now - SETTLED_SECONDS))" \
    -v live="$LIVE_STATES" '
    FNR == 1 { part++ }
    part == 1 {
      if (NF > 1) note($NF, $2)
      if ($2 ~ /_/ && $3 ~ /^PENDING/) waits[$NF]
      next
    }
    part == 2 { if ($3 !~ live) note($NF, $2); else known[$NF]; next }
    (count = split($0, entry, " ")) >= 4 && entry[1] == "job" {
      comment = entry[2]
      id[comment] = entry[3]; time[comment] = entry[4]; tasks[comment] = count > 4 ? " " entry[5] : ""
    }
    END {
      for (comment in id) {
        if (time[comment] < after || time[comment] > before) continue
        # As long as tasks of an array wait, the others can wait too: 22.05 does not show the last task of `0-8:2`.
        if (comment in known && (tasks[comment] == "" || comment in waits)) continue
        if (comment in known && missing_tasks(comment, substr(tasks[comment], 2)) == "") continue
        print comment, id[comment], time[comment] tasks[comment]
      }
    }'"$KNOWN_TASKS" <(printf '%s\n' "$1") <(printf '%s\n' "$2") "$ledger"
}

# Of entries in $1 those without a job in $2, queue or accounting; of arrays the tasks without one.
lost_of() {
  awk -F "$US" '
    FNR == 1 { part++ }
    part <= 2 { if (NF > 1) note($NF, $2); next }
    {
      count = split($0, entry, " ")
      if (!(entry[1] in known)) { print entry[1], entry[2]; next }
      if (count > 3 && (missing = missing_tasks(entry[1], entry[4])) != "") print entry[1], entry[2], missing
    }'"$KNOWN_TASKS" <(printf '%s\n' "$3") <(printf '%s\n%s\n' "$2" "$4") <(printf '%s\n' "$1")
}

found=''

# Sections of entries in $1, of which those in $2 are asked for now.
# shellcheck disable=SC2154 # `accounting` is set below
say_of_missing() {
  local missing=$1 asked=$2 answered
  answered=$(grep -vxF -f <(printf '%s\n' "$asked") <<<"$missing")
  section found found_of "$answered" "$asked"
  found=$output
  section lost still_lost_of "$answered" "$asked" "$found"
  # Not worth an error: then the next look asks again.
  if [[ -n $asked ]]; then keep_answers "$asked" "$found" "$output" || rm -f -- "$answers"; fi
}

found_of() {
  answered found "$1"
  [[ -z $2 ]] || ended_of "$2"
}

still_lost_of() {
  answered lost "$1"
  [[ -z $2 ]] || lost_of "$2" "$3" "$queue" "$accounting"
}

# By id, what the look before has left. Fails if nothing is left, or accounting does not know the end of every job.
look_by_id() {
  local entries asked
  entries=$(cat -- "$LEFT_OVER" 2>/dev/null)
  [[ -n $entries ]] || return
  rm -f -- "$LEFT_OVER"
  asked=$(unanswered_of "$entries")
  [[ -n $asked ]] && accounting_is_whole || return
  accounting=''
  section accounting true
  say_of_missing "$asked" "$asked"
}

look_by_period() {
  local missing asked
  section accounting accounting_since "$since" --allusers
  accounting=$output
  missing=$(missing_of "$queue" "$accounting")
  [[ -n $missing ]] || return
  asked=$(unanswered_of "$missing")
  if [[ -n $asked ]] && ! accounting_is_whole; then
    missing=$(grep -vxF -f <(printf '%s\n' "$asked") <<<"$missing")
    asked=''
  elif [[ -n $asked && $sacct_calls == one ]] && replace "$LEFT_OVER" <<<"$asked"; then
    section more wc --lines <<<"$asked"
    missing=$(grep -vxF -f <(printf '%s\n' "$asked") <<<"$missing")
    asked=''
  fi
  [[ -z $missing ]] || say_of_missing "$missing" "$asked"
}

# `<login> <number>` of who cancelled jobs that accounting in $1 shows. Nobody's login is not worth an error.
logins_of() {
  local numbers
  numbers=$(awk -F "$US" '$3 ~ /^CANCELLED by / && !seen[$3]++ { print substr($3, 14) }' <<<"$1")
  [[ -z $numbers ]] || xargs getent passwd <<<"$numbers" | cut -d : -f 1,3 --output-delimiter=' '
}

if [[ $since != - ]]; then
  { [[ $sacct_calls == one ]] && look_by_id; } || look_by_period
  section logins logins_of "$accounting"$'\n'"$found"
fi
printf '%sdone\n' "$RS"
