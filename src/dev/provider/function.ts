import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AlreadyExistsException,
  CreateStackCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
  waitUntilStackCreateComplete,
  waitUntilStackUpdateComplete,
} from '@aws-sdk/client-cloudformation';
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';

const STACK_NAME = 'pcluster-provider';
const WAIT = { minDelay: 1, maxDelay: 1, maxWaitTime: 60 };
const SOURCE = join(import.meta.dirname, '..', 'python', 'provider_function.py');

/**
 * Installs the Lambda function that answers for `Custom::PclusterCluster`, as a stack with the output
 * `ServiceToken`, which is how AWS ships the official provider. Returns that token, an ARN. An existing one is
 * pointed at `providerUrl`.
 */
export async function installProviderFunction(
  cloudFormation: CloudFormationClient,
  providerUrl: string,
): Promise<string> {
  const TemplateBody = JSON.stringify(template(await readFile(SOURCE, 'utf8'), providerUrl));
  const request = { StackName: STACK_NAME, TemplateBody, Capabilities: ['CAPABILITY_IAM' as const] };
  try {
    await cloudFormation.send(new CreateStackCommand(request));
    await waitUntilStackCreateComplete({ client: cloudFormation, ...WAIT }, { StackName: STACK_NAME });
  } catch (error) {
    if (!(error instanceof AlreadyExistsException)) throw error;
    await updateUnlessSame(cloudFormation, request);
  }
  return serviceToken(cloudFormation);
}

function template(source: string, providerUrl: string): object {
  return {
    Resources: {
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } },
            ],
          },
        },
      },
      Function: {
        Type: 'AWS::Lambda::Function',
        Properties: {
          Runtime: 'python3.12',
          Handler: 'index.handler',
          Timeout: 30,
          Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
          Environment: { Variables: { PROVIDER_URL: providerUrl } },
          Code: { ZipFile: source },
        },
      },
    },
    Outputs: { ServiceToken: { Value: { 'Fn::GetAtt': ['Function', 'Arn'] } } },
  };
}

async function updateUnlessSame(
  cloudFormation: CloudFormationClient,
  request: { StackName: string; TemplateBody: string; Capabilities: 'CAPABILITY_IAM'[] },
): Promise<void> {
  try {
    await cloudFormation.send(new UpdateStackCommand(request));
    await waitUntilStackUpdateComplete({ client: cloudFormation, ...WAIT }, { StackName: STACK_NAME });
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('No updates are to be performed'))) throw error;
  }
}

async function serviceToken(cloudFormation: CloudFormationClient): Promise<string> {
  const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: STACK_NAME }));
  const outputs = Stacks[0]?.Outputs ?? [];
  const token = outputs.find(({ OutputKey }) => OutputKey === 'ServiceToken')?.OutputValue;
  if (token === undefined) throw new Error(`stack ${STACK_NAME} has no ServiceToken output`);
  return token;
}
