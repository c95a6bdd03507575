import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AwsClients, MiddlewareStack } from '../../src/clients/aws.ts';
import { callsToAws } from './aws-calls.ts';

/*
 * Answers of AWS in the smallest pages that it may send: an empty one, then one thing each. Emulators send hundreds at a time,
 * and some know no pages at all.
 */

const PACKAGES = join(import.meta.dirname, '..', '..', 'node_modules', '@aws-sdk');

/** Names of our clients by those of the SDK's packages. */
const clientNames: Readonly<Record<string, Exclude<keyof AwsClients, 'destroy'>>> = {
  cloudformation: 'cloudFormation',
  cloudwatch: 'cloudWatch',
  'cloudwatch-logs': 'logs',
  ec2: 'ec2',
  efs: 'efs',
  fsx: 'fsx',
  pricing: 'pricing',
  s3: 's3',
  'secrets-manager': 'secretsManager',
  'service-quotas': 'serviceQuotas',
};

interface Tokens {
  readonly asked: string;
  readonly answered: string;
}

type Fields = Record<string, unknown>;
type Call = (args: { readonly input: Fields }) => Promise<{ readonly output: Fields }>;

/** `ec2 DescribeSubnets` of every list that product code reads page by page. */
export function pagedOperations(): string[] {
  const paged = callsToAws().filter(({ isPaged }) => isPaged);
  return [...new Set(paged.map(({ client, operation }) => `${client} ${operation}`))].toSorted();
}

/** Cuts the answers of clients into small pages until it is told to stop, and counts the pages that were asked for. */
export function inSmallPages(clients: AwsClients): { readonly pages: Map<string, number>; stop(): void } {
  const pages = new Map<string, number>();
  const stops = [...new Set(pagedOperations())].map((name) => {
    const [client = '', operation = ''] = name.split(' ');
    const stack: MiddlewareStack & { remove(name: string): boolean } =
      clients[clientNames[client] ?? 'ec2'].middlewareStack;
    const middleware = `smallPages${operation}`;
    const tokens = tokensOf(client, operation);
    const rests = new Map<string, Fields[]>();
    const cut = async (next: Call, args: Parameters<Call>[0]): Promise<{ readonly output: Fields }> => {
      const token = args.input[tokens.asked];
      const known = typeof token === 'string' ? rests.get(token) : undefined;
      const [first, ...rest] = known ?? onePageEach(await readAll(next, args, tokens));
      if (known) pages.set(name, (pages.get(name) ?? 1) + 1);
      const onward = `small-page-${rests.size}`;
      if (rest.length > 0) rests.set(onward, rest);
      return { output: { ...first, [tokens.answered]: rest.length > 0 ? onward : undefined } };
    };
    stack.add(
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- any operation's arguments and answer have these
      ((next: Call, { commandName }: { commandName?: string }) =>
        async (args: Parameters<Call>[0]) =>
          commandName === `${operation}Command` ? cut(next, args) : next(args)) as never,
      { step: 'initialize', name: middleware },
    );
    return () => void stack.remove(middleware);
  });
  return { pages, stop: () => stops.forEach((stop) => stop()) };
}

/** How the SDK's own paginator of an operation calls its tokens, as the service's model has it. */
function tokensOf(client: string, operation: string): Tokens {
  const file = join(PACKAGES, `client-${client}`, 'dist-es', 'pagination', `${operation}Paginator.js`);
  const [, asked = '', answered = ''] =
    /createPaginator\(\w+, \w+, "([\w.]+)", "([\w.]+)"/.exec(readFileSync(file, 'utf8')) ?? [];
  if (!asked || !answered) throw new Error(`the paginator of ${operation} names no tokens`);
  return { asked, answered };
}

async function readAll(next: Call, args: Parameters<Call>[0], tokens: Tokens): Promise<Fields[]> {
  const answers: Fields[] = [];
  let token: unknown;
  do {
    const input = { ...args.input, ...(token !== undefined && { [tokens.asked]: token }) };
    const { output } = await next({ ...args, input });
    answers.push(output);
    token = output[tokens.answered];
  } while (token);
  return answers;
}

function onePageEach(answers: readonly Fields[]): Fields[] {
  return answers.flatMap((answer) => {
    const lists = Object.entries(answer).filter(([, value]) => Array.isArray(value));
    const empty = { ...answer, ...Object.fromEntries(lists.map(([key]) => [key, []])) };
    const single = lists.flatMap(([key, list]) =>
      (Array.isArray(list) ? list : []).map((each: unknown) => ({ ...empty, [key]: [each] })),
    );
    return [empty, ...single];
  });
}
