import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { parametersOf, readTemplates } from '../../infra/templates.ts';
import type { TemplateName } from '../../infra/templates.ts';
import { makeStack, type Resource, type Stack } from './cloudformation.ts';

/** All stacks of the foundation as CloudFormation would make them, each with the outputs of those before it. */
export type Foundation = Readonly<Record<TemplateName, Stack>>;

/** With the example's parameters unless others are given. */
export async function makeFoundation(given: Readonly<Record<string, string>> = {}): Promise<Foundation> {
  const example = readFileSync(join(import.meta.dirname, '../../infra/parameters.example.yaml'), 'utf8');
  const parameters = {
    ...z.record(z.string(), z.coerce.string()).parse(parse(example)),
    // An output of a template of AWS.
    ProviderArn: 'arn:aws:lambda:us-east-1:123456789012:function:pcluster-provider',
    ...given,
  };
  const stacks = new Map<string, Stack>();
  let outputs: Readonly<Record<string, string>> = {};
  for (const template of await readTemplates()) {
    const stack = makeStack(
      `hpc-foundation-${template.name}`,
      template.body,
      parametersOf(template, parameters, outputs),
    );
    outputs = { ...outputs, ...stack.outputs };
    stacks.set(template.name, stack);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one for each of readTemplates()
  return Object.fromEntries(stacks) as Record<TemplateName, Stack>;
}

/** Those of a type, of all stacks, by their logical ids. */
export function ofType(foundation: Foundation, type: string): [string, Resource][] {
  return Object.values(foundation)
    .flatMap(({ resources }) => Object.entries(resources))
    .filter(([, { Type }]) => Type === type);
}

export function resourceOf(foundation: Foundation, stack: TemplateName, id: string): Resource {
  const { [id]: resource } = foundation[stack].resources;
  if (!resource) throw new Error(`${stack} has no ${id}`);
  return resource;
}

/** A managed policy, or the policy that a resource has as a property. */
export function policyOf(
  foundation: Foundation,
  stack: TemplateName,
  id: string,
  property = 'PolicyDocument',
): unknown {
  return resourceOf(foundation, stack, id).Properties[property];
}

const roleSchema = z.object({
  AssumeRolePolicyDocument: z.unknown(),
  ManagedPolicyArns: z.array(z.string()).default([]),
  Policies: z.array(z.object({ PolicyDocument: z.unknown() })).default([]),
});

/** What a role may do by the foundation's own policies, and the ARNs of others that it has. */
export function roleOf(foundation: Foundation, stack: TemplateName, id: string) {
  const { AssumeRolePolicyDocument, ManagedPolicyArns, Policies } = roleSchema.parse(
    resourceOf(foundation, stack, id).Properties,
  );
  const own = Object.entries(foundation[stack].resources)
    .filter(([, { Type }]) => Type === 'AWS::IAM::ManagedPolicy')
    .map(([name, { Properties }]) => [arnOfPolicy(stack, name), Properties['PolicyDocument']] as const);
  const documents = new Map(own);
  return {
    trust: AssumeRolePolicyDocument,
    policies: [
      ...ManagedPolicyArns.flatMap((arn) => (documents.has(arn) ? [documents.get(arn)] : [])),
      ...Policies.map(({ PolicyDocument }) => PolicyDocument),
    ],
    otherPolicies: ManagedPolicyArns.filter((arn) => !documents.has(arn)),
  };
}

const arnOfPolicy = (stack: string, id: string): string =>
  `arn:aws:iam::123456789012:policy/${`hpc-foundation-${stack}-${id}`.toLowerCase()}`;
