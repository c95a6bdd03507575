import { describe, expect, it } from 'vitest';
import { campaignContentSchema, campaignSpecSchema, jobSpecSchema } from './job.ts';

const job = { key: 'sim-1', command: ['/usr/bin/env', 'hostname'] };
const MEBIBYTE = 1024 * 1024;

function problemsOf(changes: object): string[] {
  const { error } = jobSpecSchema.safeParse({ ...job, ...changes });
  return [...new Set(error?.issues.map(({ path }) => path.join('.')))];
}

function scriptProblems(script: string): string[] {
  return problemsOf({ command: undefined, script });
}

describe('a job', () => {
  it('is one task on one CPU of one node unless told otherwise', () => {
    expect(jobSpecSchema.parse(job)).toEqual({
      ...job,
      nodes: 1,
      tasks: 1,
      cpusPerTask: 1,
      environment: {},
      modules: [],
      dependsOn: [],
    });
  });

  it.each<[string, object, string[]]>([
    ['a script and a command', { script: '#!/bin/sh\n' }, ['script']],
    ['neither script nor command', { command: undefined }, ['script']],
    ['an empty command', { command: [] }, ['command']],
    ['a command without a program', { command: [''] }, ['command']],
    ['NUL in an argument', { command: ['a', 'b\0'] }, ['command.1']],
    ['an unknown field', { partition: 'debug' }, ['']],
    ['no key', { key: '' }, ['key']],
    ['a line break in its name', { name: 'a\nb' }, ['name']],
    ['a name of 129 characters', { name: 'a'.repeat(129) }, ['name']],
    ['no node', { nodes: 0 }, ['nodes']],
    ['half a task', { tasks: 0.5 }, ['tasks']],
    ['no CPU', { cpusPerTask: 0 }, ['cpusPerTask']],
    ['no time', { timeLimitSeconds: 0 }, ['timeLimitSeconds']],
    ['more than a year', { timeLimitSeconds: 365 * 86_400 + 1 }, ['timeLimitSeconds']],
    ['a deadline without a time limit', { deadline: '2026-12-01T00:00:00Z' }, ['timeLimitSeconds']],
    ['a deadline in no time zone', { deadline: '2026-12-01T00:00:00', timeLimitSeconds: 60 }, ['deadline']],
    ['no memory', { memoryMebibytesPerNode: 0 }, ['memoryMebibytesPerNode']],
    ['a relative folder', { workingDirectory: 'results' }, ['workingDirectory']],
    ['a module that is an option', { modules: ['--help'] }, ['modules.0']],
    ['a module with a blank', { modules: ['a b'] }, ['modules.0']],
    ['a module outside of its folder', { modules: ['a', '../../tmp/x'] }, ['modules.1']],
    ['a folder with a line break', { workingDirectory: '/a\n/b' }, ['workingDirectory']],
  ])('is refused with %s, naming the field', (_, changes, paths) => {
    expect(problemsOf(changes)).toEqual(paths);
  });

  it.each<[object]>([
    [{ name: 'Gewebe Nº 5 “β”' }],
    [{ workingDirectory: '/scratch/a b' }],
    [{ modules: ['use.own', 'neuron/9.0.1', 'gcc/13/x86_64'] }],
    [{ dependsOn: ['prepare', { key: 'a', condition: 'afterany' }] }],
    [{ timeLimitSeconds: 1 }],
    [{ timeLimitSeconds: 60, deadline: '2026-12-01T00:00:00Z' }],
    [{ queue: 'prod-mpi', nodes: 20, tasks: 3840, cpusPerTask: 2, memoryMebibytesPerNode: 1024 }],
    [{ environment: { OMP_NUM_THREADS: '1', BASH_ENV: '/etc/profile', _X: '', PATH: "a'b\n$(c)" } }],
  ])('may have %j', (changes) => {
    expect(problemsOf(changes)).toEqual([]);
  });
});

describe('the script of a job', () => {
  it.each([
    ['#!/bin/bash\necho hello\n', true],
    ['#!/usr/bin/env python3\n', true],
    ['#!/bin/bash\n# SBATCH is a word\n#SBATCHED\n', true],
    ['echo hello\n', false],
    ['\n#!/bin/bash\n', false],
    ['', false],
    ['#!/bin/bash\n#SBATCH --nodes=2\n', false],
    ['#!/bin/bash\r\n#SBATCH\r\n', false],
    ['#!/bin/bash\nprintf "\0"\n', false],
  ])('%j: %s', (script, valid) => {
    expect(scriptProblems(script)).toEqual(valid ? [] : ['script']);
  });

  it('has at most one mebibyte, whatever its characters are', () => {
    const head = '#!/bin/sh\n';
    expect(scriptProblems(head + 'a'.repeat(MEBIBYTE - head.length))).toEqual([]);
    expect(scriptProblems(head + 'a'.repeat(MEBIBYTE - head.length + 1))).toEqual(['script']);
    expect(scriptProblems(head + '€'.repeat(MEBIBYTE / 3))).toEqual(['script']);
  });
});

describe('the environment of a job', () => {
  it.each(['1A', 'A-B', 'A B', 'A=B', '', 'A\n', 'É', 'a'.repeat(129)])('has no variable %j', (name) => {
    expect(problemsOf({ environment: { [name]: 'x' } })[0]).toMatch(/^environment/);
  });

  it.each(['SLURM_JOB_ID', 'SBATCH_PARTITION', 'UID', 'RANDOM', 'BASH_VERSION', 'PWD', '_', 'COMP_WORDS'])(
    'does not set %s, which belongs to Slurm or bash',
    (name) => {
      expect(problemsOf({ environment: { [name]: 'x' } })).toEqual(['environment']);
    },
  );

  it('has at most 500 variables, each of at most 32 KiB and without NUL', () => {
    const variables = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x']));
    expect(problemsOf({ environment: variables(500) })).toEqual([]);
    expect(problemsOf({ environment: variables(501) })).toEqual(['environment']);
    expect(problemsOf({ environment: { A: 'x'.repeat(32_768) } })).toEqual([]);
    expect(problemsOf({ environment: { A: 'x'.repeat(32_769) } })).toEqual(['environment.A']);
    expect(problemsOf({ environment: { A: 'x\0' } })).toEqual(['environment.A']);
  });
});

describe('a campaign', () => {
  const problems = (input: unknown) =>
    campaignSpecSchema.safeParse(input).error?.issues.map(({ path }) => path.join('.')) ?? [];
  const jobs = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ ...job, key: `job-${index}` }));

  it('has one to ten thousand jobs', () => {
    expect(problems({ jobs: [] })).toEqual(['jobs']);
    expect(problems({ jobs: jobs(10_000) })).toEqual([]);
    expect(problems({ jobs: jobs(10_001) })).toEqual(['jobs']);
  });

  it('names the place of a dependency that cannot be', () => {
    const [first] = jobs(1);
    expect(problems({ jobs: [{ ...first, dependsOn: ['job-1'] }] })).toEqual(['jobs.0.dependsOn.0']);
  });

  it('has at most fifty thousand dependencies', () => {
    const many = jobs(350);
    const keys = many.map(({ key }) => key);
    const dependent = many.map((each, index) => ({ ...each, dependsOn: keys.slice(0, index) }));
    expect(problems({ jobs: dependent })).toEqual(['jobs']);
    expect(problems({ jobs: dependent.slice(0, 300) })).toEqual([]);
  });

  it('names every key that is used again', () => {
    expect(problems({ jobs: [job, { ...job, key: 'other' }, job, job] })).toEqual([
      'jobs.2.key',
      'jobs.3.key',
    ]);
    expect(problems({ jobs: [job, { ...job, key: 'SIM-1' }] })).toEqual([]);
  });

  it('may name the cluster that it needs, which is checked as well', () => {
    expect(problems({ jobs: [job], cluster: { tier: 'debug' } })).toEqual([]);
    expect(problems({ jobs: [job], cluster: {} })).toEqual(['cluster.tier']);
    expect(problems({ jobs: [job], priority: 1 })).toEqual(['']);
  });

  it('is read back from where it was stored, defaults and all', () => {
    const content = {
      version: 1,
      campaignId: 'mfrggzdfmztwq2lknnwg23tpou',
      jobs: campaignSpecSchema.parse({ jobs: jobs(2) }).jobs,
    };
    expect(campaignContentSchema.parse(JSON.parse(JSON.stringify(content)))).toEqual(content);
    expect(campaignContentSchema.safeParse({ ...content, version: 2 }).success).toBe(false);
  });
});
