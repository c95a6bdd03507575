import { describe, expect, it } from 'vitest';
import type { HeadNode, SlurmGateway } from '../../src/clients/slurm-gateway.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

/** What the wrapper of a job must do on real daemons, whichever gateway submitted it. */
export function describeJobClaim(
  name: string,
  rigOf: () => { readonly cluster: SlurmCluster; readonly gateway: SlurmGateway; readonly head: HeadNode },
): void {
  describe(`a second Slurm job of a key ${name}`, () => {
    it('ends without running the program, and is no job of that key any more', async () => {
      const { cluster, gateway, head } = rigOf();
      const campaignId = newCampaignId();
      const ran = `/home/sim/ran-${campaignId}`;
      const spec = jobSpecSchema.parse({ key: 'once', command: ['sh', '-c', `echo >>${ran}; sleep 30`] });
      const [answer] = await gateway.submit(head, { campaignId, jobs: [{ spec }], defaultQueue: 'debug' });
      const firstId = answer !== undefined && 'jobId' in answer ? answer.jobId : '';
      const comment = `pcp/${head.epoch}/${campaignId}/once`;
      const jobs = async (format: string) =>
        cluster.asSim('squeue', '--noheader', '--states=all', `--format=${format}`);
      await expect
        .poll(async () => cluster.asRoot(`cat ${ran}`), { timeout: 30_000 })
        .toMatchObject({ code: 0 });

      // As if a request that nobody waited for any more had been carried out late.
      const again = `cd; scontrol write batch_script ${firstId} - | sbatch --parsable --comment=${comment}`;
      const secondId = await cluster.asSim('bash', '-c', again);
      await expect.poll(async () => jobs('%i %T'), { timeout: 30_000 }).toContain(`${secondId} COMPLETED`);
      expect(await jobs('%i %k')).toContain(`${firstId} ${comment}`);
      expect(await jobs('%i %k')).not.toContain(`${secondId} ${comment}`);
      expect(await cluster.asSim('wc', '-l', ran)).toBe(`1 ${ran}`);
      await gateway.cancel(head, { campaignId });
    });
  });
}
