import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const sideSchema = z.looseObject({ path: z.string().optional(), pathNot: z.string().optional() });
const { forbidden } = z
  .looseObject({ forbidden: z.array(z.looseObject({ name: z.string(), from: sideSchema, to: sideSchema })) })
  .parse(JSON.parse(readFileSync(new URL('../../.dependency-cruiser.json', import.meta.url), 'utf8')));

/** The rules on paths; the one on cycles looks at more than two files. */
const rules = forbidden.filter(({ to }) => to.path !== undefined || to.pathNot !== undefined);

const covers = ({ path, pathNot }: z.output<typeof sideSchema>, file: string): boolean =>
  (path === undefined || new RegExp(path).test(file)) &&
  (pathNot === undefined || !new RegExp(pathNot).test(file));

/** The names of the rules that forbid an import. */
const rulesAgainst = (from: string, to: string): string[] =>
  rules.filter((rule) => covers(rule.from, from) && covers(rule.to, to)).map(({ name }) => name);

const file = {
  domain: 'src/domain/idle.ts',
  clients: 'src/clients/aws.ts',
  activities: 'src/activities/stack.ts',
  port: 'src/activities/port.ts',
  workflow: 'src/workflows/cluster-entity.ts',
  messages: 'src/workflows/messages.ts',
  api: 'src/api/app.ts',
  runtime: 'src/runtime/worker.ts',
  dev: 'src/dev/stack.ts',
} as const;
type Layer = keyof typeof file;

/** As the table in docs/technical-description.md has it. */
const mayImport: Readonly<Record<Exclude<Layer, 'port' | 'messages'>, readonly Layer[]>> = {
  domain: ['domain'],
  clients: ['clients', 'domain'],
  activities: ['activities', 'port', 'clients', 'domain', 'messages'],
  workflow: ['workflow', 'messages', 'port', 'domain'],
  api: ['api', 'messages', 'clients', 'domain'],
  runtime: ['runtime', 'api', 'activities', 'port', 'workflow', 'messages', 'clients', 'domain'],
  dev: ['dev', 'runtime', 'api', 'activities', 'port', 'workflow', 'messages', 'clients', 'domain'],
};

describe('the rules of `npm run layers`', () => {
  it.each(Object.entries(mayImport))('let %s import %j and nothing else of ours', (from, allowed) => {
    const source = Object.entries(file).find(([layer]) => layer === from)?.[1] ?? '';
    const imported = Object.entries(file).filter(([, path]) => rulesAgainst(source, path).length === 0);

    expect(imported.map(([layer]) => layer).toSorted()).toEqual(allowed.toSorted());
  });
});
