import { createHash } from 'node:crypto';
import type { CampaignFacts } from '../../src/activities/port.ts';
import type { SlurmJobFact } from '../../src/domain/slurm-facts.ts';

interface FakeJob {
  readonly jobId: string;
  readonly campaignId: string;
  readonly jobKey: string;
  readonly startMs: number;
  endMs: number;
  exitCode: number;
  cancelled: boolean;
}

/** A head node's Slurm: jobs start at once and end when their time is over. */
export class FakeSlurm {
  readonly jobs: FakeJob[] = [];
  /** Jobs of other users: seen only in Slurm. */
  foreignUntilMs = 0;
  reachable = true;
}

/** What the activity that looks at Slurm says about the jobs of a campaign at a moment (milliseconds since 1970). */
export function factsOf(slurm: FakeSlurm, campaignId: string, now: number): CampaignFacts {
  const facts = slurm.jobs
    .filter((job) => job.campaignId === campaignId)
    .map((job) => ({ ...factOf(job, now), jobKey: job.jobKey }));
  return {
    campaignId,
    told: { '0': createHash('sha256').update(JSON.stringify(facts)).digest('hex') },
    facts,
  };
}

function factOf(job: FakeJob, now: number): SlurmJobFact {
  const ended = now >= job.endMs;
  const endState = job.cancelled ? ('CANCELLED' as const) : ('COMPLETED' as const);
  return {
    jobId: job.jobId,
    comment: '',
    user: 'sim',
    name: job.jobKey,
    partition: 'debug',
    state: ended ? endState : 'RUNNING',
    flags: [],
    reason: 'None',
    nodes: 'n1',
    restarts: 0,
    startTime: Math.floor(job.startMs / 1000),
    source: 'queue',
    ...(ended && { exitCode: job.exitCode, endTime: Math.floor(job.endMs / 1000) }),
  };
}
