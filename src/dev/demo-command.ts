import { dirname } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { logGroupName } from '../domain/cluster-name.ts';
import type { Tenant } from '../domain/ids.ts';
import { ApiClient } from './api-client.ts';
import { type Act, neuronAct, shellAct } from './demo/acts.ts';
import { type RunCampaign, Story } from './demo/story.ts';
import type { Teller } from './demo/teller.ts';
import { type AccountSurvey, findLeftovers, listLeases, logGroupNames, surveyAccount } from './leftovers.ts';
import type { LocalPlatform } from './local-platform.ts';
import { runLocally } from './local-run.ts';

/** Ids as the platform has them: too long for a cluster's name, which therefore ends in a hash. */
const TENANT: Tenant = {
  virtualLabId: '2f6a0c1e-8d3b-4c57-9a41-5be07f9d2c63',
  projectId: 'b41d9c70-36e2-4f0a-8c95-e7a2d81f4b09',
};

/**
 * Shows a cluster's whole life on this machine and checks that nothing is left of it. Returns the exit code: 0 when
 * all of it went well, 1 when something did not, 128 + the signal's number when it was interrupted.
 */
export async function runDemo({ quick }: { readonly quick: boolean }): Promise<number> {
  const startedAt = performance.now();
  const act = quick ? shellAct : neuronAct;
  const exitCode = await runLocally({
    title: 'ParallelCluster Provisioner: the whole life of a cluster, on this machine',
    wheels: !quick,
    use: async (platform, teller, signal) => demonstrate(act, platform, teller, signal),
  });
  if (exitCode === 0) {
    const seconds = (performance.now() - startedAt) / 1000;
    process.stdout.write(
      `\nDone in ${seconds.toFixed(0)} s: made, used and given back, and nothing is left.\n`,
    );
  }
  return exitCode;
}

async function demonstrate(
  act: Act,
  platform: LocalPlatform,
  teller: Teller,
  signal: AbortSignal,
): Promise<boolean> {
  const { apiUrl, token } = platform.product;
  const client = new ApiClient({ apiUrl, token, signal }, TENANT);
  const story = new Story(client, teller, signal);
  const before = await survey(platform);
  teller.heading('A project of a virtual lab asks for a cluster');
  teller.line(`  … is ${client.path.replace(/\/cluster$/, '')}\n`);
  const { aws, logDirectory } = platform.stack;
  const run = await act(story, teller, {
    secretsManager: aws.secretsManager,
    directory: dirname(logDirectory),
  });
  teller.heading('Nothing runs any more: the cluster goes by itself');
  await story.untilDeleted();
  return checkWhatIsLeft({ platform, teller, story, run, before });
}

/** Everything that is looked at when the cluster is gone. */
interface Aftermath {
  readonly platform: LocalPlatform;
  readonly teller: Teller;
  readonly story: Story;
  readonly run: RunCampaign;
  readonly before: AccountSurvey;
}

async function checkWhatIsLeft({ platform, teller, story, run, before }: Aftermath): Promise<boolean> {
  teller.heading('What is left of it, as AWS and Temporal say');
  const findings = findLeftovers(before, await survey(platform));
  teller.findings(findings);
  const [logGroup] = await logGroupNames(platform.stack.aws, logGroupName(TENANT));
  const [jobKey = ''] = run.jobKeys;
  const isReadable = (await story.stdout(run, jobKey)) !== '';
  teller.check(
    logGroup !== undefined && isReadable,
    `the log group stays, by design: job output can be read for 90 days\n      ${logGroup ?? 'but it is not there'}`,
  );
  return findings.every(({ left }) => left.length === 0) && logGroup !== undefined && isReadable;
}

async function survey({ stack }: LocalPlatform): Promise<AccountSurvey> {
  const {
    TEMPORAL_ADDRESS: address = '',
    TEMPORAL_NAMESPACE: namespace = '',
    VPC_ID: vpcId = '',
  } = stack.env;
  const connection = await Connection.connect({ address });
  try {
    const temporal = new Client({ connection, namespace });
    return await surveyAccount(stack.aws, async () => listLeases(temporal, vpcId));
  } finally {
    await connection.close();
  }
}
