# What may still write below a folder that is S3: jobs that have nodes, and processes of the job user on the head node that
# have a file open for writing there. Run by bash in the job user's own name: only it and root may write there.
#
# Standard input: the folder, on one line.
# Standard output: `pcp-answer`, then `job <id> <state>` or `process <pid> <command> <path>`, a NUL character after each; `done`
# and a NUL character, or `failed <message>` and a NUL character when something could not be asked.
#
# A job that completes still has its nodes: once Slurm shows none, its processes have ended everywhere, and with the end of a
# process the files that it had open are closed.
# shellcheck shell=bash
LC_ALL=C

printf 'pcp-answer\n'
IFS= read -r folder || exit 1
if [[ ! -d $folder ]]; then
  printf 'failed %s is no folder\0' "$folder"
  exit 0
fi
# Its descriptors are links: to a file that is gone, with ` (deleted)` behind it.
while IFS=' ' read -r -d '' descriptor path; do
  pid=${descriptor#/proc/} pid=${pid%%/*}
  # `flags:` is octal; its last digit has the access mode, of which 1 is for writing and 2 for both.
  flags=$(awk '$1 == "flags:" { print $2 }' "/proc/$pid/fdinfo/${descriptor##*/}" 2>/dev/null)
  if [[ $flags =~ [1256]$ ]]; then
    printf 'process %s %s %s\0' "$pid" "$(tr ' ' _ <"/proc/$pid/comm" 2>/dev/null)" "$path"
  fi
done < <(find /proc/[0-9]*/fd -maxdepth 1 -lname "$folder/*" -printf '%p %l\0' 2>/dev/null)
if ! jobs=$(squeue --noheader --states=RUNNING,COMPLETING,CONFIGURING,SUSPENDED,STOPPED,STAGE_OUT --format='%A %T' 2>&1); then
  printf 'failed %s\0' "${jobs:-squeue does not answer}"
  exit 0
fi
while read -r id state; do
  if [[ -n $id ]]; then printf 'job %s %s\0' "$id" "$state"; fi
done <<<"$jobs"
printf 'done\0'
