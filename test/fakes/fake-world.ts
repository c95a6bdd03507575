import { type CostAccount, NEW_ACCOUNT } from '../../src/domain/budget.ts';
import type { BudgetNotice } from '../../src/domain/budget-notice.ts';
import type { DeploymentCosts } from '../../src/domain/deployment-costs.ts';
import { ApplicationFailure } from '@temporalio/common';
import type {
  Activities,
  LogProblem,
  ManifestPartRequest,
  ManifestRequest,
  StackUpdateRequest,
  TrustedKeysRequest,
} from '../../src/activities/port.ts';
import type { ObserveRequest, SubmitOutcome } from '../../src/domain/slurm-requests.ts';
import type { CampaignStore } from '../../src/clients/campaign-store.ts';
import { countByState, outcome } from '../../src/domain/campaign.ts';
import { planOf } from '../../src/domain/campaign-plan.ts';
import type { ExportProblem, ExportVerdict } from '../../src/domain/export-proof.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import type { ClusterAccess } from '../../src/domain/cluster-view.ts';
import { clusterName } from '../../src/domain/cluster-name.ts';
import type { ClusterSpec } from '../../src/domain/cluster-spec.ts';
import type { SpecNotes } from '../../src/domain/spec-notes.ts';
import { ofFallbackTier } from '../../src/domain/fallback-tiers.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import type { Deployment, KeyRole } from '../../src/domain/deployment.ts';
import type { CampaignDependency, Dependency } from '../../src/domain/dependencies.ts';
import { type JobArray, parseIndexes, taskKey } from '../../src/domain/job-array.ts';
import type { ControlOutcome } from '../../src/domain/job-control.ts';
import type { PriceRefresh } from '../../src/domain/price-refresh.ts';
import type { PreflightCheck } from '../../src/domain/preflight.ts';
import type { KeptDeployment } from '../../src/domain/kept-deployment.ts';
import type { OperatorDecision } from '../../src/domain/lustre-export.ts';
import type { Findings } from '../../src/domain/orphans.ts';
import { type FailureType, failures } from '../../src/domain/failures.ts';
import type { SlurmJwk } from '../../src/domain/slurm-jwt.ts';
import { FakeSlurm } from './fake-slurm.ts';
import { createMemoryCampaignStore } from './memory-campaign-store.ts';

type ActivityName = keyof Activities;

/** As much of a job's specification as matters here. */
export interface FakeContentJob {
  readonly key: string;
  readonly requeueLimit?: number;
  readonly dependsOn?: readonly Dependency[];
  readonly array?: JobArray;
}

interface FakeFileSystem {
  isAutomatic: boolean;
  /** Tasks that exported everything while no stack was there any more. */
  readonly exports: string[];
}

interface Fault {
  readonly error: () => Error;
  times: number;
  readonly afterEffect: boolean;
  /** Whether a call is hit, by its request; every one if not given. */
  readonly hits: (request: unknown) => boolean;
}

/**
 * AWS and Slurm in memory, typed as the activities' port. Everything is idempotent and answers at once, since the
 * time-skipping server stands still while an activity runs. The clock is the test server's.
 */
export class FakeWorld {
  readonly keyPairs = new Set<string>();
  readonly stacks = new Map<string, { readonly epoch: string; readonly subnetId: string }>();
  readonly createdStacks: { readonly clusterName: string; readonly epoch: string }[] = [];
  /** Queues that each update has put into force, in order. */
  readonly updatedStacks: { readonly clusterName: string; readonly queues: readonly string[] }[] = [];
  readonly slurm = new Map<string, FakeSlurm>();
  /** Where contents are that are not in `contents`. */
  campaignStore: Pick<CampaignStore, 'get'> = createMemoryCampaignStore();
  /** Jobs of campaigns by the key of their content. */
  readonly contents = new Map<string, readonly FakeContentJob[]>();
  /** By the key of the content, as `contents`. */
  readonly campaignDependencies = new Map<string, readonly CampaignDependency[]>();
  readonly manifests = new Map<string, readonly JobView[]>();
  private readonly manifestParts = new Map<string, readonly JobView[]>();
  readonly copiedLogs = new Set<string>();
  /** What a copy of logs leaves out. */
  logProblems: readonly LogProblem[] = [];
  /** Keys of the jobs that were handed to Slurm, in that order; one that was handed over twice is here twice. */
  readonly handedOver: string[] = [];
  /** The queue of jobs that name none, of each submission. */
  readonly defaultQueues: string[] = [];
  readonly calls = new Map<ActivityName, number>();
  /** Order of what changed the world, e.g. `createStack`, `deleteKeyPair admin`. */
  readonly effects: string[] = [];
  /** What was done to jobs that Slurm has. */
  /** The keys that each Slurm was last given, by the name of its cluster: key ids. */
  readonly trusted = new Map<string, readonly string[]>();
  /** What Keycloak's JWKS holds. */
  keycloakKeys: readonly SlurmJwk[] = [];
  readonly controls: Parameters<Activities['controlJobs']>[0][] = [];
  /** Jobs by key of which Slurm does not do what it is told. */
  readonly controlOutcomes = new Map<string, ControlOutcome>();
  /** Records of usage, in order: when, whether it was the last, and whether the stack was still there. */
  readonly costAccounts = new Map<string, CostAccount>();
  readonly keptCosts: DeploymentCosts[] = [];
  /** What activities say that a specification costs. */
  notesOf: (spec: ClusterSpec) => SpecNotes = () => ({});
  readonly budgetNotices: BudgetNotice[] = [];
  readonly usageRecords: {
    readonly atMs: number;
    readonly isLast: boolean;
    readonly hasStack: boolean;
    /** Whether it was told what nodes cost. */
    readonly isPriced: boolean;
  }[] = [];
  /** What a sweep finds. */
  findings: Findings = { orphans: [], lookAlikes: [], attended: 0 };
  /** How reading AWS's price list ends. */
  priceRefresh: PriceRefresh = {
    region: 'us-east-1',
    at: '2026-11-26T00:00:00.000Z',
    outcome: 'kept',
    remarks: [],
    problem: { message: 'AWS’s price list cannot be reached.', nextStep: 'Nothing.' },
  };
  /** What is kept of deployments for a sweep, by epoch. */
  readonly keptDeployments = new Map<string, KeptDeployment>();
  /** Epochs that were given up, and why. */
  readonly abandonments = new Map<string, OperatorDecision>();
  /** Who lives in a subnet although no stack does, in words. */
  readonly inhabitants = new Map<string, string>();
  /** What a preflight finds; all is well if empty. */
  preflightChecks: readonly PreflightCheck[] = [];
  /** Whether homes are on EFS. */
  hasEfs = false;
  readonly accessPoints = new Set<string>();
  /** Lustre file systems by id. */
  readonly lustre = new Map<string, FakeFileSystem>();
  /** What keeps exports from being proofs. */
  exportProblems: readonly ExportProblem[] = [];
  jobDurationSeconds = 60;
  /** Jobs by key that take longer or shorter than the others. */
  readonly ownDurationSeconds = new Map<string, number>();
  /** Jobs by key that do not succeed. */
  readonly exitCodes = new Map<string, number>();
  /** Jobs by key that Slurm refuses, and what it says. */
  readonly refusals = new Map<string, string>();
  subnetIds: string[];
  /** Availability zones over which the subnets are spread, one after the other. */
  zones: readonly string[] = ['us-east-1a'];
  private readonly faults = new Map<ActivityName, Fault>();
  private readonly gates = new Map<ActivityName, Promise<void>>();
  private readonly now: () => Promise<number>;

  constructor(now: () => Promise<number>, subnetCount = 10) {
    this.now = now;
    this.subnetIds = Array.from(
      { length: subnetCount },
      (_, index) => `subnet-${String(index).padStart(4, '0')}`,
    );
  }

  /** Makes an activity fail with a failure of the closed list; `afterEffect`: it happened and its answer is lost. */
  failOn(
    name: ActivityName,
    type: FailureType,
    {
      times = Number.POSITIVE_INFINITY,
      afterEffect = false,
      hits = () => true,
    }: Partial<Omit<Fault, 'error'>> = {},
  ): void {
    const error = () =>
      ApplicationFailure.create({
        type,
        message: `planted ${type}`,
        nonRetryable: !failures[type].retryable,
      });
    this.faults.set(name, { error, times, afterEffect, hits });
  }

  /** Makes an activity throw something that is on no list. */
  crashOn(name: ActivityName, times = 1): void {
    const error = () => new Error('planted crash');
    this.faults.set(name, { error, times, afterEffect: true, hits: () => true });
  }

  heal(name: ActivityName): void {
    this.faults.delete(name);
  }

  /** Lets calls of an activity begin, but not end before the returned function is called. Time stands still then. */
  holdBack(name: ActivityName): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gates.set(name, promise);
    return resolve;
  }

  /** A stack that an earlier run of its cluster has made. */
  addStack(tenant: Tenant, epoch: string): void {
    const name = clusterName(tenant);
    this.stacks.set(name, { epoch, subnetId: 'subnet-0000' });
    this.slurm.set(name, new FakeSlurm());
  }

  zoneOf(subnetId: string): string {
    return this.zones[this.subnetIds.indexOf(subnetId) % this.zones.length] ?? '';
  }

  slurmOf(clusterName: string): FakeSlurm {
    const slurm = this.slurm.get(clusterName);
    if (!slurm) throw new Error(`no head node of ${clusterName}`);
    return slurm;
  }

  /** What a tenant would still pay for, or could still be reached by. */
  leftovers(): string[] {
    return [
      ...[...this.stacks.keys()].map((name) => `stack ${name}`),
      ...[...this.lustre.keys()].map((id) => `file system ${id}`),
      ...[...this.accessPoints].map((id) => `access point ${id}`),
      ...[...this.keyPairs].map((name) => `key ${name}`),
    ];
  }

  /** The activities, each counted and open to planted faults. `lease` is the real pair that talks to the pool. */
  activities(lease: Pick<Activities, 'acquireSubnet' | 'releaseSubnet'>): Activities {
    const all: Activities = {
      ...this.networkActivities(),
      ...this.stackActivities(),
      ...this.lustreActivities(),
      ...this.slurmActivities(),
      ...this.campaignActivities(),
      ...this.leaseActivities(lease),
    };
    // A proxy keeps the port's exact types; the worker enumerates and calls its functions like any others.
    return new Proxy(all, {
      get: (target, name, receiver): unknown => {
        const run: unknown = Reflect.get(target, name, receiver);
        return typeof run === 'function' && isActivityName(target, name) ? this.withFaults(name, run) : run;
      },
    });
  }

  private withFaults(name: ActivityName, run: Function) {
    return async (...args: unknown[]): Promise<unknown> => {
      this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      const fault = this.faults.get(name);
      const strikes = fault !== undefined && fault.times > 0 && fault.hits(args[0]);
      await this.gates.get(name);
      if (strikes) fault.times -= 1;
      if (strikes && !fault.afterEffect) throw fault.error();
      const answer: unknown = await Reflect.apply(run, undefined, args);
      if (strikes) throw fault.error();
      return answer;
    };
  }

  private leaseActivities(lease: Pick<Activities, 'acquireSubnet' | 'releaseSubnet'>) {
    return {
      acquireSubnet: async (request: Parameters<Activities['acquireSubnet']>[0]) => {
        const answer = await lease.acquireSubnet(request);
        if (answer.status === 'leased') this.effects.push('leaseSubnet');
        return answer;
      },
      releaseSubnet: async (request: Parameters<Activities['releaseSubnet']>[0]) => {
        const answer = await lease.releaseSubnet(request);
        this.effects.push(answer ? 'keepSubnet' : 'releaseSubnet');
        return answer;
      },
    } satisfies Partial<Activities>;
  }

  private trust(clusterName: string, keys: readonly SlurmJwk[]): void {
    this.trusted.set(
      clusterName,
      keys.map(({ kid }) => kid),
    );
  }

  private networkActivities() {
    const keyName = ({ clusterName, epoch }: Deployment, role: KeyRole) => `${clusterName}-${epoch}-${role}`;
    return {
      describePoolSubnets: async () =>
        this.subnetIds.map((subnetId) => ({
          subnetId,
          availabilityZone: this.zoneOf(subnetId),
          availableAddresses: 250,
          usedByEpochs: [...this.stacks.values()]
            .filter((s) => s.subnetId === subnetId)
            .map(({ epoch }) => epoch),
        })),
      resolveFallback: async ({ spec, tier }: Parameters<Activities['resolveFallback']>[0]) => ({
        spec: ofFallbackTier(spec, tier),
        notes: {},
      }),
      priceSpec: async ({ spec }: Parameters<Activities['priceSpec']>[0]) => this.notesOf(spec),
      saveSupportBundle: async ({ epoch }: Parameters<Activities['saveSupportBundle']>[0]) => {
        const hasStack = [...this.stacks.values()].some((stack) => stack.epoch === epoch);
        const without = this.lustre.has(`fs-${epoch}`) ? 'of the file system' : 'too late';
        this.effects.push(`saveSupportBundle ${hasStack ? 'of the stack' : without}`);
        return { uri: `s3://control/${epoch}/support/` };
      },
      preflight: async () => ({ checks: this.preflightChecks }),
      ensureKeyPair: async (request: Deployment & { readonly role: KeyRole }) => {
        const name = keyName(request, request.role);
        this.keyPairs.add(name);
        this.effects.push(`ensureKeyPair ${request.role}`);
        const { role } = request;
        return {
          role,
          keyName: name,
          privateKeySecretArn: `arn:fake:${name}`,
          publicKey: 'ssh-ed25519 AAAA',
        };
      },
      deleteKeyPair: async (request: Deployment & { readonly role: KeyRole }) => {
        if (this.keyPairs.delete(keyName(request, request.role)))
          this.effects.push(`deleteKeyPair ${request.role}`);
      },
      ensureSigningKey: async ({ clusterName, epoch }: Deployment) => {
        const name = `${clusterName}-${epoch}-slurm-api`;
        this.keyPairs.add(name);
        this.effects.push('ensureSigningKey');
        return { privateKeySecretArn: `arn:fake:${name}`, jwk: fakeKey('first') };
      },
      rotateSigningKey: async (request: Parameters<Activities['rotateSigningKey']>[0]) => {
        const jwk = fakeKey(request.rotationId);
        const name = `${request.clusterName}-${request.epoch}-slurm-api`;
        this.trust(request.clusterName, [jwk, ...request.trusted]);
        return { privateKeySecretArn: `arn:fake:${name}`, jwk };
      },
      deleteSigningKey: async ({ clusterName, epoch }: Deployment) => {
        if (this.keyPairs.delete(`${clusterName}-${epoch}-slurm-api`)) this.effects.push('deleteSigningKey');
      },
      readKeycloakKeys: async () => [...this.keycloakKeys],
      replaceTrustedKeys: async ({ clusterName, trusted }: TrustedKeysRequest) =>
        this.trust(clusterName, trusted),
      ensureLogGroup: async ({ virtualLabId, projectId }: Deployment) => ({
        logGroupName: `/pcp/${virtualLabId}/${projectId}`,
      }),
    } satisfies Partial<Activities>;
  }

  private stackActivities() {
    return {
      createStack: async (request: Parameters<Activities['createStack']>[0]) => {
        const { clusterName, epoch, lease } = request;
        const clash = [...this.stacks.values()].find((stack) => stack.subnetId === lease.subnetId);
        if (clash && clash.epoch !== epoch) throw new Error(`two stacks in ${lease.subnetId}`);
        if (!this.stacks.has(clusterName)) {
          this.stacks.set(clusterName, { epoch, subnetId: lease.subnetId });
          this.createdStacks.push({ clusterName, epoch });
          this.slurm.set(clusterName, new FakeSlurm());
          if (request.trusted) this.trust(clusterName, request.trusted);
          this.effects.push('createStack');
        }
        return { stackId: `arn:stack/${clusterName}/${epoch}`, headNodeAddress: '127.0.1.1' };
      },
      updateStack: async ({ clusterName, epoch, spec }: StackUpdateRequest) => {
        if (this.stacks.get(clusterName)?.epoch !== epoch) throw new Error(`no stack of ${epoch}`);
        this.updatedStacks.push({ clusterName, queues: spec.queues.map(({ name }) => name) });
        this.effects.push('updateStack');
        const { estimate, rates } = this.notesOf(spec);
        return {
          estimate: estimate ?? { region: 'us-east-1', idleUsdPerHour: spec.queues.length },
          ...(rates && { rates }),
        };
      },
      checkQueues: async () => {},
      deleteStack: async ({ clusterName, epoch }: Deployment) => {
        if (this.stacks.get(clusterName)?.epoch !== epoch) return;
        this.stacks.delete(clusterName);
        this.slurm.delete(clusterName);
        this.effects.push('deleteStack');
      },
      checkReadiness: async (
        request: Parameters<Activities['checkReadiness']>[0],
      ): Promise<ClusterAccess> => ({
        address: request.address,
        port: 22,
        user: 'sim',
        hostKey: 'ssh-ed25519 HOST',
        privateKeySecretArn: request.privateKeySecretArn,
        ...(request.slurmApi && {
          slurmApi: { ...request.slurmApi, port: 6820, certificateSha256: 'ab'.repeat(32) },
        }),
      }),
    } satisfies Partial<Activities>;
  }

  private lustreActivities() {
    return {
      surveyOrphans: async () => this.findings,
      refreshPrices: async () => this.priceRefresh,
      keepDeployment: async ({ epoch, record }: Parameters<Activities['keepDeployment']>[0]) => {
        this.keptDeployments.set(epoch, record);
      },
      readDeployment: async ({ epoch }: Deployment) => this.keptDeployments.get(epoch),
      keepAbandonment: async ({ epoch, by, reason, at }: Parameters<Activities['keepAbandonment']>[0]) => {
        this.abandonments.set(epoch, { by, reason, at });
      },
      removeRemnants: async ({ remnants }: Parameters<Activities['removeRemnants']>[0]) => {
        this.effects.push(...remnants.map(({ kind, id }) => `remove ${kind} ${id}`));
        return remnants.map((remnant) => ({ ...remnant, isRemoved: true }));
      },
      ensureHome: async ({ epoch }: Deployment) => {
        if (!this.hasEfs) return undefined;
        this.accessPoints.add(`fsap-${epoch}`);
        this.effects.push('ensureHome');
        return { fileSystemId: 'fs-homes', accessPointId: `fsap-${epoch}` };
      },
      deleteHome: async ({ epoch, clusterName, home }: Parameters<Activities['deleteHome']>[0]) => {
        if (this.stacks.has(clusterName)) throw new Error('a stack still mounts the homes');
        const elsewhere = home && home.fileSystemId !== 'fs-homes' ? ` of ${home.fileSystemId}` : '';
        if (this.accessPoints.delete(`fsap-${epoch}`)) this.effects.push(`deleteHome${elsewhere}`);
      },
      ensureLustre: async ({ epoch }: Parameters<Activities['ensureLustre']>[0]) => {
        const fileSystemId = `fs-${epoch}`;
        this.lustre.set(fileSystemId, { isAutomatic: true, exports: [] });
        this.effects.push('ensureLustre');
        return { fileSystemId };
      },
      setAutomaticExport: async ({ fileSystemId, isOn }: Parameters<Activities['setAutomaticExport']>[0]) => {
        this.fileSystem(fileSystemId).isAutomatic = isOn;
        this.effects.push(`automaticExport ${isOn ? 'on' : 'off'}`);
      },
      exportLustre: async (request: Parameters<Activities['exportLustre']>[0]): Promise<ExportVerdict> => {
        const fileSystem = this.fileSystem(request.fileSystemId);
        fileSystem.isAutomatic = false;
        const isMounted = this.stacks.has(request.clusterName);
        this.effects.push(isMounted ? 'exportLustre mounted' : 'exportLustre');
        if (this.exportProblems.length > 0) return { status: 'unproven', problems: this.exportProblems };
        const taskId = `task-${request.requestId}`;
        if (!isMounted) fileSystem.exports.push(taskId);
        return {
          status: 'proven',
          proof: {
            version: 1,
            fileSystemId: request.fileSystemId,
            provenAt: new Date(await this.now()).toISOString(),
            taskId,
            exportedPaths: ['/scratch'],
            files: { total: 1, succeeded: 1, failed: 0 },
            oldestQueuedSeconds: 0,
            sample: null,
          },
        };
      },
      settleS3Writes: async ({ clusterName, discard }: Parameters<Activities['settleS3Writes']>[0]) => {
        if (!this.stacks.has(clusterName)) throw new Error('the nodes that write are gone');
        this.effects.push(`settleS3Writes${discard ? ` discarded by ${discard.by}` : ''}`);
      },
      deleteLustre: async ({ epoch, clusterName, consent }: Parameters<Activities['deleteLustre']>[0]) => {
        const fileSystemId = `fs-${epoch}`;
        const fileSystem = this.lustre.get(fileSystemId);
        if (!fileSystem) return;
        if (this.stacks.has(clusterName)) throw new Error('a stack still mounts the file system');
        if (consent.kind === 'exported' && !fileSystem.exports.includes(consent.taskId))
          throw new Error(`${consent.taskId} exported nothing after the last node was gone`);
        this.lustre.delete(fileSystemId);
        this.effects.push(`deleteLustre ${consent.kind}`);
      },
    } satisfies Partial<Activities>;
  }

  private fileSystem(fileSystemId: string): FakeFileSystem {
    const found = this.lustre.get(fileSystemId);
    if (!found) throw new Error(`no file system ${fileSystemId}`);
    return found;
  }

  private slurmActivities() {
    return {
      submitJobs: async (request: Parameters<Activities['submitJobs']>[0]): Promise<SubmitOutcome[]> => {
        const slurm = this.slurmOf(request.clusterName);
        const submitMs = await this.now();
        const { campaignId, defaultQueue } = request;
        this.defaultQueues.push(defaultQueue);
        const endOf = (key: string) => ({
          durationMs: (this.ownDurationSeconds.get(key) ?? this.jobDurationSeconds) * 1000,
          exitCode: this.exitCodes.get(key) ?? 0,
        });
        return request.jobs.map(({ jobKey, indexes, dependencies = [] }) => {
          this.handedOver.push(jobKey);
          const message = this.refusals.get(jobKey);
          if (message !== undefined) return { jobKey, status: 'rejected', message };
          const tasks = indexes === undefined ? [] : parseIndexes(indexes);
          return slurm.submit(
            { campaignId, jobKey, submitMs, ...endOf(jobKey) },
            dependencies,
            tasks.map((index) => ({ index, ...endOf(taskKey(jobKey, index)) })),
          );
        });
      },
      observeSlurm: async (request: ObserveRequest) => {
        const slurm = this.slurmOf(request.clusterName);
        if (!slurm.reachable) {
          throw ApplicationFailure.create({ type: 'SlurmUnavailable', message: 'slurmctld does not answer' });
        }
        return slurm.observe(request, await this.now());
      },
      cancelJobs: async ({ clusterName }: Deployment) => {
        this.slurmOf(clusterName).cancel(() => true, await this.now());
      },
      cancelCampaignJobs: async (request: Parameters<Activities['cancelCampaignJobs']>[0]) => {
        const { campaignId, jobKeys } = request;
        const isMeant = (job: { readonly campaignId: string; readonly jobKey: string }) =>
          job.campaignId === campaignId && (jobKeys?.includes(job.jobKey) ?? true);
        this.slurmOf(request.clusterName).cancel(isMeant, await this.now());
      },
      controlJobs: async ({ jobs, ...request }: Parameters<Activities['controlJobs']>[0]) => {
        this.controls.push({ ...request, jobs });
        return jobs.map(
          ({ jobKey }) => this.controlOutcomes.get(jobKey) ?? { jobKey, status: 'done' as const },
        );
      },
      disconnect: async () => {},
      copyJobLogs: async ({ jobs }: Parameters<Activities['copyJobLogs']>[0]) => {
        for (const { jobKey } of jobs) this.copiedLogs.add(jobKey);
        return { copiedBytes: jobs.length, problems: this.logProblems };
      },
      followJobLogs: async ({ isLast = false }: Parameters<Activities['followJobLogs']>[0]) => {
        if (isLast) this.effects.push('copyLastLogs');
        return { copiedBytes: 0 };
      },
      listSlurmJobs: async ({ epoch }: Parameters<Activities['listSlurmJobs']>[0]) => ({
        epoch,
        observedAt: new Date(await this.now()).toISOString(),
      }),
      readCostAccount: async (tenant: Parameters<Activities['readCostAccount']>[0]) =>
        this.costAccounts.get(tenant.projectId) ?? NEW_ACCOUNT,
      keepCosts: async ({ tenant, account, costs }: Parameters<Activities['keepCosts']>[0]) => {
        this.costAccounts.set(tenant.projectId, account);
        if (costs) this.keptCosts.push(costs);
      },
      notifyBudget: async (notice: BudgetNotice) => {
        this.budgetNotices.push(notice);
      },
      recordUsage: async ({ clusterName, isLast, rates }: Parameters<Activities['recordUsage']>[0]) => {
        const hasStack = this.stacks.has(clusterName);
        this.usageRecords.push({ atMs: await this.now(), isLast, hasStack, isPriced: rates !== undefined });
      },
    } satisfies Partial<Activities>;
  }

  private campaignActivities() {
    return {
      loadCampaign: async ({ content }: Parameters<Activities['loadCampaign']>[0]) => {
        const dependsOn = this.campaignDependencies.get(content.key);
        const plan = planOf(this.contents.get(content.key) ?? (await this.campaignStore.get(content)).jobs);
        return { ...plan, ...(dependsOn && { dependsOn }) };
      },
      readCampaignEnd: async ({ campaignId }: Parameters<Activities['readCampaignEnd']>[0]) => {
        const jobs = this.manifests.get(campaignId);
        if (jobs) return outcome(jobs);
        throw ApplicationFailure.create({ type: 'CampaignRunning', message: 'it has not ended yet' });
      },
      writeManifestPart: async ({ content, part, jobs }: ManifestPartRequest) => {
        const key = `${content.key}-${part}`;
        this.manifestParts.set(key, jobs);
        return { key, sha256: 'a', jobCount: jobs.length, jobsByState: countByState(jobs) };
      },
      writeManifest: async ({ campaignId, jobs, parts = [] }: ManifestRequest) => {
        const written = parts.flatMap(({ key }) => this.manifestParts.get(key) ?? []);
        this.manifests.set(campaignId, jobs ?? written);
      },
    } satisfies Partial<Activities>;
  }
}

/** A public key as far as workflows look at it. */
export function fakeKey(kid: string): SlurmJwk {
  return { kty: 'RSA', use: 'sig', alg: 'RS256', kid, n: 'n', e: 'AQAB' };
}

function isActivityName(activities: Activities, name: string | symbol): name is ActivityName {
  return Object.hasOwn(activities, name);
}
