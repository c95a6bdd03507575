import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { parametersOf, readTemplates } from '../../infra/templates.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';
import type { DeployedFoundation } from './deployed-foundation.ts';

const PROGRAM = join(import.meta.dirname, 'foundation_inventory.py');

const lines = z.array(
  z.object({
    stack: z.string(),
    id: z.string(),
    type: z.string(),
    /** As in the template, with loops written out and functions as they are. */
    properties: z.record(z.string(), z.unknown()),
    /** Whether the emulator's CloudFormation makes such a thing at all. */
    known: z.boolean(),
    /** What the service itself answers about it. */
    found: z.unknown(),
  }),
);

/** A resource of the foundation's templates, and what the emulator has of it. */
export type InventoryLine = z.output<typeof lines>[number];

/** Every resource of the templates, looked for at the service that has it. */
export async function takeInventory(foundation: DeployedFoundation): Promise<InventoryLine[]> {
  const { name, parameters, outputs, env } = foundation;
  const templates = await readTemplates();
  const stacks = templates.map((template) => ({
    stack: `${name}-${template.name}`,
    template: template.body,
    parameters: parametersOf(template, parameters, outputs),
  }));
  const venv = await ensureVenv({ ...readDevEnvironment(), name: 'moto', onProgress: () => {} });
  const { stdout } = await execa(join(venv, 'bin', 'python'), [PROGRAM], {
    input: JSON.stringify(stacks),
    env: { ...env, PYTHONDONTWRITEBYTECODE: '1', AWS_DEFAULT_REGION: env['AWS_REGION'] },
  });
  return lines.parse(JSON.parse(stdout));
}
