import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { devVariables, INHERITED, readDevEnvironment } from '../../src/dev/environment.ts';
import {
  apiVariables,
  commonVariables,
  policyVariables,
  temporalVariables,
  workerVariables,
} from '../../src/runtime/variables.ts';

describe('.env.example', () => {
  const shape = {
    ...temporalVariables,
    ...commonVariables,
    ...policyVariables,
    ...apiVariables,
    ...workerVariables,
  };
  const { properties = {}, required = [] } = z.toJSONSchema(z.object(shape), {
    io: 'input',
    unrepresentable: 'any',
  });
  const productNames = Object.keys(shape);
  const names = [...productNames, ...Object.keys(devVariables)];
  const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
  const documented = Object.fromEntries(
    [...text.matchAll(/^# (.+)\n([A-Z0-9_]+)=(.*)$/gm)].map(([, comment, name, value]) => [
      name,
      { comment, value },
    ]),
  );

  it('documents every variable and no other', () => {
    expect(Object.keys(documented).toSorted()).toEqual(names.toSorted());
    expect(text.match(/^[A-Z0-9_]+=/gm)).toHaveLength(names.length);
  });

  it.each(productNames)('agrees with the schema about %s', (name) => {
    const { comment = '', value } = documented[name] ?? {};
    const schema = properties[name];
    const fallback = typeof schema === 'object' && 'default' in schema ? String(schema.default) : undefined;
    const ending = fallback ? `Default ${fallback}` : required.includes(name) ? 'Required' : 'Optional';
    const unit = /_(SECONDS|DAYS)$/.exec(name)?.[1] ?? '';

    expect(value).toBe(fallback ?? '');
    expect(comment.endsWith(ending)).toBe(true);
    expect(comment.toUpperCase()).toContain(unit);
  });
  it.each(Object.entries(devVariables))('agrees with the embedded stack about %s', (name, fallback) => {
    const { comment = '', value } = documented[name] ?? {};

    expect(value).toBe(fallback ?? '');
    expect(comment).toMatch(new RegExp(`${fallback ? `Default ${fallback}` : 'Optional'}$`));
    expect(comment).toMatch(/^(Path|Absolute path|Name or path) of /);
  });
});

describe('the embedded stack', () => {
  it('reads nothing else, but for what children inherit', () => {
    const read = new Set<string>();
    const env = new Proxy<NodeJS.ProcessEnv>({}, { get: (_env, name) => void read.add(String(name)) });
    readDevEnvironment(env);

    expect(read).toEqual(new Set([...Object.keys(devVariables), ...INHERITED]));
  });
});
