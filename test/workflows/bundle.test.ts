import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, inject, it } from 'vitest';

/** What workflow code may consist of; of the activities not even the port, which holds nothing but types. */
const allowed = [
  /^\.\/src\/(domain|workflows)\//,
  /^__temporal_custom_(payload|failure)_converter \(ignored\)$/,
  /^\.\/node_modules\/(@temporalio\/(workflow|common)|nexus-rpc|long|ms|zod|@noble\/hashes)\//,
];

let code: string;
let modules: string[];
beforeAll(async () => {
  code = await readFile(inject('workflowBundlePath'), 'utf8');
  // webpack heads every module with its path, or with the name of one that it left out.
  modules = [...code.matchAll(/^ {2}!\*\*\* (.+?) \*\*\*!$/gm)].map(([, path]) => path ?? '');
});

describe('the workflow bundle', () => {
  it('holds the workflows and the domain that they are written with', () => {
    expect(modules).toEqual(
      expect.arrayContaining(['./src/workflows/cluster.workflow.ts', './src/domain/cluster-state.ts']),
    );
  });

  it('holds no activity, no client, no AWS SDK, nothing of Node, and no library but Temporal’s and pure ones', () => {
    expect(modules.filter((path) => !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  it('does not read the environment', () => {
    expect(code).not.toMatch(/\bprocess\.env\b/);
  });
});
