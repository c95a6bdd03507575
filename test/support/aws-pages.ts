import { isFunction, nameOf, type SyntaxNode, walk } from './syntax.ts';

/**
 * Whether all pages of a paginator are read, as far as syntax tells: it is what a `for await` goes through, at once or by a
 * name that nothing else uses, and nothing in that loop ends it before the last page.
 */
export function readsAllPages(call: SyntaxNode, around: readonly SyntaxNode[]): boolean {
  const [parent] = around;
  const loop = parent?.type === 'VariableDeclarator' ? loopThrough(parent, around) : parent;
  const isWhole =
    loop?.type === 'ForOfStatement' && loop['await'] === true && goesThrough(loop, call, parent);
  return isWhole && !endsEarly(loop);
}

function goesThrough({ right }: SyntaxNode, call: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  return right === call || (parent?.type === 'VariableDeclarator' && nameOf(right) === nameOf(parent['id']));
}

/** The loop that goes through what was given a name; undefined where the name is used otherwise, too. */
function loopThrough(declarator: SyntaxNode, around: readonly SyntaxNode[]): SyntaxNode | undefined {
  const name = nameOf(declarator['id']);
  const scope = around.find(isFunction);
  if (name === undefined || !scope) return undefined;
  const uses = [...walk(scope)].filter(
    ([node, [parent]]) => node.type === 'Identifier' && nameOf(node) === name && parent !== declarator,
  );
  const [first] = uses;
  if (!first || uses.length > 1) return undefined;
  const [use, [loop]] = first;
  return loop?.['right'] === use ? loop : undefined;
}

const LOOPS = /^(?:For(?:Of|In)?|While|DoWhile)Statement$/;

/** By `break` or `return`, or by whatever names a label: it may be of a loop around. */
function endsEarly(loop: SyntaxNode): boolean {
  for (const [node, around] of walk(loop, [], (each) => !isFunction(each))) {
    if (node.type === 'ReturnStatement') return true;
    if (node.type !== 'BreakStatement' && node.type !== 'ContinueStatement') continue;
    if (node['label']) return true;
    if (node.type === 'ContinueStatement') continue;
    const ends = around.find(({ type }) => LOOPS.test(type) || type === 'SwitchStatement');
    if (ends === loop) return true;
  }
  return false;
}
