import { shellQuote } from './shell-quote.ts';

/** Slurm's id of the job; of an array's task with its index, as the number of one of them is also that of the array. */
const OWN_ID = String.raw`"${'$'}{SLURM_ARRAY_JOB_ID:+${'$'}{SLURM_ARRAY_JOB_ID}_}${'$'}{SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}"`;

/**
 * The part of a job's wrapper that lets only one Slurm job of a key run the program, should there ever be two: a
 * request that nobody waited for any more can be carried out late, and slurmrestd keeps no ledger.
 *
 * The first one to start links a file with its id into the job's folder; linking fails where there is one (link(2),
 * also on NFS). The same id goes on: Slurm has requeued it. Another one ends at once, having taken the key out of its
 * comment, so that neither the queue nor accounting shows it as the job of that key. A claim whose job Slurm does not
 * know any more, neither live nor ended, is taken over: Slurm lost that job and it was submitted again. While Slurm does
 * not answer, nobody can tell, and the job waits. Where no claim can be written, the job runs.
 *
 * @param jobDirectory as a word of the shell
 */
export function claimKey(jobDirectory: string, comment: string): string {
  return String.raw`(
  umask 077
  comment=${shellQuote(comment)}
  [ -n "$SLURM_JOB_ID" ] && cd -- ${jobDirectory} || exit 0
  me=${OWN_ID}
  while :; do
    mine=$(mktemp claim.XXXXXX) && echo "$me" >"$mine" || exit 0
    ln -- "$mine" claim 2>/dev/null
    rm -f -- "$mine"
    read -r owner <claim || exit 0
    [ "$owner" != "$me" ] || exit 0
    if ! queue=$(squeue --noheader --all --states=all --jobs="$owner" --format=%k 2>&1) &&
      [[ $queue != *'Invalid job id'* ]]; then sleep 5; continue; fi
    if [[ $queue == "$comment" ]]; then exit 3; fi
    ended=$(sacct --allocations --noheader --parsable2 --duplicates --jobs="$owner" --format=State,Comment 2>&1) ||
      { sleep 5; continue; }
    while IFS='|' read -r state theirs; do
      case $state in PENDING | RUNNING | SUSPENDED | REQUEUED | RESIZING) continue ;; esac
      if [[ $theirs == "$comment" ]]; then exit 3; fi
    done <<<"$ended"
    mv -- claim "claim-lost-$owner" 2>/dev/null
  done
)
if [ $? -eq 3 ]; then
  until scontrol update JobId=${OWN_ID} Comment='A second job of its key: it did not run'; do sleep 5; done
  exit 0
fi`;
}
