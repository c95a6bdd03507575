import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { canTransition } from '../../src/domain/cluster-state.ts';
import { clusterStates } from '../../src/domain/cluster-view.ts';
import { judge } from '../../src/domain/job-state.ts';
import type { SlurmJobFact } from '../../src/domain/slurm-facts.ts';
import { slurmBaseStates } from '../../src/domain/slurm-states.ts';
import { failures } from '../../src/domain/failures.ts';
import { tagKeys } from '../../src/domain/resource-tags.ts';
import { costMetrics } from '../../src/workflows/cost-metrics.ts';
import * as messages from '../../src/workflows/messages.ts';
import { activityBounds } from '../../src/workflows/policies.ts';
import { searchAttributes } from '../../src/workflows/search-attributes.ts';
import { callsToAws } from '../support/aws-calls.ts';
import { cellsAfter } from '../support/markdown-table.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const technical = read('docs/technical-description.md');
const operations = read('docs/operations.md');

const code = (text: string): string => `\`${text}\``;
/** Everything in backquotes. */
const codes = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, inner = '']) => inner);

/** Temporal's own attributes, and words that are values, in the searches. */
const BUILT_IN_NAMES = ['WorkflowType', 'ExecutionStatus', 'TimedOut', 'StackCreateFailed'] as const;

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => join(folder, path));
}

describe('CHANGELOG.md', () => {
  it('begins with the version that package.json has', () => {
    const [, version] = /^## \[([\d.]+)\]/m.exec(read('CHANGELOG.md')) ?? [];

    expect(version).toBe(packageJson.version);
  });
});

describe('the states of a job in docs/technical-description.md', () => {
  const rows = cellsAfter(technical, '| Slurm says | here | again | seen |');

  it('are all that Slurm has', () => {
    expect(rows.map(([state]) => state)).toEqual(slurmBaseStates.map(code));
  });

  it.each(rows)('are those that the code makes of them: %s', (slurmState = '', ours = '') => {
    const [state] = codes(ours);
    const base = slurmBaseStates.find((each) => code(each) === slurmState);

    expect(judge(factOf(base)).state).toBe(state);
  });
});

function factOf(state: SlurmJobFact['state']): SlurmJobFact {
  const nobody = { comment: '', user: 'sim', name: '', partition: '', reason: '' };
  return { ...nobody, jobId: '1', state, flags: [], nodes: 'node', restarts: 0, source: 'queue' };
}

describe('docs/operations.md', () => {
  it('has every type of failure with its status and next step, as the code has them', () => {
    const rows = cellsAfter(operations, '| type | again | HTTP | what happened | next step |');

    expect(rows).toEqual(
      Object.entries(failures).map(([type, { retryable, httpStatus, title, nextStep }]) => [
        code(type),
        retryable ? 'yes' : 'no',
        String(httpStatus),
        title,
        nextStep,
      ]),
    );
  });

  it('says what to do in every state of a cluster', () => {
    const rows = cellsAfter(operations, '| state | what happens | what to do |');

    expect(rows.map(([state]) => state)).toEqual(clusterStates.map(code));
  });

  it('searches only for search attributes and states that exist', () => {
    const queries = cellsAfter(operations, '| looking for | query |').map(([, query = '']) => query);
    const attributes = Object.values(searchAttributes).map(({ name }) => name);
    const names = queries.flatMap((query) => query.match(/\b[A-Z][a-z]+[A-Z]\w+\b/g) ?? []);
    const values = queries.flatMap((query) =>
      [...query.matchAll(/ClusterState (?:=|NOT IN) (\([^)]*\)|'[^']*')/g)].flatMap(
        ([, list = '']) => list.match(/[\w-]+/g) ?? [],
      ),
    );

    expect(new Set(names)).toEqual(
      new Set([...attributes.filter((name) => names.includes(name)), ...BUILT_IN_NAMES]),
    );
    expect(clusterStates).toEqual(expect.arrayContaining([...new Set(values)]));
  });

  it('sends only updates and queries that the workflows have', () => {
    const sent = [...operations.matchAll(/^temporal workflow (?:update execute|query) .*--name (\w+)/gm)].map(
      ([, name]) => name,
    );

    expect(new Set(sent)).toEqual(
      new Set([
        'teardown',
        'hold',
        'release',
        'extend',
        'resolve',
        'rotateSigningKey',
        'cancel',
        'view',
        'leases',
      ]),
    );
    expect(sent.filter((name) => !Object.values(messages).some((message) => message.name === name))).toEqual(
      [],
    );
  });

  it('gives every update an input that is JSON', () => {
    const inputs = [...operations.matchAll(/--input '([^']*)'/g)].map(([, input = '']) => input);

    expect(inputs.length).toBeGreaterThan(5);
    expect(inputs.map((input): unknown => JSON.parse(input))).not.toContain(null);
  });
});

describe('docs/technical-description.md', () => {
  it('draws exactly the transitions that a cluster can make', () => {
    const diagram = /^stateDiagram-v2\n([\s\S]*?)^```/m.exec(technical)?.[1] ?? '';
    const drawn = [...diagram.matchAll(/^ {2}(\w+) --> (\w+)$/gm)].map(([, from = '', to = '']) =>
      [from, to].map((state) => state.replace('_', '-')).join(' → '),
    );
    const possible = clusterStates.flatMap((from) =>
      clusterStates.filter((to) => canTransition(from, to)).map((to) => `${from} → ${to}`),
    );

    expect(drawn.toSorted()).toEqual(possible.toSorted());
  });

  it('lists every message of the workflows, by kind', () => {
    const rows = cellsAfter(technical, '| workflow | message | kind | from | does |');
    const listed = rows.map(([, name, kind]) => `${kind} ${name}`);

    expect(listed.toSorted()).toEqual(
      Object.values(messages)
        .map(({ type, name }) => `${type} ${code(name)}`)
        .toSorted(),
    );
  });

  it('has the bounds of every activity', () => {
    const rows = cellsAfter(
      technical,
      '| activity | one attempt | all attempts | heartbeat | pauses between attempts |',
    );

    expect(rows).toEqual(
      Object.entries(activityBounds).map(
        ([name, { startToClose, scheduleToClose, heartbeat = '–', retry }]) => [
          code(name),
          startToClose,
          scheduleToClose,
          heartbeat,
          `${retry.initialSeconds} to ${retry.maximumSeconds} s${retry.attempts ? `, ${retry.attempts} attempts` : ''}`,
        ],
      ),
    );
  });

  it('has every search attribute with its type', () => {
    const rows = cellsAfter(technical, '| search attribute | type | on | holds |');

    expect(rows.map(([name, type = '']) => [name, type.toUpperCase()])).toEqual(
      Object.values(searchAttributes).map(({ name, type }) => [code(name), type]),
    );
  });

  it('has every metric with its kind', () => {
    const rows = cellsAfter(technical, '| metric ⚙ | kind | says |');

    expect(rows.map(([name, kind]) => [name, kind])).toEqual(
      Object.values(costMetrics).map(({ name, kind }) => [code(name), kind]),
    );
  });

  it('has every tag', () => {
    expect(cellsAfter(technical, '| tag ⚙ | on |').map(([tag]) => tag)).toEqual(
      Object.values(tagKeys).map(code),
    );
  });

  it('asks for the permission of every call to AWS, and marks what no call of ours needs as implied', () => {
    const rows = cellsAfter(technical, '| process | action | resource | for |');
    const listed = rows.flatMap(([, actions = '', , purpose = '']) =>
      purpose.startsWith('implied') ? [] : codes(actions),
    );

    const called = new Set(callsToAws().map(({ action }) => action));
    expect(listed.toSorted()).toEqual([...called].toSorted());
  });
});

describe('docs/adr', () => {
  it('gives a reason for every dependency and for nothing else', () => {
    const text = read('docs/adr/0011-dependencies.md');
    const { dependencies, devDependencies } = z
      .object({
        dependencies: z.record(z.string(), z.string()),
        devDependencies: z.record(z.string(), z.string()),
      })
      .parse(JSON.parse(read('package.json')));
    const named = (header: string) => cellsAfter(text, header).map(([name]) => name);

    expect(named('| at run time | why this one |')).toEqual(Object.keys(dependencies).map(code));
    expect(named('| for development | why this one |')).toEqual(Object.keys(devDependencies).map(code));
  });

  it('is indexed in full, under the titles of its pages', () => {
    const pages = readdirSync(join(root, 'docs/adr')).filter((name) => /^\d{4}-/.test(name));
    const rows = cellsAfter(read('docs/adr/README.md'), '| # | decision |');

    expect(rows).toEqual(
      pages.map((name) => {
        const [, number, title] =
          /^# (\d+)\. (.+)\n\nDate: \d{4}-\d\d-\d\d\./.exec(read(`docs/adr/${name}`)) ?? [];
        expect(Number(name.slice(0, 4))).toBe(Number(number));
        return [`[${number}](${name})`, title];
      }),
    );
  });
});

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'infra/README.md',
  ...filesBelow('docs', '.md'),
];

describe.each(documents)('%s', (document) => {
  const text = read(document);

  it('links only to files and headings that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
    const broken = links.flatMap(([link, path = '', anchor]) => {
      const target = path === '' ? document : join(dirname(document), path);
      if (!existsSync(join(root, target))) return [link];
      return anchor === undefined || headingAnchors(read(target)).has(anchor) ? [] : [link];
    });

    expect(broken).toEqual([]);
  });

  it('names only npm scripts and source files that exist', () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(read('package.json')));
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
    const paths = codes(text.replaceAll(/^```[\s\S]*?^```/gm, '')).filter((path) =>
      /^(src|test|docs|assets|deploy|examples)\/[\w./-]+$/.test(path),
    );

    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

/** As GitHub makes them: lower case, without punctuation, hyphens for blanks. */
function headingAnchors(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
