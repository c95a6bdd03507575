# What Slurm knows about all jobs, in one answer. Run by bash in the job user's own name.
#
# Standard input: `<seconds since 1970>`: accounting is asked for jobs since then; `-` leaves accounting out.
# Standard output: `pcp-answer`, `sessions <n>`, then the section `queue` and, if asked for, `accounting`: a line with
# the name behind a record separator, what the program printed, and `<name> ok` behind a record separator. `failed
# <program>: <message>` in place of that ends the answer: half of the facts are none. `done` ends a whole answer.
# shellcheck shell=bash
LC_ALL=C
readonly US=$'\x1f' RS=$'\x1e'
export SLURM_TIME_FORMAT=%s

printf 'pcp-answer\n'
IFS=' ' read -r since || exit 1

# Terminals of sshd and of the SSM agent, whoever's they are. Channels without a terminal, as ours, are no sessions.
processes=$(ps -eo args=) || {
  printf '%sfailed ps\n' "$RS"
  exit 0
}
sessions=0
while IFS= read -r process; do
  case $process in
    sshd:\ *@pts/* | sshd-session:\ *@pts/* | *ssm-session-worker\ *) ((sessions++)) ;;
  esac
done <<<"$processes"
printf 'sessions %s\n' "$sessions"

# Runs a program whose standard output is the section of this name, and vouches for it, or says why it failed.
section() {
  local name=$1 problem
  shift
  printf '%s%s\n' "$RS" "$name"
  if { problem=$("$@" 2>&1 >&3); } 3>&1 && [[ -z $problem ]]; then
    printf '%s%s ok\n' "$RS" "$name"
  else
    problem=${problem//[$'\n\r']/ }
    printf '%sfailed %s: %s\n' "$RS" "$1" "${problem:-no message}"
    exit 0
  fi
}

format() {
  local columns=''
  for column in "$@"; do columns+="$column:$US,"; done
  printf %s "${columns%,}"
}

section queue squeue --noheader --all --states=all --Format="$(format JobID JobArrayID State exit_code Reason \
  SubmitTime StartTime EndTime NodeList RestartCnt Partition UserName Name Comment)"
if [[ $since != - ]]; then
  section accounting sacct --allusers --allocations --noheader --parsable2 --delimiter="$US" --starttime="uts$since" \
    --endtime=now --format=JobIDRaw,JobID,State,ExitCode,Reason,Submit,Start,End,NodeList,Restarts,Partition,User,JobName,Comment
fi
printf '%sdone\n' "$RS"
