# What the jobs of an epoch allocated, of whatever user. Run by bash in the job user's own name, behind columns.sh,
# accounting.sh and sections.sh.
#
# Standard input: `<seconds since 1970>`: jobs that ended before are left out.
# Standard output: `pcp-answer`, `asked <seconds since 1970> <whole|partial>`, then sections as in observe.sh:
#   `queue`: squeue's `<id> <comment>` of jobs that hold nodes, because accounting keeps a comment only from a job's end
#   on; `nodes`: sinfo's `<name> <processors>` of each node; `accounting`: sacct's lines, one for each run of a requeued job. `partial`: slurmctld held something back from
#   accounting.
# shellcheck shell=bash

IFS=' ' read -r since || exit 1
# Before anything is asked: what runs then, runs in the answer for at least as long.
printf -v asked '%(%s)T' -1
completeness=partial
if accounting_is_whole; then completeness=whole; fi
printf 'asked %s %s\n' "$asked" "$completeness"

section queue in_columns JobID,Comment squeue --noheader --all --states=RUNNING,SUSPENDED,COMPLETING,STOPPED
section nodes in_columns NodeList,CPUs sinfo --noheader --Node
# shellcheck disable=SC2034 # accounting.sh reads it
columns=JobIDRaw,JobID,Submit,Start,End,ElapsedRaw,AllocCPUS,AllocNodes,Partition,NodeList,Comment
section accounting accounting_since "$since" --allusers --duplicates
printf '%sdone\n' "$RS"
