import { describe, expect, it } from 'vitest';
import { callsToAws, hiddenCallsToAws, pageableOperations, scan } from '../support/aws-calls.ts';

/** Calls of pageable operations without the SDK's paginator, each with the reason why nothing is overlooked. */
const ONE_PAGE: Readonly<Record<string, string>> = {
  'src/clients/stacks.ts find DescribeStacks': 'asks for one stack by its name or id',
  'src/clients/usage-store.ts list ListObjectsV2': 'is itself a page: callers ask for what follows',
  'src/clients/node-logs.ts newestLines GetLogEvents': 'the newest events of a stream, as many as are wanted',
  'src/clients/log-streams.ts lastEvents GetLogEvents': 'reading backwards ends when it has enough',
  'src/clients/log-streams.ts readEvents GetLogEvents':
    'is itself a page; the token that leads on is repeated at the end',
};

/** Readings that end when they have found what they look for; test/contract/small-pages.test.ts tries each in small pages. */
const UNTIL_FOUND = [
  'src/activities/lustre-export.ts oldestQueued GetMetricData',
  'src/clients/lustre-file-systems.ts find DescribeFileSystems',
  'src/clients/lustre-file-systems.ts findLink DescribeDataRepositoryAssociations',
  'src/clients/stacks.ts firstFailure DescribeStackEvents',
];

const pageable = () =>
  callsToAws()
    .filter(({ client, operation }) => pageableOperations(client).has(operation))
    .map(({ site, operation, ...call }) => ({ ...call, name: `${site} ${operation}` }));

describe('product code', () => {
  it('reads every list of AWS by pages, wherever it asks for one', () => {
    const single = pageable().filter(({ isPaged }) => !isPaged);
    expect(single.map(({ name }) => name).toSorted()).toEqual(Object.keys(ONE_PAGE).toSorted());
  });

  it('reads all of these pages, or until it has found what it looks for', () => {
    const early = pageable().filter(({ isPaged, readsAll }) => isPaged && !readsAll);
    expect(early.map(({ name }) => name).toSorted()).toEqual(UNTIL_FOUND);
  });

  it('calls AWS in no way that hides which calls it makes', () => {
    expect(hiddenCallsToAws()).toEqual([]);
  });
});

describe('the scan of a file', () => {
  const importing =
    "import { DescribeVolumesCommand, paginateDescribeVolumes } from '@aws-sdk/client-ec2';\n";
  const callsIn = (body: string) => {
    const text = `${importing}async function read(ec2, all) {\n${body}\n}`;
    return scan('a.ts', text).calls.map(({ operation, isPaged, readsAll, site }) => ({
      operation,
      isPaged,
      readsAll,
      site,
    }));
  };
  const volumes = { operation: 'DescribeVolumes', site: 'a.ts read' };

  it.each([
    'for await (const page of paginateDescribeVolumes({ client: ec2 }, {})) all.push(page);',
    'const pages = paginateDescribeVolumes({ client: ec2 }, {});\nfor await (const page of pages) all.push(page);',
    'for await (const { Volumes } of paginateDescribeVolumes({}, {})) { for (const v of Volumes) { if (!v) break; all.push(v); } }',
    'for await (const { Volumes } of paginateDescribeVolumes({}, {})) { if (!Volumes) continue; all.push(Volumes.map((v) => { return v; })); }',
  ])('knows a reading of all pages: %s', (body) => {
    expect(callsIn(body)).toEqual([{ ...volumes, isPaged: true, readsAll: true }]);
  });

  it.each([
    'for await (const page of paginateDescribeVolumes({}, {})) { all.push(page); break; }',
    'for await (const page of paginateDescribeVolumes({}, {})) { if (page.Volumes) return page; }',
    'for await (const { Volumes } of paginateDescribeVolumes({}, {})) { for (const v of Volumes) if (v) return v; }',
    'out: for (;;) for await (const page of paginateDescribeVolumes({}, {})) { continue out; }',
    'return (await paginateDescribeVolumes({}, {}).next()).value;',
    'const pages = paginateDescribeVolumes({}, {});\nreturn pages.next();',
    'const pages = paginateDescribeVolumes({}, {});\nawait pages.next();\nfor await (const page of pages) all.push(page);',
    'for await (const page of first(paginateDescribeVolumes({}, {}))) all.push(page);',
  ])('knows one that may end before the last page: %s', (body) => {
    expect(callsIn(body)).toEqual([{ ...volumes, isPaged: true, readsAll: false }]);
  });

  it('tells each place, not only each operation', () => {
    const ask = 'await ec2.send(new DescribeVolumesCommand({}));';
    const body = `${ask}\nreturn { once: async () => { ${ask} }, async twice() { ${ask} } };`;
    expect(callsIn(body)).toMatchObject([
      { ...volumes, isPaged: false },
      { site: 'a.ts once', isPaged: false },
      { site: 'a.ts twice', isPaged: false },
    ]);
  });

  it.each([
    ["import * as ec2 from '@aws-sdk/client-ec2';", 'takes all of client-ec2'],
    ["import ec2 from '@aws-sdk/client-ec2';", 'takes all of client-ec2'],
    ["const ec2 = await import('@aws-sdk/client-ec2');", 'takes all of client-ec2'],
    ["const ec2 = require('@aws-sdk/client-ec2');", 'takes all of client-ec2'],
    ["export * from '@aws-sdk/client-ec2';", 'takes all of client-ec2'],
    ["export { DescribeVolumesCommand } from '@aws-sdk/client-ec2';", 'takes all of client-ec2'],
    ["import { EC2 } from '@aws-sdk/client-ec2';", 'imports EC2, which'],
    ["import { waitUntilInstanceRunning } from '@aws-sdk/client-ec2';", 'imports waitUntilInstanceRunning'],
    [`${importing}const Command = DescribeVolumesCommand;`, 'hands DescribeVolumesCommand on'],
    [`${importing}run(paginateDescribeVolumes);`, 'hands paginateDescribeVolumes on'],
  ])('refuses what hides calls: %s', (text, problem) => {
    expect(scan('a.ts', text).hidden).toEqual([expect.stringContaining(problem)]);
  });

  it('lets types and errors through, and finds what was given another name', () => {
    const text =
      "import type * as all from '@aws-sdk/client-ec2';\nimport { type Volume, EC2ServiceException, DescribeVolumesCommand as Ask } from '@aws-sdk/client-ec2';\nfunction f(v: Volume) { return new Ask({}); }";
    expect(scan('a.ts', text)).toMatchObject({ hidden: [], calls: [{ ...volumes, site: 'a.ts f' }] });
  });
});
