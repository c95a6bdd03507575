import type { z } from 'zod';
import type { campaignNeedsSchema } from '../domain/campaign-needs.ts';
import type { FeasiblePlan } from '../domain/plan.ts';
import type { CampaignSpecInput } from '../domain/job.ts';
import type { ClusterSpecInput } from '../domain/cluster-spec-input.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import { type Problem, type ProblemType, problemTypePath, problemTypes } from './problem.ts';
import type { JobListingPage } from './job-listing-schemas.ts';
import type { planRequestSchema } from './plan-schemas.ts';
import type { CampaignUsageView, UsageReportView } from './usage-schemas.ts';
import type { CampaignPage, CampaignReceipt } from './view-schemas.ts';

/* Examples of the OpenAPI document. A test parses each with the schema that it is an example of. */

export const clusterSpecExample: ClusterSpecInput = { tier: 'prod-mpi', idleTimeoutSeconds: 1800 };

export const campaignExample: CampaignSpecInput = {
  cluster: clusterSpecExample,
  jobs: [
    { key: 'prepare', script: '#!/bin/bash\nset -e\nnrnivmodl mechanisms\n', modules: ['neuron/9.0.1'] },
    {
      key: 'sim-1',
      command: ['special', '-mpi', 'sweep.hoc'],
      modules: ['neuron/9.0.1'],
      environment: { CURRENT_NA: '0.1' },
      nodes: 2,
      tasks: 8,
      timeLimitSeconds: 3600,
      dependsOn: ['prepare'],
    },
    {
      key: 'report',
      script: '#!/bin/bash\npython3 collect.py\n',
      dependsOn: [{ key: 'sim-1', condition: 'afterany' }],
    },
  ],
};

export const clusterViewExample: ClusterView = {
  version: 1,
  virtualLabId: 'lab-1',
  projectId: 'project-1',
  clusterName: 'pcluster-lab-1-project-1',
  state: 'ready',
  since: '2026-01-15T09:41:07.000Z',
  message: '2 jobs run, 1 waits.',
  observedAt: '2026-01-15T09:58:22.000Z',
  epoch: '01k4x8m2tqa3f9',
  access: {
    address: '10.0.7.20',
    port: 22,
    user: 'sim',
    hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl',
    hostKeyFingerprint: 'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
    knownHosts: '10.0.7.20 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl',
    privateKeySecretArn:
      'arn:aws:secretsmanager:us-east-1:123456789012:secret:parallelcluster-provisioner/lab-1/project-1/01k4x8m2tqa3f9/job-user-AbCdEf',
  },
  logGroupName: '/parallelcluster-provisioner/lab-1/project-1',
  readyAt: '2026-01-15T09:41:07.000Z',
  holds: [],
  openCampaigns: 1,
  activeJobs: 3,
};

export const receiptExample: CampaignReceipt = {
  virtualLabId: 'lab-1',
  projectId: 'project-1',
  campaignId: 'mfrggzdfmztwq2lknnwg23tpou',
  jobCount: 3,
  sha256: '3fc9b689459d738f8c88a3a48aa9e33542016b7a4052e001aaa536fca74813cb',
  cluster: { state: 'provisioning', since: '2026-01-15T09:30:00.000Z', message: 'Creating the stack.' },
};

export const needsExample: z.input<typeof campaignNeedsSchema> = {
  tasks: 1000,
  memoryMebibytesPerTask: 4000,
  expectedSecondsPerJob: 3600,
  deadlineSeconds: 7200,
};

export const planRequestExample: z.input<typeof planRequestSchema> = { needs: needsExample };

/** What the planner of this release answers, so far as a test can hold it to that. */
export const planExample: FeasiblePlan = {
  outcome: 'planned',
  spec: {
    queues: [
      {
        name: 'plan',
        placementGroup: false,
        capacityType: 'ONDEMAND',
        computeResources: [
          {
            name: 'm7a-24xlarge',
            instanceType: 'm7a.24xlarge',
            minCount: 0,
            maxCount: 11,
            efa: false,
            multithreading: true,
          },
        ],
      },
    ],
    idleTimeoutSeconds: 1800,
    maxLifetimeSeconds: 604_800,
  },
  shape: {
    instanceType: 'm7a.24xlarge',
    nodes: 11,
    nodesPerJob: 1,
    jobsPerNode: 93,
    jobsAtOnce: 1000,
    rounds: 1,
  },
  estimate: {
    seconds: 5100,
    billedSeconds: 7800,
    usd: { headNode: 0.09, nodes: 76.507, lustre: 0, efs: 0, endpoints: 0.303, total: 76.9 },
    region: 'us-east-1',
    pricesAsOf: '2026-07-20',
  },
  explanation: ['It is the cheapest of 90 combinations of type and number of nodes that end within 2 h.'],
  alternatives: [],
  assumptions: ['EC2 has the nodes when they are wanted. No job fails, none is requeued.'],
};

export const campaignViewExample: CampaignPage = {
  virtualLabId: 'lab-1',
  projectId: 'project-1',
  campaignId: 'mfrggzdfmztwq2lknnwg23tpou',
  state: 'running',
  since: '2026-01-15T09:41:09.000Z',
  message: '1 job runs, 1 waits.',
  observedAt: '2026-01-15T09:58:22.000Z',
  acceptedAt: '2026-01-15T09:30:00.000Z',
  jobCount: 3,
  jobsByState: { succeeded: 1, running: 1, pending: 1 },
  jobs: [
    {
      key: 'prepare',
      state: 'succeeded',
      reason: 'Exit code 0',
      slurmJobId: '1',
      slurmState: 'COMPLETED',
      exitCode: 0,
      submittedAt: '2026-01-15T09:41:09.000Z',
      startedAt: '2026-01-15T09:44:30.000Z',
      endedAt: '2026-01-15T09:45:02.000Z',
      nodes: 'mpi-dy-c7a-1',
      restarts: 0,
      logsComplete: true,
    },
  ],
  nextPageToken: 'a4ayc_80MQ',
};

export const jobListingExample: JobListingPage = {
  epoch: '01k4x8m2tqa3f9',
  observedAt: '2026-01-15T09:58:20.000Z',
  jobs: [
    {
      slurmJobId: '2',
      campaignId: 'mfrggzdfmztwq2lknnwg23tpou',
      jobKey: 'sim-1',
      user: 'sim',
      name: 'sim-1',
      queue: 'mpi',
      state: 'running',
      reason: 'Running',
      slurmState: 'RUNNING',
      submittedAt: '2026-01-15T09:41:10.000Z',
      startedAt: '2026-01-15T09:45:04.000Z',
      nodes: 'mpi-dy-c7a-[1-2]',
      restarts: 0,
    },
    {
      slurmJobId: '3',
      user: 'sim',
      name: 'own',
      queue: 'mpi',
      state: 'succeeded',
      reason: 'Exit code 0',
      slurmState: 'COMPLETED',
      exitCode: 0,
      submittedAt: '2026-01-15T09:50:00.000Z',
      startedAt: '2026-01-15T09:50:01.000Z',
      endedAt: '2026-01-15T09:50:31.000Z',
      nodes: 'mpi-dy-c7a-1',
      restarts: 0,
    },
  ],
};

export const usageReportExample: UsageReportView = {
  virtualLabId: 'lab-1',
  projectId: 'project-1',
  from: '2026-01-01T00:00:00.000Z',
  to: '2026-02-01T00:00:00.000Z',
  total: { cpuHours: 392, nodeHours: 2.0417, cpuSeconds: 1_411_200, nodeSeconds: 7350, allocations: 3 },
  perQueue: [
    {
      queue: 'mpi',
      cpuHours: 392,
      nodeHours: 2.0417,
      cpuSeconds: 1_411_200,
      nodeSeconds: 7350,
      allocations: 3,
    },
  ],
  perCampaign: [
    {
      campaignId: 'mfrggzdfmztwq2lknnwg23tpou',
      cpuHours: 384,
      nodeHours: 2,
      cpuSeconds: 1_382_400,
      nodeSeconds: 7200,
      allocations: 2,
    },
    { cpuHours: 8, nodeHours: 0.0417, cpuSeconds: 28_800, nodeSeconds: 150, allocations: 1 },
  ],
  epochs: [
    {
      epoch: '01k4x8m2tqa3f9',
      startedAt: '2026-01-15T09:30:00.000Z',
      asOf: '2026-01-15T12:02:41.000Z',
      final: true,
    },
  ],
};

export const campaignUsageExample: CampaignUsageView = {
  virtualLabId: 'lab-1',
  projectId: 'project-1',
  campaignId: 'mfrggzdfmztwq2lknnwg23tpou',
  epoch: {
    epoch: '01k4x8m2tqa3f9',
    startedAt: '2026-01-15T09:30:00.000Z',
    asOf: '2026-01-15T12:02:41.000Z',
    pricesAsOf: '2026-01-01',
    final: true,
  },
  total: {
    cpuHours: 384,
    nodeHours: 2,
    cpuSeconds: 1_382_400,
    nodeSeconds: 7200,
    allocations: 2,
    costUsd: 17.28,
  },
  jobs: ['sim_1', 'sim_2'].map((jobKey) => ({
    jobKey,
    cpuHours: 192,
    nodeHours: 1,
    cpuSeconds: 691_200,
    nodeSeconds: 3600,
    allocations: 1,
    costUsd: 8.64,
  })),
};

export function problemExample(type: ProblemType): Problem {
  const { title, httpStatus, nextStep } = problemTypes[type];
  return {
    type: problemTypePath(type),
    title,
    status: httpStatus,
    detail: `${title}.`,
    nextStep,
    correlationId: '1b671a64-40d5-491e-99b0-da01ff1f3341',
    ...(type === 'InvalidRequest' && {
      errors: [{ in: 'body', path: 'jobs.0.script', reason: 'give either `script` or `command`' } as const],
    }),
    ...(type === 'ClusterSpecConflict' && {
      differences: [{ path: 'queues.0.computeResources.0.maxCount', existing: 8, requested: 16 }],
    }),
  };
}
