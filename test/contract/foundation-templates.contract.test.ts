import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { readTemplates, templateNames } from '../../infra/templates.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';
import { allows, statementsOf } from '../support/iam-statements.ts';
import type { Statement } from '../support/iam-statements.ts';
import { requiredEndpoints } from '../../src/domain/required-endpoints.ts';
import { unreachedByNodes } from '../support/required-endpoints.ts';

const INFRA = join(import.meta.dirname, '..', '..', 'infra');
/** Where cfn-lint looks whether there is everything that the templates use: those regions that have AWS Budgets. */
const REGIONS = [
  'us-east-1',
  'us-east-2',
  'us-west-2',
  'eu-central-1',
  'eu-west-1',
  'eu-west-2',
  'ap-northeast-1',
  'ap-southeast-2',
];

describe('cfn-lint', () => {
  let python: string;
  beforeAll(async () => {
    // moto brings cfn-lint along.
    const venv = await ensureVenv({ ...readDevEnvironment(), name: 'moto', onProgress: () => {} });
    python = join(venv, 'bin', 'python');
  });

  /** Judges files, or `input` when there are none. */
  async function lint(files: readonly string[], input = ''): Promise<string> {
    const program = 'import sys; from cfnlint.runner import main; sys.exit(main())';
    const chosen = files.length > 0 ? ['--', ...files] : [];
    const run = await execa(python, ['-c', program, '--regions', ...REGIONS, ...chosen], {
      input,
      reject: false,
      cwd: INFRA,
    });
    return run.stdout + run.stderr;
  }

  it('has nothing to say about the templates', async () => {
    await expect(lint(templateNames.map((name) => `${name}.yaml`))).resolves.toBe('');
  });

  it('would say something about a mistake', async () => {
    const { body = '' } = (await readTemplates()).find(({ name }) => name === 'storage') ?? {};

    await expect(lint([], body)).resolves.toBe('');
    await expect(lint([], body.replace('EnableKeyRotation', 'EnableKeyRotations'))).resolves.toContain(
      'EnableKeyRotations',
    );
  });
});

describe('ParallelCluster’s own policies for nodes and functions', () => {
  let actions: string[];
  let boundary: Statement[];
  beforeAll(async () => {
    actions = await actionsInParallelCluster();
    boundary = statementsOf(await readTemplates(), 'provider', 'ClusterBoundary');
  });

  it('stay within the boundary', () => {
    /** In trust policies, which no boundary limits; and with managed DNS, which configurations disable. */
    const elsewhere = [
      'sts:AssumeRole',
      'route53:ChangeResourceRecordSets',
      'route53:ListResourceRecordSets',
    ];
    const beyond = actions.filter((action) => !elsewhere.includes(action) && !allows(boundary, action));

    expect(beyond).toEqual([]);
    expect(actions).toContain('ec2:RunInstances');
    expect(actions.length).toBeGreaterThan(30);
  });

  it('reach every service by an endpoint', () => {
    const services = new Set(actions.map((action) => action.split(':')[0] ?? ''));
    const unreached = [...services].filter(
      (service) => !(service in requiredEndpoints) && !(service in unreachedByNodes),
    );

    expect(unreached).toEqual([]);
    for (const service of Object.keys(unreachedByNodes)) expect(services).toContain(service);
  });
});

/** What the templates of the real ParallelCluster, of the version that clusters have, give to roles. */
async function actionsInParallelCluster(): Promise<string[]> {
  const venv = await ensureVenv({ ...readDevEnvironment(), name: 'parallelcluster', onProgress: () => {} });
  const [version = ''] = await readdir(join(venv, 'lib'));
  const folder = join(venv, 'lib', version, 'site-packages', 'pcluster', 'templates');
  const files = (await readdir(folder)).filter(
    (file) => file.endsWith('.py') && !file.startsWith('imagebuilder'),
  );
  const texts = await Promise.all(files.map(async (file) => readFile(join(folder, file), 'utf8')));
  const found = texts.flatMap((text) => [...text.matchAll(/"([a-z0-9-]+:[A-Z][A-Za-z]+\*?)"/g)]);
  return [...new Set(found.map(([, action = '']) => action))].toSorted();
}
