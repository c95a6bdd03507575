import {
  CreateChangeSetCommand,
  DeleteChangeSetCommand,
  DescribeChangeSetCommand,
  ExecuteChangeSetCommand,
  paginateDescribeChangeSet,
  waitUntilChangeSetCreateComplete,
  waitUntilStackCreateComplete,
  waitUntilStackUpdateComplete,
} from '@aws-sdk/client-cloudformation';
import type { CloudFormationClient, ResourceChange, Tag } from '@aws-sdk/client-cloudformation';
import { createStacks } from '../src/clients/stacks.ts';
import { FoundationError } from './foundation-error.ts';
import type { Values } from './templates.ts';

/** A database takes ten minutes, a replacement of one with its snapshot longer. */
const STACK_DEADLINE_SECONDS = 2 * 3600;
const CHANGE_SET_DEADLINE_SECONDS = 600;
/** The only way in which CloudFormation tells that there is nothing to do. */
const NO_CHANGES = /didn't contain changes|No updates are to be performed/i;

export interface StackDeployment {
  readonly stackName: string;
  readonly template: string;
  readonly parameters: Values;
  readonly tags: Tag[];
  /** Only shows what would change. */
  readonly planOnly: boolean;
  /** Told what changes, before anything does. */
  readonly onChange: (change: string) => void;
}

/**
 * Creates or updates a stack by a change set and waits until it is complete.
 *
 * @returns the outputs; undefined for a stack that does not exist yet and was only planned.
 * @throws FoundationError with the first failed event when CloudFormation does not get there.
 */
export async function deployStack(
  client: CloudFormationClient,
  deployment: StackDeployment,
): Promise<Values | undefined> {
  const { stackName, planOnly } = deployment;
  const stacks = createStacks(client);
  const existing = await stacks.find(stackName);
  // A change set for a new stack leaves it in review until it is executed, as an interrupted run did.
  const isNew = existing === undefined || existing.status === 'REVIEW_IN_PROGRESS';
  if (!isNew) refuseUnfit(stackName, existing.status);
  const changeSet = await createChangeSet(client, deployment, isNew ? 'CREATE' : 'UPDATE');
  if (changeSet.isEmpty || planOnly) {
    await client.send(new DeleteChangeSetCommand({ ChangeSetName: changeSet.id }));
    if (isNew) await stacks.delete(stackName);
    return isNew ? undefined : existing.outputs;
  }
  await client.send(new ExecuteChangeSetCommand({ ChangeSetName: changeSet.id }));
  const wait = isNew ? waitUntilStackCreateComplete : waitUntilStackUpdateComplete;
  try {
    await wait({ client, maxWaitTime: STACK_DEADLINE_SECONDS }, { StackName: stackName });
  } catch (error) {
    const reason = await stacks.firstFailure(stackName, isNew ? 'CREATE' : 'UPDATE');
    throw new FoundationError(
      `${stackName} failed${reason ? `: ${reason}` : ''}. Mend the cause; ${isNew ? 'delete the stack, ' : ''}then deploy again.`,
      { cause: error },
    );
  }
  return (await stacks.find(stackName))?.outputs;
}

function refuseUnfit(stackName: string, status: string): void {
  if (status.endsWith('_IN_PROGRESS')) {
    throw new FoundationError(`${stackName} is ${status}. Wait until that has ended, then deploy again.`);
  }
  if (!status.endsWith('_COMPLETE') || status === 'ROLLBACK_COMPLETE') {
    throw new FoundationError(
      `${stackName} is ${status}, from which CloudFormation takes no update. Look at its events; delete it (or continue its rollback), then deploy again.`,
    );
  }
}

async function createChangeSet(
  client: CloudFormationClient,
  { stackName, template, parameters, tags, onChange }: StackDeployment,
  ChangeSetType: 'CREATE' | 'UPDATE',
): Promise<{ id: string; isEmpty: boolean }> {
  // One that an interrupted run has left keeps its name.
  const ChangeSetName = `infra-deploy-${Date.now()}`;
  const { Id: id = ChangeSetName } = await client.send(
    new CreateChangeSetCommand({
      StackName: stackName,
      ChangeSetName,
      ChangeSetType,
      TemplateBody: template,
      Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
        ParameterKey,
        ParameterValue,
      })),
      // The nested stacks of ParallelCluster name their IAM resources; templates here use a transform.
      Capabilities: ['CAPABILITY_NAMED_IAM', 'CAPABILITY_AUTO_EXPAND'],
      Tags: tags,
    }),
  );
  try {
    await waitUntilChangeSetCreateComplete(
      { client, maxWaitTime: CHANGE_SET_DEADLINE_SECONDS },
      { StackName: stackName, ChangeSetName: id },
    );
  } catch (error) {
    const { StatusReason = '' } = await client.send(new DescribeChangeSetCommand({ ChangeSetName: id }));
    if (NO_CHANGES.test(StatusReason)) return { id, isEmpty: true };
    throw new FoundationError(`${stackName} cannot be changed so: ${StatusReason}`, { cause: error });
  }
  for await (const { Changes = [] } of paginateDescribeChangeSet({ client }, { ChangeSetName: id })) {
    for (const { ResourceChange } of Changes) if (ResourceChange) onChange(inWords(ResourceChange));
  }
  return { id, isEmpty: false };
}

function inWords({ Action, Replacement, LogicalResourceId, ResourceType }: ResourceChange): string {
  const replaces = Replacement === 'True' || Replacement === 'Conditional';
  const verb = replaces ? `REPLACES (${Replacement === 'True' ? 'certainly' : 'perhaps'})` : Action;
  return `${verb} ${LogicalResourceId} (${ResourceType})`;
}
