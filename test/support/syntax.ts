import { parseSync } from 'oxc-parser';

/** A node of the syntax tree of ESTree, with TypeScript's own. */
export interface SyntaxNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

export function parse(path: string, text: string): SyntaxNode {
  const { program, errors } = parseSync(path, text);
  const root: unknown = program;
  if (errors.length > 0 || !isNode(root)) throw new Error(`${path} cannot be parsed`);
  return root;
}

/** A node and all below it, each with those around it, the nearest first. `into` says where not to go deeper. */
export function* walk(
  node: SyntaxNode,
  around: readonly SyntaxNode[] = [],
  into: (node: SyntaxNode) => boolean = () => true,
): Generator<readonly [node: SyntaxNode, around: readonly SyntaxNode[]]> {
  yield [node, around];
  if (!into(node)) return;
  for (const child of Object.values(node).flat().filter(isNode)) yield* walk(child, [node, ...around], into);
}

/** The name of an identifier, or the text of a literal. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  const name = node['name'] ?? node['value'];
  return typeof name === 'string' ? name : undefined;
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
]);
export const isFunction = ({ type }: SyntaxNode): boolean => FUNCTIONS.has(type);

/** The name of the nearest function around that has one. */
export function functionAround(around: readonly SyntaxNode[]): string {
  for (const [index, each] of around.entries()) {
    if (!isFunction(each)) continue;
    const holder = around[index + 1];
    const name = nameOf(each['id']) ?? (holder && (nameOf(holder['key']) ?? nameOf(holder['id'])));
    if (name !== undefined) return name;
  }
  return 'the module itself';
}
