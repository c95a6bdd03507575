import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { COLLECT, CURVE_FILE, neuronCampaign } from '../../../examples/neuron/campaign.ts';
import { shellCampaign, TWO_QUEUES } from '../../../examples/shell/campaign.ts';
import { DevStackError } from '../errors.ts';
import { implausibility, parseMeasurement } from './measurements.ts';
import { fetchFile } from './own-login.ts';
import type { RunCampaign, Story } from './story.ts';
import type { Teller } from './teller.ts';

/** What is done on the cluster until it has nothing more to do; returns a campaign whose logs must outlive it. */
export type Act = (story: Story, teller: Teller, results: Results) => Promise<RunCampaign>;

/** Where a login of one's own to the head node gets its key, and where results are kept. */
export interface Results {
  readonly secretsManager: SecretsManagerClient;
  readonly directory: string;
}

/** NEURON is installed on the cluster, then simulates eight currents side by side, then the curve is drawn. */
export const neuronAct: Act = async (story, teller, results) => {
  await story.ask({ tier: 'debug', idleTimeoutSeconds: 15 }, 'tier debug, goes when idle for 15 s');
  // Sent while the cluster is still being made: it waits for it.
  const sweep = await story.submit('sweep', neuronCampaign(), '10 jobs: prepare → 8 simulations → collect');
  await story.submit('sweep', neuronCampaign(), 'the same Idempotency-Key again');
  const swept = await story.untilSucceeded(sweep);
  const simulations = swept.jobKeys.filter((key) => key.startsWith('soma-'));
  const outputs = await Promise.all(simulations.map(async (key) => story.stdout(swept, key)));
  const problem = implausibility(outputs.map(parseMeasurement));
  if (problem !== undefined) {
    throw new DevStackError('sweep', problem, { nextStep: 'Check examples/neuron/soma_sweep.py' });
  }
  teller.heading('What the last job printed, read back from CloudWatch Logs');
  teller.output(await story.stdout(swept, COLLECT));
  teller.heading('The modules that it had loaded, from its environment');
  teller.output(loadedModules(await story.log(swept, COLLECT, 'environment')));
  await keepCurve(story, teller, swept, results);
  return swept;
};

/** Fetches what the last job drew, by a login of one's own. */
async function keepCurve(
  story: Story,
  teller: Teller,
  { campaignId }: RunCampaign,
  { secretsManager, directory }: Results,
): Promise<void> {
  const { epoch, access } = await story.login();
  const curve = await fetchFile(secretsManager, access, { epoch, campaignId, jobKey: COLLECT }, CURVE_FILE);
  const path = join(directory, CURVE_FILE);
  await writeFile(path, curve);
  teller.heading('The curve that it drew, fetched from the head node over SSH');
  teller.line(`    ${relative(process.cwd(), path)} (${Math.ceil(curve.length / 1024)} KiB)`);
}

/** The part of an environment listing that names modules. */
function loadedModules(environment: string): string {
  const [, modules = ''] = /^# Modules[^\n]*\n([^]*?)^# /m.exec(environment) ?? [];
  return modules;
}

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
