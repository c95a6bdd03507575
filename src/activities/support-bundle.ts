import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { type EC2Client, GetConsoleOutputCommand, paginateDescribeInstances } from '@aws-sdk/client-ec2';
import type { FSxClient } from '@aws-sdk/client-fsx';
import type { DeploymentStore } from '../clients/deployment-store.ts';
import { LustreFileSystems } from '../clients/lustre-file-systems.ts';
import { newestNodeLogs } from '../clients/node-logs.ts';
import { createStacks, type Stacks } from '../clients/stacks.ts';
import { outerStackName } from '../domain/cluster-name.ts';
import type { Deployment } from '../domain/deployment.ts';
import { epochStartSeconds } from '../domain/ids.ts';
import { tagKeys } from '../domain/resource-tags.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities, SupportBundleRequest } from './port.ts';

export interface SupportBundleDeps {
  readonly cloudFormation: CloudFormationClient;
  readonly ec2: EC2Client;
  readonly fsx: FSxClient;
  readonly logs: CloudWatchLogsClient;
  readonly deploymentStore: Pick<DeploymentStore, 'putSupportFile'>;
}

/** Clocks of the worker, which made the epoch's id, and of AWS may differ. */
const CLOCK_TOLERANCE_SECONDS = 300;

type Keep = (name: string, text: string) => Promise<string>;

/**
 * What is to be known of a deployment that failed, as files in the control bucket: why, the events of its stacks, what its
 * nodes logged, the console of its head node, and its file system as FSx has it. What cannot be had is named in `summary.json`; the rest is there all the same.
 */
export function createSupportBundleActivities(
  deps: SupportBundleDeps,
): Pick<Activities, 'saveSupportBundle'> {
  return {
    async saveSupportBundle(request) {
      return withHeartbeat(async ({ report }) => {
        const files: string[] = [];
        const keep: Keep = async (name, text) => {
          // The SDK takes a body without a byte for one of unknown length.
          const uri = await deps.deploymentStore.putSupportFile(request, name, text === '' ? '\n' : text);
          files.push(name);
          report({ files: files.length });
          return uri;
        };
        const problems: { readonly part: string; readonly problem: string }[] = [];
        for (const [part, collect] of Object.entries(parts)) {
          try {
            await collect(deps, request, keep, (what, problem) => problems.push({ part: what, problem }));
          } catch (error) {
            problems.push({ part, problem: error instanceof Error ? error.message : String(error) });
          }
        }
        // Written last: where it is, the rest is whole.
        const { failure, clusterName, epoch } = request;
        const summary = { version: 1, clusterName, epoch, failure, files, problems };
        return { uri: await keep('summary.json', JSON.stringify(summary, null, 2)) };
      });
    },
  };
}

type Collect = (
  deps: SupportBundleDeps,
  request: SupportBundleRequest,
  keep: Keep,
  miss: (part: string, problem: string) => void,
) => Promise<void>;

const parts: Readonly<Record<string, Collect>> = {
  'events of stacks': async ({ cloudFormation }, deployment, keep) => {
    const stacks = createStacks(cloudFormation);
    await keepEvents(stacks, deployment, outerStackName(deployment.clusterName), 'stack-events.json', keep);
    await keepEvents(stacks, deployment, deployment.clusterName, 'cluster-stack-events.json', keep);
  },

  'logs of nodes': async ({ logs }, { clusterName, epoch }, keep, miss) => {
    const sinceSeconds = epochStartSeconds(epoch) - CLOCK_TOLERANCE_SECONDS;
    for await (const { stream, lines, problem } of newestNodeLogs(logs, clusterName, sinceSeconds))
      if (lines) await keep(`logs/${stream}.txt`, lines.join('\n'));
      else miss(stream, problem ?? 'unknown');
  },

  'Lustre file system': async ({ fsx }, { epoch }, keep) => {
    const fileSystems = new LustreFileSystems(fsx);
    for (const fileSystem of await fileSystems.ofEpoch(epoch)) {
      const { FileSystemId = '' } = fileSystem;
      const links = await fileSystems.links(FileSystemId);
      await keep(`lustre-${FileSystemId}.json`, JSON.stringify({ fileSystem, links }, null, 2));
    }
  },

  'console of the head node': async ({ ec2 }, { epoch }, keep) => {
    const Filters = [
      { Name: `tag:${tagKeys.epoch}`, Values: [epoch] },
      { Name: 'tag:parallelcluster:node-type', Values: ['HeadNode'] },
    ];
    for await (const { Reservations = [] } of paginateDescribeInstances({ client: ec2 }, { Filters })) {
      for (const { InstanceId } of Reservations.flatMap(({ Instances = [] }) => Instances)) {
        if (InstanceId === undefined) continue;
        const { Output = '' } = await ec2.send(new GetConsoleOutputCommand({ InstanceId }));
        await keep(`console-${InstanceId}.txt`, Buffer.from(Output, 'base64').toString('utf8'));
      }
    }
  },
};

async function keepEvents(
  stacks: Stacks,
  { epoch }: Deployment,
  stackName: string,
  file: string,
  keep: Keep,
): Promise<void> {
  const stack = await stacks.find(stackName);
  if (stack?.epoch !== epoch) return;
  await keep(file, JSON.stringify(await stacks.events(stack.stackId), null, 2));
}
