import type { ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/port.ts';
import { defaultClusterPolicy } from '../domain/cluster-snapshot.ts';

/**
 * Events after which a workflow continues as new unless its input says otherwise; the same for all. Servers suggest it
 * at a limit of their own, by default 4,096 (`limit.historyCount.suggestContinueAsNew`), and end a run at 51,200
 * (`limit.historyCount.error`).
 */
export const HISTORY_EVENT_LIMIT = defaultClusterPolicy.historyEventLimit;

/**
 * Bounds of an activity. `startToClose` caps one attempt; `scheduleToClose` caps all of them together, because
 * Temporal's default retry policy has no end. An activity that waits for something heartbeats, so that the death of
 * its worker is noticed in `heartbeat` rather than at the end of the attempt.
 */
export interface ActivityBounds {
  readonly summary: string;
  readonly why: string;
  readonly startToClose: `${number} ${'s' | 'min' | 'h' | 'd'}`;
  readonly scheduleToClose: `${number} ${'s' | 'min' | 'h' | 'd'}`;
  readonly heartbeat?: `${number} ${'s' | 'min'}`;
  readonly retry: {
    readonly initialSeconds: number;
    readonly maximumSeconds: number;
    readonly attempts?: number;
  };
}

const QUICK_AWS = { initialSeconds: 1, maximumSeconds: 30 } as const;

/** The one table of timeouts and retries. Failures that repeating cannot mend are marked so where they are thrown. */
export const activityBounds: Readonly<Record<keyof Activities, ActivityBounds>> = {
  describePoolSubnets: {
    summary: 'Read the subnets of the pool',
    why: 'Two paged describe calls; a cluster waits for it, so it gives up early and is asked again.',
    startToClose: '30 s',
    scheduleToClose: '5 min',
    retry: QUICK_AWS,
  },
  preflight: {
    summary: 'Look for what could keep the cluster from coming up',
    why: 'Every check gives up after 25 s by itself, and all run at once.',
    startToClose: '45 s',
    scheduleToClose: '5 min',
    retry: QUICK_AWS,
  },
  resolveFallback: {
    summary: 'Say what the cluster is with the nodes of a fallback tier',
    why: 'Calls nothing; waits out a restart of the worker.',
    startToClose: '10 s',
    scheduleToClose: '15 min',
    retry: QUICK_AWS,
  },
  priceSpec: {
    summary: 'Say what a specification costs',
    why: 'Calls nothing; whoever asked for a change waits for it, which goes on without.',
    startToClose: '10 s',
    scheduleToClose: '60 s',
    retry: QUICK_AWS,
  },
  saveSupportBundle: {
    summary: 'Keep what is to be known of the deployment that failed',
    why: 'Some dozen reads; the stack that waits for it costs money, so it is given up after few minutes.',
    startToClose: '4 min',
    scheduleToClose: '5 min',
    heartbeat: '60 s',
    retry: QUICK_AWS,
  },
  acquireSubnet: {
    summary: 'Ask the pool for a subnet',
    why: 'An update to the pool entity; waits out a restart of the pool’s worker.',
    startToClose: '30 s',
    scheduleToClose: '15 min',
    retry: QUICK_AWS,
  },
  releaseSubnet: {
    summary: 'Give the subnet back',
    why: 'Part of a teardown: it must happen, so it is tried for a day before an operator is asked.',
    startToClose: '30 s',
    scheduleToClose: '1 d',
    retry: { initialSeconds: 1, maximumSeconds: 300 },
  },
  ensureKeyPair: {
    summary: 'Make the key pair and its secret',
    why: 'A handful of EC2 and Secrets Manager calls; repairs a half-made pair when repeated.',
    startToClose: '60 s',
    scheduleToClose: '10 min',
    retry: QUICK_AWS,
  },
  deleteKeyPair: {
    summary: 'Delete the key pair and its secret',
    why: 'Part of a teardown: tried for a day before an operator is asked.',
    startToClose: '60 s',
    scheduleToClose: '1 d',
    retry: { initialSeconds: 1, maximumSeconds: 300 },
  },
  ensureSigningKey: {
    summary: 'Make the key that signs tokens for Slurm',
    why: 'A handful of Secrets Manager calls; repairs a half-made secret when repeated.',
    startToClose: '60 s',
    scheduleToClose: '10 min',
    retry: QUICK_AWS,
  },
  rotateSigningKey: {
    summary: 'Have Slurm accept the next signing key',
    why: 'Restarts two daemons, 90 s at most. Gives up after some minutes, so that the view tells; it is then begun again.',
    startToClose: '3 min',
    scheduleToClose: '10 min',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 30 },
  },
  deleteSigningKey: {
    summary: 'Delete the signing key',
    why: 'Part of a teardown: tried for a day before an operator is asked.',
    startToClose: '60 s',
    scheduleToClose: '1 d',
    retry: { initialSeconds: 1, maximumSeconds: 300 },
  },
  readKeycloakKeys: {
    summary: 'Read Keycloak’s keys',
    why: 'One request. A cluster waits for it when it is made; one that lives asks again later.',
    startToClose: '30 s',
    scheduleToClose: '10 min',
    retry: QUICK_AWS,
  },
  replaceTrustedKeys: {
    summary: 'Replace the keys that Slurm trusts',
    why: 'Restarts two daemons, 90 s at most. Gives up after some minutes, so that the view tells; it is then begun again.',
    startToClose: '3 min',
    scheduleToClose: '10 min',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 30 },
  },
  ensureLogGroup: {
    summary: 'Create the log group',
    why: 'Three CloudWatch Logs calls, idempotent.',
    startToClose: '30 s',
    scheduleToClose: '10 min',
    retry: QUICK_AWS,
  },
  copyJobLogs: {
    summary: 'Copy job output to CloudWatch Logs',
    why: 'As long as there is output to copy; resumes where the streams end. Longer than any head node outage that ends.',
    startToClose: '2 h',
    scheduleToClose: '1 d',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 60 },
  },
  followJobLogs: {
    summary: 'Copy the output of running jobs',
    why: 'Ends by itself within 50 minutes and is then started again: few events for hours of copying. What it misses, the final copy brings.',
    startToClose: '1 h',
    scheduleToClose: '2 h',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 30, attempts: 3 },
  },
  createStack: {
    summary: 'Create the CloudFormation stack',
    why: 'ParallelCluster takes 10 to 20 minutes, with Lustre up to 40; CloudFormation itself gives a custom resource an hour.',
    startToClose: '2 h',
    scheduleToClose: '3 h',
    heartbeat: '20 s',
    retry: { initialSeconds: 5, maximumSeconds: 60 },
  },
  updateStack: {
    summary: 'Update the CloudFormation stack',
    why: 'ParallelCluster takes some minutes; CloudFormation itself gives a custom resource an hour, and another for the way back.',
    startToClose: '3 h',
    scheduleToClose: '4 h',
    heartbeat: '20 s',
    retry: { initialSeconds: 5, maximumSeconds: 60 },
  },
  deleteStack: {
    summary: 'Delete the CloudFormation stack',
    why: 'A deletion is never skipped: a day of tries, then an operator decides. ENIs alone can take an hour.',
    startToClose: '3 h',
    scheduleToClose: '1 d',
    heartbeat: '20 s',
    retry: { initialSeconds: 5, maximumSeconds: 300 },
  },
  ensureHome: {
    summary: 'Make the access point of the homes',
    why: 'EFS takes seconds.',
    startToClose: '5 min',
    scheduleToClose: '15 min',
    heartbeat: '20 s',
    retry: QUICK_AWS,
  },
  deleteHome: {
    summary: 'Delete the access point of the homes',
    why: 'Part of a teardown: tried for a day before an operator is asked.',
    startToClose: '60 s',
    scheduleToClose: '1 d',
    retry: { initialSeconds: 1, maximumSeconds: 300 },
  },
  ensureLustre: {
    summary: 'Make the Lustre file system and its links with S3',
    why: 'FSx takes some minutes for the file system, which has an hour, and for each link as long as S3 has objects to list: an hour for millions. All of it costs money meanwhile.',
    startToClose: '3 h',
    scheduleToClose: '4 h',
    heartbeat: '20 s',
    retry: { initialSeconds: 5, maximumSeconds: 60 },
  },
  setAutomaticExport: {
    summary: 'Switch automatic export from Lustre',
    why: 'Some minutes for each link.',
    startToClose: '1 h',
    scheduleToClose: '3 h',
    heartbeat: '20 s',
    retry: { initialSeconds: 5, maximumSeconds: 60 },
  },
  exportLustre: {
    summary: 'Export everything from Lustre to S3',
    why: 'As long as FSx has something to write, days for very many files; one that writes nothing for an hour ends by itself as hung.',
    startToClose: '7 d',
    scheduleToClose: '7 d',
    heartbeat: '20 s',
    retry: { initialSeconds: 5, maximumSeconds: 300 },
  },
  deleteLustre: {
    summary: 'Delete the Lustre file system',
    why: 'A deletion is never skipped: a day of tries, then an operator decides.',
    startToClose: '3 h',
    scheduleToClose: '1 d',
    heartbeat: '20 s',
    retry: { initialSeconds: 5, maximumSeconds: 300 },
  },
  settleS3Writes: {
    summary: 'Wait until everything written is in S3',
    why: 'Jobs are cancelled by then; what still writes has ten minutes. A head node that does not answer has as long again.',
    startToClose: '15 min',
    scheduleToClose: '25 min',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 30 },
  },
  checkQueues: {
    summary: 'Wait until Slurm shows the queues',
    why: 'The head node has its new configuration when the stack says so; Slurm’s controller restarts with it.',
    startToClose: '60 s',
    scheduleToClose: '15 min',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 30 },
  },
  checkReadiness: {
    summary: 'Check that Slurm answers and runs a job',
    why: 'The smoke job waits for a compute node to boot. The bound over all attempts is the policy’s readyTimeoutSeconds.',
    startToClose: '20 min',
    scheduleToClose: '1 h',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 15 },
  },
  submitJobs: {
    summary: 'Submit jobs to Slurm',
    why: 'One SSH channel for a batch; adopts what an earlier attempt submitted. Outlasts a restart of slurmctld.',
    startToClose: '10 min',
    scheduleToClose: '1 d',
    heartbeat: '20 s',
    retry: { initialSeconds: 1, maximumSeconds: 60 },
  },
  observeSlurm: {
    summary: 'Ask Slurm what runs',
    why: 'A look is only worth its moment: two attempts, then the cluster is blind until the next tick. A dead slurmctld answers after 9 s.',
    startToClose: '60 s',
    scheduleToClose: '90 s',
    heartbeat: '20 s',
    retry: { initialSeconds: 1, maximumSeconds: 5, attempts: 2 },
  },
  cancelJobs: {
    summary: 'Cancel what is left in Slurm',
    why: 'Jobs take KillWait to go (30 s by default). A head node that cannot be reached must not keep its cluster.',
    startToClose: '5 min',
    scheduleToClose: '10 min',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 30, attempts: 5 },
  },
  cancelCampaignJobs: {
    summary: 'Cancel jobs of a campaign',
    why: 'One squeue and one scancel, without waiting for the end. Somebody wants it: it outlasts a restart of slurmctld.',
    startToClose: '3 min',
    scheduleToClose: '1 d',
    heartbeat: '20 s',
    retry: { initialSeconds: 1, maximumSeconds: 30 },
  },
  controlJobs: {
    summary: 'Change jobs in Slurm',
    why: 'Somebody waits for the answer; some scontrol calls. What it does may be repeated, a requeue too.',
    startToClose: '60 s',
    scheduleToClose: '90 s',
    heartbeat: '20 s',
    retry: { initialSeconds: 1, maximumSeconds: 5, attempts: 2 },
  },
  disconnect: {
    summary: 'Close SSH connections',
    why: 'Local to one worker; other workers’ connections close when idle.',
    startToClose: '10 s',
    scheduleToClose: '1 min',
    retry: { initialSeconds: 1, maximumSeconds: 5, attempts: 2 },
  },
  recordUsage: {
    summary: 'Record what the jobs used',
    why: 'One squeue, one sacct, two S3 calls. The next record brings what one misses; the last may wait for a restart of the database, but not keep its cluster.',
    startToClose: '150 s',
    scheduleToClose: '5 min',
    heartbeat: '20 s',
    retry: { initialSeconds: 2, maximumSeconds: 30 },
  },
  readCostAccount: {
    summary: 'Read what the project has spent',
    why: 'One S3 object. Somebody waits for the answer to a request, and can repeat it.',
    startToClose: '20 s',
    scheduleToClose: '60 s',
    retry: { initialSeconds: 1, maximumSeconds: 5, attempts: 3 },
  },
  keepCosts: {
    summary: 'Keep what the project has spent',
    why: 'Two S3 objects. The workflow has all of it, and the next copy brings what one misses.',
    startToClose: '30 s',
    scheduleToClose: '90 s',
    retry: { initialSeconds: 1, maximumSeconds: 10, attempts: 3 },
  },
  notifyBudget: {
    summary: 'Tell that the budget has reached a level',
    why: 'One message and two S3 calls. The cluster waits for it, and tries again in ten minutes.',
    startToClose: '20 s',
    scheduleToClose: '30 s',
    retry: { initialSeconds: 1, maximumSeconds: 5, attempts: 3 },
  },
  listSlurmJobs: {
    summary: 'List all jobs in Slurm',
    why: 'Somebody waits for it and can ask again. One squeue, one sacct over the whole epoch (10 s for 100,000 jobs), one S3 call.',
    startToClose: '60 s',
    scheduleToClose: '90 s',
    heartbeat: '20 s',
    retry: { initialSeconds: 1, maximumSeconds: 5, attempts: 2 },
  },
  loadCampaign: {
    summary: 'Read which jobs the campaign has',
    why: 'One S3 object of a few MB; without it nothing can be submitted.',
    startToClose: '60 s',
    scheduleToClose: '1 d',
    retry: QUICK_AWS,
  },
  readCampaignEnd: {
    summary: 'Wait until another campaign has ended',
    why: 'One look an attempt, and no event for one that must be repeated. Longer than a cluster and its successor live.',
    startToClose: '30 s',
    scheduleToClose: '60 d',
    retry: { initialSeconds: 2, maximumSeconds: 30 },
  },
  writeManifestPart: {
    summary: 'Write a part of the manifest',
    why: 'One S3 object; the campaign is not over without it.',
    startToClose: '60 s',
    scheduleToClose: '1 d',
    retry: QUICK_AWS,
  },
  surveyOrphans: {
    summary: 'Look for what no workflow looks after',
    why: 'Ten lists, all of their pages, and a look at each deployment’s workflow. The next sweep comes anyway.',
    startToClose: '10 min',
    scheduleToClose: '20 min',
    heartbeat: '20 s',
    retry: QUICK_AWS,
  },
  removeRemnants: {
    summary: 'Remove what is empty and belongs to nothing any more',
    why: 'A look and a deletion for each, at most 200. What is left, the next sweep finds.',
    startToClose: '10 min',
    scheduleToClose: '20 min',
    heartbeat: '20 s',
    retry: QUICK_AWS,
  },
  refreshPrices: {
    summary: 'Read the prices of the Region from AWS',
    why: 'Some twenty pages, given up after 90 s by itself, and two S3 calls. The old prices are good enough until the next refresh.',
    startToClose: '2 min',
    scheduleToClose: '10 min',
    retry: { initialSeconds: 5, maximumSeconds: 60 },
  },
  keepDeployment: {
    summary: 'Keep what the deployment is',
    why: 'One S3 object. A ready cluster waits for it, and tries again at its next look.',
    startToClose: '20 s',
    scheduleToClose: '60 s',
    retry: { initialSeconds: 1, maximumSeconds: 10, attempts: 3 },
  },
  readDeployment: {
    summary: 'Read what the deployment was',
    why: 'One S3 object. What is not known is not given back: the next sweep asks again.',
    startToClose: '20 s',
    scheduleToClose: '5 min',
    retry: QUICK_AWS,
  },
  keepAbandonment: {
    summary: 'Keep that the deployment was given up',
    why: 'One S3 object. An operator has answered, and can answer again.',
    startToClose: '20 s',
    scheduleToClose: '5 min',
    retry: QUICK_AWS,
  },
  writeManifest: {
    summary: 'Write the manifest of the campaign',
    why: 'One S3 object and its copy in the log group; the campaign is not over without it.',
    startToClose: '120 s',
    scheduleToClose: '1 d',
    retry: QUICK_AWS,
  },
};

/** The table's entry as Temporal wants it. */
export function activityOptions(name: keyof Activities): ActivityOptions {
  const { summary, startToClose, scheduleToClose, heartbeat, retry } = activityBounds[name];
  return {
    summary,
    startToCloseTimeout: startToClose,
    scheduleToCloseTimeout: scheduleToClose,
    ...(heartbeat ? { heartbeatTimeout: heartbeat } : {}),
    retry: {
      initialInterval: retry.initialSeconds * 1000,
      maximumInterval: retry.maximumSeconds * 1000,
      backoffCoefficient: 2,
      ...(retry.attempts ? { maximumAttempts: retry.attempts } : {}),
    },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  };
}
