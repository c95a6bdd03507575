import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSlurmCluster, type SlurmCluster } from '../support/slurm-cluster.ts';
let cluster: SlurmCluster;
beforeAll(async () => { cluster = await startSlurmCluster(); });
afterAll(async () => cluster?.close());
describe('probe', () => {
  it('x', async () => {
    const id = await cluster.asSim('sbatch', '--parsable', '--wait', '-N2', '--output=/home/sim/o', '--wrap', 'env | sort | grep -E "TMPDIR|BASH_ENV|SCRIPT_CONT"; ls -ld $TMPDIR; srun bash -c "echo \\$TMPDIR \\$PMI_RANK; ls -ld \\$TMPDIR; type module; echo \\$MODULEPATH"');
    console.log(id, await cluster.asSim('cat', '/home/sim/o'));
    console.log((await cluster.asRoot('ls -la /opt/slurm/etc/scripts/prolog.d/ /var/spool/slurmd/*/disk; tail -n 20 /var/log/slurm/slurmd.*.log; scontrol show config | grep -iE "prolog|epilog|mpi"')).stdout);
  });
});
