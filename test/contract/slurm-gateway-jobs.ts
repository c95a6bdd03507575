import type {
  HeadNode,
  SlurmGateway,
  SubmittedDependency,
  Submitted,
} from '../../src/clients/slurm-gateway.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import type { JobSpecInput } from '../../src/domain/job.ts';
import { factsByJobKey, jobAfterFact } from '../../src/domain/job-state.ts';
import { isTerminal } from '../../src/domain/slurm-states.ts';

/** A gateway, a head node that it reaches, and the means of an operator to change what happens there. */
export interface SlurmGatewayRig {
  readonly gateway: SlurmGateway;
  /** With a pinned identity and a queue `debug`. */
  readonly head: HeadNode;
  /** The same address with another identity pinned: a host key, or a certificate. */
  readonly impostor: HeadNode;
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** `scontrol hold`. */
  hold(jobId: string): Promise<void>;
  /** As if the job had ended so long ago that the controller has forgotten it. */
  purge(jobId: string): Promise<void>;
  /** As if the job's time limit had passed. */
  reachTimeLimit(jobId: string): Promise<void>;
  close(): Promise<void>;
}

let campaigns = 0;
/** A campaign of its own for each test, so that nothing of another is adopted. */
export function newCampaignId(): string {
  campaigns += 1;
  return String(campaigns)
    .replaceAll(/\d/g, (digit) => 'abcdefghij'.charAt(Number(digit)))
    .padEnd(26, 'x');
}

/** Jobs of one campaign after the other on a gateway, and how they stand. */
export function gatewayJobs(rigOf: () => { readonly gateway: SlurmGateway; readonly head: HeadNode }) {
  let campaignId = '';
  const begin = () => {
    campaignId = newCampaignId();
  };
  const submitWith = async (
    dependencies: Readonly<Record<string, readonly SubmittedDependency[]>>,
    ...jobs: JobSpecInput[]
  ): Promise<Submitted[]> => {
    const { gateway, head } = rigOf();
    return gateway.submit(head, {
      campaignId,
      jobs: jobs.map((job) => ({
        spec: jobSpecSchema.parse(job),
        dependencies: dependencies[job.key] ?? [],
      })),
      defaultQueue: 'debug',
    });
  };
  const submitAgain = async (...jobs: JobSpecInput[]) => submitWith({}, ...jobs);
  const viewOf = async (jobKey: string): Promise<JobView> => {
    const { gateway, head } = rigOf();
    const { facts } = await gateway.observe(head, { sinceSeconds: Date.now() / 1000 - 3600 });
    const fact = factsByJobKey(facts, { epoch: head.epoch, campaignId }).get(jobKey);
    const nothing: JobView = { key: jobKey, state: 'submitting', reason: '', logsComplete: false };
    return jobAfterFact(nothing, fact, new Date(0).toISOString());
  };
  return {
    get campaignId() {
      return campaignId;
    },
    /** What follows is another campaign. */
    begin,
    submitAgain,
    submitWith,
    viewOf,
    submit: async (...jobs: JobSpecInput[]): Promise<Submitted[]> => {
      begin();
      return submitAgain(...jobs);
    },
    endOf: async (jobKey: string): Promise<JobView> => {
      let view = await viewOf(jobKey);
      const deadline = Date.now() + 60_000;
      while (!isTerminal(view.state) && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        view = await viewOf(jobKey);
      }
      return view;
    },
    idOf: (submitted: Submitted | undefined): string => {
      if (submitted === undefined || !('jobId' in submitted)) throw new Error('no job was made');
      return submitted.jobId;
    },
  };
}
