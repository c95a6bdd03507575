import { DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { describe, expect, it } from 'vitest';
import { FoundationError } from '../../infra/foundation-error.ts';
import { deployStack } from '../../infra/stack-deployment.ts';
import { createStacks } from '../../src/clients/stacks.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();

const GROUP = `
  Group:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: !Ref Name }`;
/** Nobody serves it. */
const UNSERVED = `
  Unserved:
    Type: Custom::Nothing
    Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:123456789012:function:missing' }`;

const template = (resources: string): string => `
Parameters: { Name: { Type: String } }
Resources:${resources}
Outputs: { GroupName: { Value: !Ref Name } }`;

async function deploy(
  stackName: string,
  resources: string,
  more: { name?: string; planOnly?: boolean } = {},
) {
  const changes: string[] = [];
  const outputs = await deployStack(aws().clients.cloudFormation, {
    stackName,
    template: template(resources),
    parameters: { Name: more.name ?? '/one' },
    tags: [{ Key: 'SBO_Billing', Value: 'hpc:parallelcluster' }],
    planOnly: more.planOnly ?? false,
    onChange: (change) => changes.push(change),
  });
  return { outputs, changes };
}

async function statusOf(stackName: string): Promise<string | undefined> {
  return (await createStacks(aws().clients.cloudFormation).find(stackName))?.status;
}

describe('deploying a stack', () => {
  it('creates it, updates it, and returns its outputs', async () => {
    const made = await deploy('whole', GROUP);
    expect(made).toEqual({ outputs: { GroupName: '/one' }, changes: ['Add Group (AWS::Logs::LogGroup)'] });

    const updated = await deploy('whole', GROUP, { name: '/two' });
    expect(updated.outputs).toEqual({ GroupName: '/two' });
    expect(updated.changes).toEqual([expect.stringContaining('Group (AWS::Logs::LogGroup)')]);
  });

  it('makes nothing when it only plans', async () => {
    const planned = await deploy('planned', GROUP, { name: '/three', planOnly: true });
    expect(planned).toEqual({ outputs: undefined, changes: ['Add Group (AWS::Logs::LogGroup)'] });

    await expect(statusOf('planned')).resolves.toBeUndefined();
    await expect(deploy('planned', GROUP, { name: '/three' })).resolves.toMatchObject({
      outputs: { GroupName: '/three' },
    });
  });

  it('tells the first cause when it fails, and takes no update of what has failed', async () => {
    const first = deploy('failing', UNSERVED);
    await expect(first).rejects.toThrow(FoundationError);
    await expect(first).rejects.toThrow(/^failing failed: Unserved \(Custom::Nothing\): .*missing/);

    await expect(deploy('failing', GROUP)).rejects.toThrow(/is ROLLBACK_COMPLETE.*delete it/);
    const { cloudFormation } = aws().clients;
    await cloudFormation.send(new DeleteStackCommand({ StackName: 'failing' }));
  });

  it('tells the first cause when an update fails, and leaves the stack as it was', async () => {
    await deploy('updated', GROUP, { name: '/four' });

    await expect(deploy('updated', GROUP + UNSERVED, { name: '/four' })).rejects.toThrow(
      /^updated failed: Unserved \(Custom::Nothing\)/,
    );
    await expect(statusOf('updated')).resolves.toBe('UPDATE_ROLLBACK_COMPLETE');
    await expect(deploy('updated', GROUP, { name: '/five' })).resolves.toMatchObject({
      outputs: { GroupName: '/five' },
    });
  });
});
