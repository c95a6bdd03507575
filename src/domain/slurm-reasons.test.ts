import { describe, expect, it } from 'vitest';
import { nodeProblemOf, explainPending, isStuckReason, pendingCauses } from './slurm-reasons.ts';

describe('why a job waits', () => {
  it.each([
    ['Resources', 'resources', 'Waiting for free nodes (Resources)'],
    ['Priority', 'priority', 'Waiting behind jobs of higher priority (Priority)'],
    ['Dependency', 'dependency', 'Waiting for a job that it depends on (Dependency)'],
    ['JobHeldUser', 'held', 'Held by its user (JobHeldUser)'],
    ['AssocGrpCpuLimit', 'limit', 'Waiting because a limit of its account is reached (AssocGrpCpuLimit)'],
    [
      'QOSMaxCpuPerJobLimit',
      'impossible',
      'It asks for more than a limit of its account allows: it can never run (QOSMaxCpuPerJobLimit)',
    ],
    [
      'ReqNodeNotAvail, UnavailableNodes:n[1-2]',
      'node-unavailable',
      'Nodes that it needs are not available (ReqNodeNotAvail, UnavailableNodes:n[1-2])',
    ],
    ['BeginTime', 'time', 'Waiting for its earliest start time (BeginTime)'],
    ['', 'scheduling', 'Waiting to be scheduled'],
    ['SomethingNew', 'unknown', 'Waiting (SomethingNew)'],
  ])('is said in plain words, as a cause, and with what to do: %j', (reason, cause, text) => {
    const explained = explainPending(reason);
    expect(explained).toMatchObject({ cause, text });
    expect(pendingCauses).toContain(explained.cause);
    expect(explained.nextStep).toMatch(/\.$/);
  });

  it.each([
    ['InsufficientInstanceCapacity', 'capacity', 'EC2 has no such instances left (Resources)'],
    ['VcpuLimitExceeded', 'quota', 'The account’s quota of vCPUs is used up (Resources)'],
    ['SomethingElse', 'node-unavailable', 'Its nodes could not be started: SomethingElse (Resources)'],
  ])('is EC2 when nodes could not be started: %s', (problem, cause, text) => {
    expect(explainPending('Resources', problem)).toMatchObject({ cause, text });
  });

  it('is not EC2 when the job would not run even if nodes could be started', () => {
    const problem = 'InsufficientInstanceCapacity';
    expect(explainPending('Dependency', problem)).toEqual(explainPending('Dependency'));
    expect(explainPending('JobHeldUser', problem)).toEqual(explainPending('JobHeldUser'));
  });

  it('lets nobody wait for what only a person can change', () => {
    for (const reason of [
      'JobHeldUser',
      'PartitionTimeLimit',
      'DependencyNeverSatisfied',
      'BadConstraints',
    ]) {
      expect(isStuckReason(reason)).toBe(true);
      expect(explainPending(reason).nextStep).not.toMatch(/^Nothing/);
    }
  });
});

it.each([
  ['(Code:InsufficientInstanceCapacity)Failure when resuming nodes', 'InsufficientInstanceCapacity'],
  ['(Code:VcpuLimitExceeded)Failure when resuming nodes [root@2026-01-01T00:00:00]', 'VcpuLimitExceeded'],
  ['Prolog error', 'Prolog error'],
  ['Not responding', undefined],
  ['', undefined],
])('the problem in a node’s reason is EC2’s code, or that its prolog failed: %j', (nodeReason, problem) => {
  expect(nodeProblemOf(nodeReason)).toBe(problem);
});
