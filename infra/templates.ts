import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { FoundationError } from './foundation-error.ts';

/** The templates in the order in which they are deployed: each takes outputs of those before it as parameters. */
export const templateNames = [
  'network',
  'security-groups',
  'endpoints',
  'storage',
  'database',
  'provider',
  'budget',
  'service',
] as const;
export type TemplateName = (typeof templateNames)[number];

/** Outputs of stacks and parameters of templates by name; a parameter takes the output of the same name. */
export type Values = Readonly<Record<string, string>>;

const parametersSchema = z.record(
  z.string(),
  z.object({ Description: z.string(), Default: z.unknown().optional() }),
);

/** A template and what it wants. */
export interface Template {
  readonly name: TemplateName;
  readonly body: string;
  readonly parameters: z.output<typeof parametersSchema>;
  readonly outputs: readonly string[];
}

export async function readTemplates(): Promise<Template[]> {
  return Promise.all(templateNames.map(readTemplate));
}

async function readTemplate(name: TemplateName): Promise<Template> {
  const body = await readFile(join(import.meta.dirname, `${name}.yaml`), 'utf8');
  // Tags such as !Ref are CloudFormation's; what is read here has none.
  const document = parseDocument(body, { logLevel: 'silent' });
  const section = (key: string): unknown => z.object({ [key]: z.unknown() }).parse(document.toJS())[key];
  return {
    name,
    body,
    parameters: parametersSchema.parse(section('Parameters')),
    outputs: Object.keys(z.record(z.string(), z.unknown()).parse(section('Outputs'))),
  };
}

/**
 * Checks the values of a parameter file before anything is made.
 *
 * @throws FoundationError that names every parameter that is missing or that no template has.
 */
export function checkParameters(templates: readonly Template[], given: Values): void {
  const outputs = new Set(templates.flatMap((template) => template.outputs));
  const parameters = new Map(templates.flatMap((template) => Object.entries(template.parameters)));
  const problems = [
    ...[...parameters].flatMap(([name, { Description, Default }]) =>
      name in given || outputs.has(name) || Default !== undefined
        ? []
        : [`${name} is missing: ${Description}`],
    ),
    ...Object.keys(given).flatMap((name) => (parameters.has(name) ? [] : [`${name} is no parameter`])),
  ];
  if (problems.length === 0) return;
  throw new FoundationError(
    ['The parameters are not complete:', ...problems.map((each) => `  - ${each}`)]
      .concat('infra/README.md describes all of them.')
      .join('\n'),
  );
}

/** What a template gets: what the file says, else the output of an earlier stack, else its own default. */
export function parametersOf(template: Template, given: Values, outputs: Values): Values {
  return Object.fromEntries(
    Object.keys(template.parameters).flatMap((name) => {
      const value = given[name] ?? outputs[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
