import { renderClusterView } from '../../src/domain/cluster-render.ts';
import {
  type ClusterSnapshot,
  newClusterSnapshot,
  type Resources,
} from '../../src/domain/cluster-snapshot.ts';
import {
  clusterSpecInputSchema,
  type ClusterSpecInput,
  resolveClusterSpec,
} from '../../src/domain/cluster-spec-input.ts';
import type { ClusterSpec } from '../../src/domain/cluster-spec.ts';
import type { ClusterView } from '../../src/domain/cluster-view.ts';
import type { PlanNote, SpecNotes } from '../../src/domain/spec-notes.ts';

export const NOW = '2026-01-15T12:00:00.000Z';
export const LATER = '2026-01-16T12:00:00.000Z';
export const tenant = { virtualLabId: 'lab', projectId: 'cortex' };

export function specOf(input: ClusterSpecInput): ClusterSpec {
  return resolveClusterSpec(clusterSpecInputSchema.parse(input));
}

export function viewOf(changes: Partial<ClusterSnapshot>, observedAt = NOW): ClusterView {
  return renderClusterView(
    tenant,
    'pcluster-lab-cortex',
    { ...newClusterSnapshot(NOW), ...changes },
    observedAt,
  );
}

export const secretArn = (name: string) =>
  `arn:aws:secretsmanager:us-east-1:123456789012:secret:${name}-AbCdEf`;
const resources: Resources = {
  lease: { subnetId: 'subnet-0123456789abcdef0', availabilityZone: 'us-east-1a' },
  adminKey: {
    role: 'admin',
    keyName: 'a',
    privateKeySecretArn: secretArn('admin'),
    publicKey: 'ssh-ed25519 A',
  },
  jobUserKey: {
    role: 'job-user',
    keyName: 'j',
    privateKeySecretArn: secretArn('job'),
    publicKey: 'ssh-ed25519 J',
  },
  stack: {
    stackId: `arn:aws:cloudformation:us-east-1:123456789012:stack/${'s'.repeat(52)}/${'i'.repeat(36)}`,
    headNodeAddress: '10.0.0.1',
  },
};

export const planNote: PlanNote = {
  needs: {
    tasks: 10_000_000,
    tasksPerJob: 100_000,
    mpi: true,
    cpusPerTask: 1024,
    memoryMebibytesPerTask: 33_554_432,
    jobsAtOnce: 10_000,
    expectedSecondsPerJob: 7_776_000,
    deadlineSeconds: 7_776_000,
    budgetUsd: 100_000_000,
    storageGibibytes: 240_000,
    lustre: 'auto',
    capacityType: 'ONDEMAND',
  },
  explanation: Array.from({ length: 8 }, () => 'e'.repeat(400)),
  seconds: 7_776_000,
  usd: 100_000_000,
};

/** As much as can be said of a specification: by the API, which cuts every sentence at 400 characters. */
export const notes: SpecNotes = {
  estimate: {
    region: 'ap-southeast-4',
    pricesAsOf: '2026-07-20',
    idleUsdPerHour: 12_345.678,
    fullUsdPerHour: 12_345.678,
    storageUsdPerMonth: 12_345.678,
    isUpperBound: true,
    unpriced: Array.from({ length: 5 }, () => 'u7in-24tb.224xlarge'),
  },
  plan: planNote,
};

export function deploymentOf(spec: ClusterSpec): NonNullable<ClusterSnapshot['deployment']> {
  return {
    epoch: '01k4x8m2tqa3f9',
    startedAt: NOW,
    spec,
    notes,
    resources,
    logGroupName: `/parallelcluster-provisioner/${'l'.repeat(63)}/${'p'.repeat(63)}`,
    access: {
      address: '10.0.255.255',
      port: 22,
      user: 'sim',
      hostKey: `ssh-ed25519 ${'A'.repeat(68)}`,
      privateKeySecretArn: secretArn('job'),
      slurmApi: {
        port: 6820,
        certificateSha256: 'a'.repeat(64),
        trust: 'epoch-key-and-keycloak',
        jobsOver: 'slurmrestd',
        signingKeySecretArn: secretArn('slurm-api'),
      },
    },
    slurmKeys: {
      own: [keyOf('1'), keyOf('2')],
      keycloak: [keyOf('3'), keyOf('4')],
      keycloakAskedAt: NOW,
      rotation: {
        id: '1b671a64-40d5-491e-99b0-da01ff1f3341',
        requestedAt: NOW,
        by: 'b'.repeat(200),
        reason: 'r'.repeat(200),
        overlapSeconds: 900,
        bothSince: NOW,
      },
      problem: { at: NOW, step: 'remove-old-keys', message: 'p'.repeat(300) },
    },
    readyAt: NOW,
    lifetimeEndsAt: LATER,
  };
}

function keyOf(digit: string) {
  return {
    kty: 'RSA',
    use: 'sig',
    alg: 'RS256',
    kid: digit.repeat(64),
    n: 'n'.repeat(342),
    e: 'AQAB',
  } as const;
}
