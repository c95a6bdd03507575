import { expect, it } from 'vitest';
import { callsToAws, pageableOperations } from '../support/aws-calls.ts';

/** Calls of pageable operations without the SDK's paginator, each with the reason why nothing is overlooked. */
const ONE_PAGE: Readonly<Record<string, string>> = {
  'src/clients/stacks.ts DescribeStacks': 'asks for one stack by its name or id',
  'src/clients/usage-store.ts ListObjectsV2': 'is itself a page: callers ask for what follows',
  'src/clients/node-logs.ts GetLogEvents': 'the newest events of a stream, as many as are wanted',
  'src/clients/log-streams.ts GetLogEvents':
    'is itself a page; the token that leads on is repeated at the end, and reading backwards ends when it has enough',
};

it('reads every list of AWS to its end', () => {
  const single = callsToAws()
    .filter(({ client, operation, isPaged }) => !isPaged && pageableOperations(client).has(operation))
    .map(({ file, operation }) => `${file} ${operation}`);
  expect(single.toSorted()).toEqual(Object.keys(ONE_PAGE).toSorted());
});
