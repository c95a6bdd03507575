import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { EC2Client } from '@aws-sdk/client-ec2';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { environmentLines, variableOutputs } from '../../infra/environment-lines.ts';
import { FoundationError } from '../../infra/foundation-error.ts';
import { deployFoundation } from '../../infra/foundation.ts';
import { readParameters } from '../../infra/parameter-file.ts';
import { checkParameters, parametersOf, readTemplates } from '../../infra/templates.ts';
import type { Template } from '../../infra/templates.ts';
import { MAX_TEMPLATE_BODY_BYTES } from '../../src/domain/outer-stack.ts';
import { commonVariables, workerVariables } from '../../src/runtime/variables.ts';
import { callsToAws } from '../support/aws-calls.ts';
import { allows, statementsOf } from '../support/iam-statements.ts';
import type { Statement } from '../support/iam-statements.ts';
import { cellsAfter } from '../support/markdown-table.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const codes = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, inner = '']) => inner);

/**
 * Actions that the policies may allow although no code calls them yet, each with its reason. What code calls and no policy
 * allows is never excused.
 */
const AHEAD_OF_THE_CODE: Readonly<Record<string, string>> = {};

/** Actions that AWS offers on all resources only (Service Authorization Reference), or that look at all of them. */
const ON_EVERYTHING = [
  'cloudformation:DescribeStacks',
  'cloudwatch:GetMetricData',
  'ec2:DescribeImages',
  'ec2:DescribeInstanceTypeOfferings',
  'ec2:DescribeInstanceTypes',
  'ec2:DescribeInstances',
  'ec2:DescribeKeyPairs',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeRouteTables',
  'ec2:DescribeSecurityGroups',
  'ec2:DescribeSubnets',
  'ec2:DescribeVpcEndpoints',
  'ec2:DescribeVpcs',
  'ec2:GetConsoleOutput',
  'ec2:GetSecurityGroupsForVpc',
  'elasticfilesystem:DescribeAccessPoints',
  'fsx:DescribeDataRepositoryAssociations',
  'fsx:DescribeDataRepositoryTasks',
  'fsx:DescribeFileSystems',
  'logs:DescribeLogGroups',
  'pricing:GetProducts',
  'secretsmanager:ListSecrets',
  'servicequotas:ListServiceQuotas',
];

let templates: Template[];
beforeAll(async () => {
  templates = await readTemplates();
});

const policiesOf = {
  Worker: ['WorkerPolicy', 'WorkerKeysPolicy', 'WorkerStoragePolicy'],
  Api: ['ApiPolicy'],
} as const;
const policyOf = (process: keyof typeof policiesOf): Statement[] =>
  policiesOf[process].flatMap((policy) => statementsOf(templates, 'service', policy));
const actionsOf = (statements: readonly Statement[]): string[] =>
  [...new Set(statements.flatMap(({ Action }) => Action))].toSorted();

describe('the policies of the service', () => {
  const rows = cellsAfter(read('docs/technical-description.md'), '| process | action | resource | for |');

  it.each([
    ['Worker', 'worker'],
    ['Api', 'API'],
  ] as const)(
    'allow the %s what the table of permissions lists for it, and nothing else',
    (policy, process) => {
      const listed = rows.flatMap(([processes = '', actions = '']) =>
        processes.split(', ').includes(process) ? codes(actions) : [],
      );
      const allowed = actionsOf(policyOf(policy)).filter((action) => !(action in AHEAD_OF_THE_CODE));

      expect(allowed).toEqual([...new Set(listed)].toSorted());
    },
  );

  it('allow every call to AWS that the code makes', () => {
    const both = [...policyOf('Worker'), ...policyOf('Api')];
    const denied = callsToAws().filter(({ action }) => !allows(both, action));

    expect(denied).toEqual([]);
    expect(callsToAws().length).toBeGreaterThan(20);
  });

  it('name what they are for, except where AWS or the task wants everything', () => {
    const everything = [...policyOf('Worker'), ...policyOf('Api')].filter(({ Resource }) =>
      Resource.includes('*'),
    );

    expect(actionsOf(everything)).toEqual(ON_EVERYTHING);
  });

  it('have no wildcard in an action', () => {
    const actions = actionsOf([...policyOf('Worker'), ...policyOf('Api')]);

    expect(actions.filter((action) => action.includes('*'))).toEqual([]);
  });
});

describe('infra:deploy', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'infra-deploy-'));
    await writeFile(join(folder, 'whole.yaml'), read('infra/parameters.example.yaml'));
    await writeFile(join(folder, 'nested.yaml'), 'Zones: { a: b }\nMonthlyBudgetUsd: null\n');
    await writeFile(join(folder, 'broken.yaml'), 'Zones: [a\n');
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  const NOBODY = {
    AWS_REGION: 'us-east-1',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    AWS_EC2_METADATA_DISABLED: 'true',
  };

  it.each([
    ['no file', 'missing.yaml', 'missing.yaml cannot be read', 'Copy infra/parameters.example.yaml'],
    ['a file of another form', 'nested.yaml', '- Zones is no text', '- MonthlyBudgetUsd is no text'],
    ['a file that is no YAML', 'broken.yaml', 'broken.yaml is no YAML', 'line 2'],
    ['no credentials', 'whole.yaml', 'no credentials of AWS', 'Set AWS_REGION, and AWS_PROFILE'],
  ])('with %s says what is wrong and what to do, without a stack of calls', async (_, file, what, next) => {
    const run = await execa(process.execPath, ['infra/deploy.ts', '--parameters', join(folder, file)], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], ...NOBODY },
      extendEnv: false,
      reject: false,
    });

    expect(run.exitCode).toBe(1);
    expect(run.stdout).toBe('');
    expect(run.stderr).toContain(what);
    expect(run.stderr).toContain(next);
    expect(run.stderr).not.toMatch(/^ +at /m);
  });

  it('takes a list of YAML for what CloudFormation writes with commas', async () => {
    const file = join(folder, 'list.yaml');
    await writeFile(file, 'Zones:\n  - us-east-1a\n  - us-east-1b\nMonthlyBudgetUsd: 50\n');

    await expect(readParameters(file)).resolves.toEqual({
      Zones: 'us-east-1a,us-east-1b',
      MonthlyBudgetUsd: '50',
    });
  });
});

describe('the parameters', () => {
  it('are all in infra/README.md, with default and meaning', () => {
    const outputs = new Set(templates.flatMap((template) => template.outputs));
    const ownOnes = templates.flatMap(({ parameters }) =>
      Object.entries(parameters).flatMap(([name, { Description, Default }]) =>
        outputs.has(name) && Default === undefined ? [] : [[`\`${name}\``, inWords(Default), Description]],
      ),
    );

    expect(cellsAfter(read('infra/README.md'), '| parameter | default | meaning |')).toEqual(ownOnes);
  });

  it('are in the example exactly as far as they must be set', () => {
    const example = z
      .record(z.string(), z.coerce.string())
      .parse(parse(read('infra/parameters.example.yaml')));
    const names = Object.keys(example);

    expect(() => checkParameters(templates, example)).not.toThrow();
    for (const name of names) {
      const { [name]: _, ...others } = example;
      expect(() => checkParameters(templates, others), name).toThrow(`${name} is missing: `);
    }
  });

  it('are refused all at once, by name', () => {
    expect(() => checkParameters(templates, { VpcID: 'vpc-1' })).toThrow(
      /Zones is missing: Three availability zones[^]*MonthlyBudgetUsd is missing[^]*VpcID is no parameter/,
    );
  });

  it('come from the file, else from an earlier stack, else from the template', () => {
    const [template] = templates.filter(({ name }) => name === 'endpoints');
    const outputs = { VpcId: 'vpc-1', RouteTableId: 'rtb-1', SubnetPool: 'other' };

    expect(template && parametersOf(template, { RouteTableId: 'rtb-2' }, outputs)).toEqual({
      VpcId: 'vpc-1',
      RouteTableId: 'rtb-2',
    });
  });

  it('that are outputs come from stacks that are deployed earlier', () => {
    const made = new Set<string>();
    for (const { name, parameters, outputs } of templates) {
      const all = new Set(templates.flatMap((template) => template.outputs));
      const needed = Object.keys(parameters).filter(
        (each) => all.has(each) && parameters[each]?.Default === undefined,
      );
      expect(
        needed.filter((each) => !made.has(each)),
        name,
      ).toEqual([]);
      for (const each of outputs) made.add(each);
    }
  });
});

function inWords(value: unknown): string {
  if (value === undefined) return '–';
  return value === '' ? 'empty' : `\`${z.coerce.string().parse(value)}\``;
}

describe('the lines of .env', () => {
  it('set only variables that there are, from outputs that there are', () => {
    const variables = Object.keys({ ...commonVariables, ...workerVariables });
    const outputs = templates.flatMap((template) => template.outputs);

    expect(variables).toEqual(expect.arrayContaining(Object.keys(variableOutputs)));
    expect(outputs).toEqual(expect.arrayContaining(Object.values(variableOutputs)));
  });

  it('leave out the role of a Workflow Service that has none, and nothing else', () => {
    const all = Object.fromEntries(Object.values(variableOutputs).map((name) => [name, 'x']));
    const { WorkflowServiceRoleArn: _, ...withoutRole } = all;
    const { VpcId: __, ...withoutVpc } = all;

    expect(environmentLines('us-east-1', withoutRole)).toHaveLength(Object.keys(variableOutputs).length);
    expect(() => environmentLines('us-east-1', withoutVpc)).toThrow('No stack has the output VpcId');
  });
});

describe('the templates', () => {
  it('are small enough to be sent as they are', () => {
    for (const { name, body } of templates) {
      expect(Buffer.byteLength(body), name).toBeLessThan(MAX_TEMPLATE_BODY_BYTES);
    }
  });

  it('use no aliases of YAML, which CloudFormation refuses', () => {
    for (const { name, body } of templates) expect(body, name).not.toMatch(/: [&*][A-Za-z]/);
  });
});

describe('the name of a foundation', () => {
  it.each(['pcluster-one', 'parallelcluster', 'provisioner-pcluster-x', 'Upper', 'a'.repeat(31), '1st'])(
    'is not %s',
    async (name) => {
      const options = { name, parameters: {}, onProgress: () => {} };
      const clients = { cloudFormation: new CloudFormationClient(), ec2: new EC2Client() };

      await expect(deployFoundation({ ...options, ...clients })).rejects.toThrow(FoundationError);
      await expect(deployFoundation({ ...options, ...clients })).rejects.toThrow(`${name} is no name`);
    },
  );
});
