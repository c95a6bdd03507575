import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { productFiles } from '../support/aws-calls.ts';

const require = createRequire(import.meta.url);

/** Calls of operations with pages that need no paginator, each with its reason. */
const WITHOUT_PAGINATOR: Readonly<Record<string, string>> = {
  'src/activities/lustre-export.ts GetMetricData': 'One metric, newest first: only the latest is looked at.',
  'src/clients/log-streams.ts GetLogEvents': 'Ends at a repeated token, which its readers look for.',
  'src/clients/stacks.ts DescribeStacks': 'One stack, by its name or id.',
  'src/clients/usage-store.ts ListObjectsV2': 'One page of our own, whose callers ask for the next.',
};

describe('Product code', () => {
  it('calls every operation of AWS that has pages by its paginator, but for a few with a reason', () => {
    expect(callsWithoutPaginator()).toEqual(Object.keys(WITHOUT_PAGINATOR));
  });
});

function callsWithoutPaginator(): string[] {
  return productFiles()
    .flatMap((path) => {
      const imports = readFileSync(path, 'utf8').matchAll(
        /import (?!type)\{([^}]+)\} from '(@aws-sdk\/client-[\w-]+)'/g,
      );
      return [...imports].flatMap(([, names = '', sdk = '']) => {
        const exported = new Set(Object.keys(z.looseObject({}).parse(require(sdk))));
        return [...names.matchAll(/\b(\w+)Command\b/g)]
          .map(([, operation = '']) => operation)
          .filter((operation) => exported.has(`paginate${operation}`))
          .map((operation) => `${relative(process.cwd(), path)} ${operation}`);
      });
    })
    .toSorted();
}
