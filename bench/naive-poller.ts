import type { SlurmCluster } from '../test/support/slurm-cluster.ts';

export interface Polled {
  /** Jobs about which Slurm was asked, each time counted. */
  readonly asked: number;
}

/**
 * How job gateways often follow jobs: for each job in turn `squeue --job`, and `sacct --jobs` once it has left the
 * queue. It runs on the head node itself, without SSH, and asks no more about jobs that have ended. A round begins every
 * interval, or when the one before is over; after rounds × interval it stops, wherever it is.
 */
export async function pollEachJob(
  cluster: SlurmCluster,
  jobIds: readonly string[],
  { intervalSeconds, rounds }: { readonly intervalSeconds: number; readonly rounds: number },
): Promise<Polled> {
  const script = `
    SECONDS=0 asked=0
    declare -A ended
    read -ra ids
    for ((round = 0; round < ${rounds}; round++)); do
      while ((SECONDS < round * ${intervalSeconds})); do sleep 0.1; done
      for id in "\${ids[@]}"; do
        ((SECONDS < ${rounds * intervalSeconds})) || break 2
        [[ -n \${ended[$id]:-} ]] && continue
        ((asked++))
        state=$(squeue --noheader --job="$id" --format=%T)
        [[ -n $state ]] && continue
        state=$(sacct --allocations --noheader --parsable2 --jobs="$id" --format=State)
        [[ $state =~ ^(PENDING|RUNNING|)$ ]] || ended[$id]=1
      done
    done
    while ((SECONDS < ${rounds * intervalSeconds})); do sleep 0.1; done
    printf '%s\\n' "$asked"`;
  const { code, stdout, stderr } = await cluster.asRoot(
    `setpriv --reuid=sim --regid=sim --clear-groups -- env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/sim bash -c '${script.replaceAll("'", `'\\''`)}' <<<'${jobIds.join(' ')}'`,
  );
  if (code !== 0) throw new Error(`the naive poller answered ${code}: ${stderr}`);
  return { asked: Number(stdout) };
}
