import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { z } from 'zod';
import type { CurrentPrices } from '../clients/current-prices.ts';
import { isInvalidStackRequest } from '../clients/aws-errors.ts';
import { createStacks } from '../clients/stacks.ts';
import type { ExistingStack, Stacks } from '../clients/stacks.ts';
import { outerStackName } from '../domain/cluster-name.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { OuterStackTemplate } from '../domain/outer-stack.ts';
import type { DeploymentSettings } from '../domain/cluster-configuration-input.ts';
import type { AttachableFileSystems } from '../domain/file-systems.ts';
import { withQueuesOf } from '../domain/pcluster-update.ts';
import { costNotesOf } from './cost-notes.ts';
import { withHeartbeat } from './heartbeat.ts';
import { pollUntil } from './poll.ts';
import type { Activities, StackUpdateRequest } from './port.ts';

export interface StackUpdateDeps {
  readonly cloudFormation: CloudFormationClient;
  readonly stackPollSeconds: number;
  readonly settings: Pick<DeploymentSettings, 'region' | 'attachableFileSystems'>;
  readonly currentPrices: CurrentPrices;
}

/** After an update that succeeded, and where there was none yet. CloudFormation still deletes what is replaced in one of them. */
const DONE: ReadonlySet<string> = new Set([
  'CREATE_COMPLETE',
  'UPDATE_COMPLETE',
  'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS',
]);

/**
 * Updates of a deployment's outer stack, and through it of its cluster. The template that is deployed says whether one was
 * done, so an attempt can be repeated; one that failed is tried once more by a repeated attempt, to the same end.
 */
export function createStackUpdateActivities({
  cloudFormation,
  stackPollSeconds,
  settings,
  currentPrices,
}: StackUpdateDeps): Pick<Activities, 'updateStack'> {
  const stacks = createStacks(cloudFormation);
  return {
    async updateStack(request) {
      return withHeartbeat(async ({ signal, report }) => {
        const settled = async () =>
          pollUntil(
            async () => {
              const stack = await ownStack(stacks, request);
              report({ stackId: stack.stackId, status: stack.status });
              return stack.status.endsWith('_IN_PROGRESS') && !DONE.has(stack.status) ? undefined : stack;
            },
            { intervalSeconds: stackPollSeconds, signal },
          );
        const notes = costNotesOf(request.spec, settings.region, await currentPrices());
        const before = await settled();
        if (!(await begin(stacks, before, request, settings.attachableFileSystems))) return notes;
        const { stackId, status } = await settled();
        if (DONE.has(status)) return notes;
        const reason = (await stacks.firstFailure(stackId, 'UPDATE')) ?? `the stack is ${status}`;
        throw updateFailed(reason, { stackId, status });
      });
    },
  };
}

async function ownStack(stacks: Stacks, { clusterName, epoch }: StackUpdateRequest): Promise<ExistingStack> {
  const name = outerStackName(clusterName);
  const stack = await stacks.find(name);
  if (stack?.epoch === epoch) return stack;
  throw updateFailed(stack ? `the stack ${name} is not of deployment ${epoch}` : `there is no stack ${name}`);
}

/** False where the stack is as it is to be. */
async function begin(
  stacks: Stacks,
  { stackId }: ExistingStack,
  { updateId, spec }: StackUpdateRequest,
  attachable: AttachableFileSystems | undefined,
): Promise<boolean> {
  const deployed = await stacks.template(stackId);
  const template = JSON.stringify(changed(parsed(deployed), spec, attachable));
  if (template === JSON.stringify(JSON.parse(deployed))) return false;
  try {
    return await stacks.update({ stackId, template, requestToken: `update-${updateId}` });
  } catch (error) {
    if (!(error instanceof Error) || !isInvalidStackRequest(error)) throw error;
    throw updateFailed(`CloudFormation refused it: ${error.message}`, { stackId });
  }
}

/** The API refuses a file system that is not allowed; an operator may have asked in the Temporal UI. */
function changed(
  deployed: OuterStackTemplate,
  spec: StackUpdateRequest['spec'],
  attachable: AttachableFileSystems | undefined,
): OuterStackTemplate {
  try {
    return withQueuesOf(deployed, spec, attachable);
  } catch (error) {
    if (error instanceof RangeError) throw updateFailed(`fileSystems: ${error.message}`);
    throw error;
  }
}

/** As much of the form as is relied on. */
const templateSchema = z.looseObject({
  Resources: z.looseObject({
    Cluster: z.looseObject({
      Properties: z.looseObject({
        ClusterConfiguration: z.looseObject({
          Scheduling: z.looseObject({ SlurmQueues: z.array(z.looseObject({ Name: z.string() })).min(1) }),
        }),
      }),
    }),
  }),
});

const deployedSchema = z.custom<OuterStackTemplate>((value) => templateSchema.safeParse(value).success);

function parsed(template: string): OuterStackTemplate {
  const found = deployedSchema.safeParse(JSON.parse(template));
  if (found.success) return found.data;
  throw updateFailed('its template is not as this service makes them');
}

function updateFailed(reason: string, details: Record<string, string> = {}): KnownFailure {
  return new KnownFailure('StackUpdateFailed', `The cluster was not updated: ${reason}`, details);
}
