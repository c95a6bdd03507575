import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { Template, TemplateName } from '../../infra/templates.ts';

const oneOrMore = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === 'string' ? [value] : value));

const statement = z.object({
  Sid: z.string(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMore,
  /** As the template writes it, without resolving functions. */
  Resource: oneOrMore,
});

const managedPolicies = z.object({
  Resources: z.record(
    z.string(),
    z.object({
      Properties: z.object({ PolicyDocument: z.object({ Statement: z.array(z.unknown()) }).optional() }),
    }),
  ),
});

export type Statement = z.output<typeof statement>;

/** The statements of a managed policy in a template of the foundation. */
export function statementsOf(
  templates: readonly Template[],
  name: TemplateName,
  policy: string,
): Statement[] {
  const body = templates.find((template) => template.name === name)?.body ?? '';
  // Tags of CloudFormation, such as !Sub, are left out: what they stand before is a string.
  const { Resources } = managedPolicies.parse(parseDocument(body, { logLevel: 'silent' }).toJS());
  return z.array(statement).parse(Resources[policy]?.Properties.PolicyDocument?.Statement);
}

/** Whether some statement allows the action on something. `*` is IAM's wildcard. */
export function allows(statements: readonly Statement[], action: string): boolean {
  return statements.some(
    ({ Effect, Action }) => Effect === 'Allow' && Action.some((pattern) => matches(pattern, action)),
  );
}

function matches(pattern: string, action: string): boolean {
  const [start = '', end] = pattern.split('*');
  return end === undefined ? pattern === action : action.startsWith(start) && action.endsWith(end);
}
