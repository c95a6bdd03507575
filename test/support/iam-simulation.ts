import { runSimulation } from '@cloud-copilot/iam-simulate';
import { type ScalarTag, parse } from 'yaml';
import { z } from 'zod';
import type { Template, TemplateName } from '../../infra/templates.ts';

const ACCOUNT = '123456789012';

export interface IamRequest {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
}

/** Whether IAM lets a role with this policy, within this boundary, do something in its own account. */
export async function isAllowed(
  { action, resource, context = {} }: IamRequest,
  policy: unknown,
  boundary: unknown,
): Promise<boolean> {
  const outcome = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${ACCOUNT}:role/parallelcluster/pcluster/node`,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: { 'aws:RequestedRegion': 'us-east-1', ...context },
      },
      identityPolicies: [{ name: 'policy', policy }],
      permissionBoundaryPolicies: [{ name: 'boundary', policy: boundary }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (outcome.resultType === 'error') throw new Error(JSON.stringify(outcome.errors));
  return outcome.overallResult === 'Allowed';
}

const documents = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Properties: z.object({ PolicyDocument: z.unknown().optional() }) }),
  ),
});

const asText = (tag: string, text: (value: string) => string): ScalarTag => ({ tag, resolve: text });

/** A managed policy of the foundation as CloudFormation makes it with these parameters. */
export function policyInForce(
  templates: readonly Template[],
  name: TemplateName,
  policy: string,
  parameters: Readonly<Record<string, string>>,
): unknown {
  const { body = '' } = templates.find((template) => template.name === name) ?? {};
  const customTags = [
    asText('!Sub', (value) => value),
    asText('!Ref', (value) => `\${${value}}`),
    asText('!GetAtt', (value) => `\${${value}}`),
  ];
  const { Resources } = documents.parse(parse(body, { customTags, logLevel: 'silent' }));
  const values: Readonly<Record<string, string>> = {
    'AWS::Partition': 'aws',
    'AWS::Region': 'us-east-1',
    'AWS::AccountId': ACCOUNT,
    'AWS::URLSuffix': 'amazonaws.com',
    ...parameters,
  };
  const text = JSON.stringify(Resources[policy]?.Properties.PolicyDocument);
  return JSON.parse(
    text.replaceAll(/\$\{([\w:]+)\}/g, (_, reference: string) => values[reference] ?? `no-${reference}`),
  );
}
