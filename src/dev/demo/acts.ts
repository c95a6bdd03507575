import { prepareCampaign, sweepCampaign } from '../../../examples/neuron/campaign.ts';
import { shellCampaign, TWO_QUEUES } from '../../../examples/shell/campaign.ts';
import { DevStackError } from '../errors.ts';
import { implausibility, parseMeasurement, rateTable } from './rate-table.ts';
import type { RunCampaign, Story } from './story.ts';
import type { Teller } from './teller.ts';

/** What is done on the cluster until it has nothing more to do; returns a campaign whose logs must outlive it. */
export type Act = (story: Story, teller: Teller) => Promise<RunCampaign>;

/** A sweep of NEURON simulations, after a job that installs NEURON on the cluster. */
export const neuronAct: Act = async (story, teller) => {
  await story.ask({ tier: 'debug', idleTimeoutSeconds: 15 }, 'tier debug, goes when idle for 15 s');
  // Sent while the cluster is still being made: it waits for it.
  const prepare = await story.submit('install-neuron', prepareCampaign(), '1 job that installs NEURON');
  const installed = await story.untilSucceeded(prepare);
  teller.heading('What the installation wrote, read back from CloudWatch Logs');
  teller.output(lastLines(await story.stdout(installed, 'install-neuron'), 2));
  teller.line();
  const sweep = await story.submit('sweep', sweepCampaign(), '8 jobs, one for each current');
  await story.submit('sweep', sweepCampaign(), 'the same Idempotency-Key again');
  const swept = await story.untilSucceeded(sweep);
  const outputs = await Promise.all(swept.jobKeys.map(async (key) => story.stdout(swept, key)));
  teller.heading('Firing rate against injected current, from what the eight jobs printed');
  const measurements = outputs.map(parseMeasurement);
  for (const line of rateTable(measurements)) teller.line(`    ${line}`);
  const problem = implausibility(measurements);
  if (problem !== undefined) {
    throw new DevStackError('sweep', problem, { nextStep: 'Check examples/neuron/soma_sweep.py' });
  }
  return swept;
};

/** Plain shell jobs on two queues. */
export const shellAct: Act = async (story, teller) => {
  await story.ask({ queues: TWO_QUEUES, idleTimeoutSeconds: 5 }, 'two queues, goes when idle for 5 s');
  const campaignId = await story.submit('shell', shellCampaign(), '4 shell jobs');
  await story.submit('shell', shellCampaign(), 'the same Idempotency-Key again');
  const run = await story.untilSucceeded(campaignId);
  teller.heading('What the jobs wrote, read back from CloudWatch Logs');
  for (const key of run.jobKeys) {
    teller.line(`  ${key}`);
    teller.output(await story.stdout(run, key));
  }
  return run;
};

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
