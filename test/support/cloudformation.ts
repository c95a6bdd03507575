import { isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml';
import { z } from 'zod';

export const ACCOUNT = '123456789012';
const PSEUDO_PARAMETERS: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'us-east-1',
  'AWS::AccountId': ACCOUNT,
  'AWS::URLSuffix': 'amazonaws.com',
};
const NO_VALUE = Symbol('AWS::NoValue');

const attributes = z.object({
  Type: z.string(),
  Condition: z.string().optional(),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
  Properties: z.record(z.string(), z.unknown()).default({}),
});
const record = z.record(z.string(), z.unknown());
const sections = z.object({
  Parameters: z.record(z.string(), z.object({ Type: z.string(), Default: z.unknown().optional() })),
  Conditions: record.default({}),
  Mappings: z.record(z.string(), z.record(z.string(), record)).default({}),
  Resources: record,
  Outputs: z.record(z.string(), z.object({ Condition: z.string().optional(), Value: z.unknown() })),
});

export type Resource = Omit<z.output<typeof attributes>, 'Condition'>;
export interface Stack {
  readonly resources: Readonly<Record<string, Resource>>;
  readonly outputs: Readonly<Record<string, string>>;
}

interface Scope {
  readonly stackName: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly template: z.output<typeof sections>;
  readonly types: Map<string, string>;
  /** Of Fn::ForEach and of the second part of Fn::Sub. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * A template as CloudFormation would make it: loops written out, functions computed, what a condition excludes left out.
 * Physical ids are made up, but have the form of those of AWS, so that policies can be judged by what they say of ARNs.
 *
 * @throws Error for a function or name that it does not know.
 */
export function makeStack(
  stackName: string,
  body: string,
  parameters: Readonly<Record<string, string>>,
): Stack {
  const template = sections.parse(plain(parseDocument(body, { logLevel: 'silent' }).contents));
  const scope = { stackName, parameters, template, types: new Map<string, string>(), variables: {} };
  const written = Object.entries(record.parse(writtenOut(template.Resources, scope)));
  for (const [id, resource] of written)
    scope.types.set(id, z.object({ Type: z.string() }).parse(resource).Type);
  const isMade = (condition: string | undefined): boolean =>
    condition === undefined || evaluate(template.Conditions[condition], scope) === true;
  const resources: Record<string, Resource> = {};
  for (const [id, resource] of written) {
    const { Condition, ...made } = attributes.parse(resource);
    if (isMade(Condition))
      resources[id] = { ...made, Properties: record.parse(evaluate(made.Properties, scope)) };
  }
  const outputs: Record<string, string> = {};
  for (const [name, { Condition, Value }] of Object.entries(template.Outputs))
    if (isMade(Condition)) outputs[name] = text(evaluate(Value, scope));
  return { resources, outputs };
}

/** `!Sub x` as `{ "Fn::Sub": "x" }`, as CloudFormation reads YAML. */
function plain(node: unknown): unknown {
  let value: unknown = isScalar(node) ? node.value : null;
  if (isMap(node))
    value = Object.fromEntries(node.items.map((item) => [String(item.key), plain(item.value)]));
  if (isSeq(node)) value = node.items.map(plain);
  const name = isNode(node) ? /^!(\w+)$/.exec(node.tag ?? '')?.[1] : undefined;
  if (name === undefined) return value;
  if (name === 'Ref') return { Ref: value };
  return { [`Fn::${name}`]: name === 'GetAtt' && typeof value === 'string' ? dotted(value) : value };
}

function dotted(value: string): string[] {
  const [id = '', ...attribute] = value.split('.');
  return [id, attribute.join('.')];
}

/** Only loops; functions stay. */
function writtenOut(value: unknown, scope: Scope): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
      if (!key.startsWith('Fn::ForEach::')) return [[key, inner]];
      const [variable, values, body] = z.tuple([z.string(), z.unknown(), record]).parse(inner);
      return list(evaluate(values, scope)).flatMap((each) => {
        const within = { ...scope, variables: { ...scope.variables, [variable]: text(each) } };
        return Object.entries(record.parse(writtenOut(renamed(body, within), within))).map(
          ([name, made]): [string, unknown] => [name, withVariables(made, within)],
        );
      });
    }),
  );
}

function renamed(body: Record<string, unknown>, scope: Scope): Record<string, unknown> {
  const name = (key: string): string =>
    key.replaceAll(/([$&])\{(\w+)\}/g, (whole, sign: string, variable: string) => {
      const value = scope.variables[variable];
      if (value === undefined) return whole;
      return sign === '&' ? text(value).replaceAll(/[^A-Za-z0-9]/g, '') : text(value);
    });
  return Object.fromEntries(Object.entries(body).map(([key, inner]) => [name(key), inner]));
}

/** What a loop's body says of its variable. */
function withVariables(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string')
    return value.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => text(scope.variables[name] ?? whole));
  if (Array.isArray(value)) return value.map((each) => withVariables(each, scope));
  if (typeof value !== 'object' || value === null) return value;
  if ('Ref' in value && typeof value.Ref === 'string' && value.Ref in scope.variables)
    return scope.variables[value.Ref];
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withVariables(inner, scope)]));
}

function evaluate(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value))
    return value.map((each) => evaluate(each, scope)).filter((each) => each !== NO_VALUE);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [[name, argument] = ['', undefined]] = entries;
  if (entries.length === 1 && name === 'Ref') return reference(text(evaluate(argument, scope)), scope);
  if (entries.length === 1 && name.startsWith('Fn::')) return call(name.slice(4), argument, scope);
  return Object.fromEntries(
    entries
      .map(([key, inner]) => [key, evaluate(inner, scope)] as const)
      .filter(([, inner]) => inner !== NO_VALUE),
  );
}

function call(name: string, argument: unknown, scope: Scope): unknown {
  if (name === 'If') {
    const [condition, yes, no] = list(argument);
    const isTrue = evaluate(scope.template.Conditions[text(condition)], scope) === true;
    return evaluate(isTrue ? yes : no, scope);
  }
  if (name === 'Sub') {
    const [pattern, given = {}] = Array.isArray(argument) ? argument : [argument];
    const variables = { ...scope.variables, ...record.parse(evaluate(given, scope)) };
    return text(pattern).replaceAll(/\$\{([\w:.]+)\}/g, (_, inner: string) =>
      text(inner.includes('.') ? attribute(dotted(inner), scope) : reference(inner, { ...scope, variables })),
    );
  }
  const of = list(evaluate(Array.isArray(argument) ? argument : [argument], scope));
  const [first, second, third] = of;
  switch (name) {
    case 'GetAtt':
      return attribute([text(first), text(second)], scope);
    case 'Select':
      return list(second)[Number(first)];
    case 'Split':
      return text(second).split(text(first));
    case 'Join':
      return list(second).map(text).join(text(first));
    case 'Cidr':
      return Array.from({ length: Number(second) }, (_, index) => block(text(first), Number(third), index));
    case 'FindInMap':
      return scope.template.Mappings[text(first)]?.[text(second)]?.[text(third)];
    case 'Equals':
      return first === second;
    case 'Not':
      return first === false;
    default:
      throw new Error(`unknown function ${name}`);
  }
}

function reference(name: string, scope: Scope): unknown {
  if (name in scope.variables) return scope.variables[name];
  if (name === 'AWS::NoValue') return NO_VALUE;
  if (name === 'AWS::StackName') return scope.stackName;
  const pseudo = PSEUDO_PARAMETERS[name];
  if (pseudo !== undefined) return pseudo;
  const declared = scope.template.Parameters[name];
  if (declared) {
    const value = scope.parameters[name] ?? declared.Default;
    if (value === undefined) throw new Error(`${scope.stackName} is not told ${name}`);
    return /^(CommaDelimitedList|List<)/.test(declared.Type) ? text(value).split(',') : text(value);
  }
  const type = scope.types.get(name);
  if (type === undefined) throw new Error(`${scope.stackName} has no ${name}`);
  return type === 'AWS::IAM::ManagedPolicy' || type === 'AWS::SNS::Topic'
    ? arnOf(type, name, scope)
    : physicalId(name, scope);
}

function attribute([id, name]: readonly [string, string] | readonly string[], scope: Scope): unknown {
  const type = scope.types.get(id ?? '');
  if (id === undefined || type === undefined) throw new Error(`${scope.stackName} has no ${id}`);
  return name === 'Arn' ? arnOf(type, id, scope) : `${id}.${name}`;
}

const physicalId = (id: string, { stackName }: Scope): string => `${stackName}-${id}`.toLowerCase();

function arnOf(type: string, id: string, scope: Scope): string {
  const own = physicalId(id, scope);
  switch (type) {
    case 'AWS::S3::Bucket':
      return `arn:aws:s3:::${own}`;
    case 'AWS::IAM::ManagedPolicy':
      return `arn:aws:iam::${ACCOUNT}:policy/${own}`;
    case 'AWS::IAM::Role':
      return `arn:aws:iam::${ACCOUNT}:role/${own}`;
    case 'AWS::KMS::Key':
      return `arn:aws:kms:us-east-1:${ACCOUNT}:key/${own}`;
    case 'AWS::SNS::Topic':
      return `arn:aws:sns:us-east-1:${ACCOUNT}:${own}`;
    default:
      throw new Error(`the form of the ARN of ${type} is unknown`);
  }
}

/** `index`-th block of `bits` host bits of a range (Fn::Cidr). */
function block(range: string, bits: number, index: number): string {
  const [address = ''] = range.split('/');
  const start = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0) + index * 2 ** bits;
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256);
  return `${bytes.join('.')}/${32 - bits}`;
}

function list(value: unknown): readonly unknown[] {
  return z.array(z.unknown()).parse(value);
}

function text(value: unknown): string {
  return z.coerce.string().parse(value);
}
