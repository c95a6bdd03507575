import { describe, expect, it } from 'vitest';
import { renderClusterDetails } from './cluster-details.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { summarizeSpec } from './cluster-spec.ts';
import type { ClusterView } from './cluster-view.ts';
import { failureOf } from './failures.ts';

const NOW = '2026-01-15T12:00:00.000Z';
const bare: ClusterView = {
  version: 1,
  virtualLabId: 'lab',
  projectId: 'cortex',
  clusterName: 'pcluster-lab-cortex',
  state: 'requested',
  since: NOW,
  message: 'Provisioning begins.',
  observedAt: NOW,
  holds: [],
  openCampaigns: 0,
  activeJobs: 0,
};
const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'prod-mpi' }));

describe('what an operator reads at the top of a cluster’s workflow', () => {
  it('is what happens and since when, and no empty line for what is not known', () => {
    expect(renderClusterDetails(bare).split('\n')).toEqual([
      '## pcluster-lab-cortex: requested',
      'Provisioning begins.',
      '',
      `- **since** ${NOW}`,
    ]);
  });

  it('is what was spent, how the budget stands, and what becomes of a change', () => {
    const details = renderClusterDetails({
      ...bare,
      cost: {
        currency: 'USD',
        upTo: NOW,
        ratePerHourUsd: 0.2,
        sinceStartUsd: 1.5,
        month: '2026-01',
        thisMonthUsd: 45,
        parts: [],
        isLowerBound: true,
      },
      budget: {
        limitUsd: 50,
        by: 'Ada',
        reason: 'r',
        setAt: NOW,
        month: '2026-01',
        spentUsd: 45,
        share: 0.9,
        level: 'nearly-spent',
      },
      update: {
        mode: 'in-place',
        state: 'failed',
        reason: 'Campaign x needs it.',
        askedAt: NOW,
        endedAt: NOW,
        changes: ['queues.more'],
        failure: failureOf('StackUpdateFailed', 'No such type.'),
      },
    });
    expect(details.split('\n').slice(4)).toEqual([
      '- **spent** 1.5 USD since it was begun, 45 USD of the project in 2026-01; 0.2 USD an hour now; parts without a price are not in it',
      '- **budget** nearly-spent: In 2026-01 the project has spent 45.00 of 50 USD (90 %).',
      `- **change** (in-place) of queues.more, asked for ${NOW}: Campaign x needs it. It did not succeed (${NOW}): No such type. **Next step:** ${failureOf('StackUpdateFailed', '').nextStep}`,
    ]);
  });

  it('is why Slurm does not answer, and how many records of its jobs cannot be read', () => {
    const activity = { running: 2, pending: 0, stuck: 0, interactiveSessions: 0, unreadable: 1, at: NOW };
    const blindBecause = failureOf('SlurmTokenRefused', 'It is not valid');
    const details = renderClusterDetails({ ...bare, activity, blindSince: NOW, blindBecause });
    expect(details).toContain('2 running (1 with a record that cannot be read), 0 waiting');
    expect(details).toContain(
      `- **blind because** SlurmTokenRefused: It is not valid. **Next step:** ${blindBecause.nextStep}`,
    );
  });

  it('is where it was tried in vain, and where what is known of that lies', () => {
    const tries = [
      {
        epoch: 'e1',
        availabilityZone: 'us-east-1a',
        tier: 'prod-mpi',
        startedAt: NOW,
        failedAt: NOW,
        failure: { type: 'InsufficientCapacity', message: 'EC2 has | no such\ninstances left' },
        supportBundle: 's3://control/deployments/lab/proj/e1/support/',
      },
    ] as const;
    const without = { ...tries[0], availabilityZone: undefined, supportBundle: undefined };
    const [first, second] = renderClusterDetails(bare, [...tries, without])
      .split('\n')
      .slice(-2);
    expect(first).toBe(
      `| us-east-1a | prod-mpi | ${NOW} | InsufficientCapacity: EC2 has \\| no such instances left. | \`s3://control/deployments/lab/proj/e1/support/\` |`,
    );
    expect(second).toMatch(/^\| no zone \|.*\|  \|$/);
  });

  it('is every fact of a cluster that is there', () => {
    const details = renderClusterDetails({
      ...bare,
      state: 'ready',
      epoch: 'e1',
      spec,
      subnetId: 'subnet-1',
      stackId: 'arn:stack',
      access: {
        address: '10.0.0.1',
        port: 22,
        user: 'sim',
        hostKey: 'k',
        hostKeyFingerprint: 'SHA256:k',
        privateKeySecretArn: 'arn:secret',
        slurmApi: {
          port: 6820,
          certificateSha256: 'c',
          trust: 'epoch-key',
          jobsOver: 'slurmrestd',
          signingKeySecretArn: 'arn:key',
        },
      },
      activity: { running: 2, pending: 3, stuck: 1, interactiveSessions: 0, at: NOW },
      slurmKeys: {
        ownKeyIds: ['a', 'b'],
        keycloakKeyIds: [],
        rotation: { requestedAt: NOW, by: 'alex', reason: 'it leaked', oldKeyEndsAt: NOW },
        problem: 'slurmctld does not answer',
      },
      blindSince: NOW,
      idleSince: NOW,
      teardownAt: NOW,
      holds: [{ name: 'results', reason: 'being registered', until: NOW }],
      openCampaigns: 1,
      activeJobs: 5,
    });
    expect(details.split('\n').slice(3)).toEqual([
      `- **since** ${NOW}`,
      '- **epoch** `e1`',
      '- **tier** prod-mpi (queues: prod-mpi)',
      '- **subnet** `subnet-1`',
      '- **stack** `arn:stack`',
      '- **head node** `sim@10.0.0.1`, host key SHA256:k',
      '- **Slurm REST API** port 6820, trusts epoch-key; jobs go over slurmrestd',
      `- **Slurm** 2 running, 3 waiting, 1 stuck (seen ${NOW})`,
      `- **signing key** replaced for alex: it leaked; the old one ends at ${NOW}`,
      '- **keys of Slurm** not as they should be yet: slurmctld does not answer',
      `- **blind** Slurm has not answered since ${NOW}; job states are the last known ones`,
      `- **idle** since ${NOW}`,
      `- **teardown** at ${NOW} if nothing changes`,
      `- **held** by results until ${NOW}: being registered`,
      '- **campaigns** 1 open, 5 jobs not ended',
    ]);
  });

  it('is the same for a specification that is only summarized', () => {
    expect(renderClusterDetails({ ...bare, specSummary: summarizeSpec(spec) })).toBe(
      renderClusterDetails({ ...bare, spec }),
    );
  });

  it('is the cause, the next step and the possible answers when it is blocked', () => {
    const failure = failureOf('StackDeleteFailed', 'an interface is in use');
    const details = renderClusterDetails({
      ...bare,
      state: 'blocked',
      failure,
      choices: ['retry', 'abandon'],
    });
    expect(details.split('\n').slice(4)).toEqual([
      '',
      '### StackDeleteFailed',
      'an interface is in use',
      '',
      `**Next step:** ${failure.nextStep}`,
      '',
      '**Answer** with the update `resolve`, one of: `retry`, `abandon`.',
    ]);
  });
});
