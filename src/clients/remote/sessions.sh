# Counts who else is at work on the head node, and asks Slurm nothing. Run by bash in the job user's own name, behind
# sections.sh and count-sessions.sh.
#
# Standard input: empty. Standard output: `pcp-answer`, `sessions <n>` or `sessions unknown`, and `done` behind a record
# separator; `failed <program>: <message>` in its place.
# shellcheck shell=bash
count_sessions
printf '%sdone\n' "$RS"
