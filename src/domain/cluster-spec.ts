import type { ClusterOptions } from './cluster-options.ts';
import type { LustreSpec } from './lustre.ts';
import { DEFAULT_OPERATING_SYSTEM } from './operating-systems.ts';
import type { ComputeResource, Queue } from './queue.ts';
import type { SlurmApiSpec } from './slurm-api-spec.ts';
import type { Tier } from './tiers.ts';

/** A specification with every default and the tier's queues filled in: what is stored, compared and rendered. */
export interface ClusterSpec extends Readonly<ClusterOptions> {
  readonly tier: Tier | 'custom';
  readonly queues: readonly Queue[];
  readonly idleTimeoutSeconds: number;
  readonly maxLifetimeSeconds: number;
  /** Absent where the cluster is to have no Slurm REST API. */
  readonly slurmApi?: SlurmApiSpec;
  /** Absent where the cluster is to have no Lustre file system. */
  readonly lustre?: LustreSpec;
  readonly scaledownIdleTimeSeconds?: number;
}

/** A specification without what can be long. */
export interface ClusterSpecSummary extends Omit<
  ClusterSpec,
  'queues' | 'slurmSettings' | 'customActions' | 'fileSystems'
> {
  readonly queueNames: readonly string[];
}

export function summarizeSpec(spec: ClusterSpec): ClusterSpecSummary {
  const { queues, slurmSettings: _settings, customActions: _actions, fileSystems: _mounts, ...rest } = spec;
  return { ...rest, queueNames: queues.map(({ name }) => name) };
}

/** One difference between two specifications, for a caller who must decide which one to keep. */
export interface SpecDifference {
  /** Path of the field, e.g. `queues.0.computeResources.0.maxCount`. */
  readonly path: string;
  readonly existing: unknown;
  readonly requested: unknown;
}

/** Every leaf in which two specifications differ; empty when they are the same. */
export function diffSpecs(existing: unknown, requested: unknown, path = ''): SpecDifference[] {
  if (Object.is(existing, requested)) return [];
  if (!isContainer(existing) || !isContainer(requested)) return [{ path, existing, requested }];
  const keys = new Set([...Object.keys(existing), ...Object.keys(requested)]);
  return [...keys].flatMap((key) => diffSpecs(existing[key], requested[key], path ? `${path}.${key}` : key));
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Whether a cluster of one specification can run what was meant for another: it has every queue that is asked for,
 * of the same instance types, at least as large, and alike in what jobs can feel. Who asks for Slurm's REST API gets one
 * that accepts the tokens that were asked for, and nobody else's.
 */
export function coversSpec(existing: ClusterSpec, asked: ClusterSpec): boolean {
  return (
    (asked.lustre === undefined ||
      (existing.lustre !== undefined &&
        existing.lustre.sizeGibibytes >= asked.lustre.sizeGibibytes &&
        existing.lustre.throughputMegabytesPerSecondPerTebibyte >=
          asked.lustre.throughputMegabytesPerSecondPerTebibyte)) &&
    (asked.slurmApi === undefined || asked.slurmApi.trust === existing.slurmApi?.trust) &&
    // Lustre has the same folders.
    (!asked.s3Mounts || existing.s3Mounts === true || existing.lustre !== undefined) &&
    coversOptions(existing, asked) &&
    asked.queues.every((queue) => existing.queues.some((candidate) => coversQueue(candidate, queue)))
  );
}

/** Jobs feel the image and how memory is handed out, whether or not they ask; of the rest, what they ask for is there. */
function coversOptions(existing: ClusterOptions, asked: ClusterOptions): boolean {
  const isSame = (a: unknown, b: unknown): boolean => diffSpecs(a, b).length === 0;
  const image = ({ os = DEFAULT_OPERATING_SYSTEM, customAmi }: ClusterOptions) => ({ os, customAmi });
  const schedulesMemory = ({ slurmSettings }: ClusterOptions) => slurmSettings?.memoryBasedScheduling ?? true;
  const { memoryBasedScheduling: _compared, ...settings } = asked.slurmSettings ?? {};
  const { instanceType, rootVolumeGibibytes = 0 } = asked.headNode ?? {};
  return (
    isSame(image(existing), image(asked)) &&
    schedulesMemory(existing) === schedulesMemory(asked) &&
    isSame({ ...existing.slurmSettings, ...settings }, existing.slurmSettings ?? {}) &&
    (instanceType === undefined || instanceType === existing.headNode?.instanceType) &&
    (existing.headNode?.rootVolumeGibibytes ?? 0) >= rootVolumeGibibytes &&
    (asked.fileSystems ?? []).every((mount) => existing.fileSystems?.some((each) => isSame(each, mount))) &&
    (asked.customActions === undefined || isSame(existing.customActions, asked.customActions))
  );
}

function coversQueue(existing: Queue, asked: Queue): boolean {
  const { computeResources, ...rest } = asked;
  const { computeResources: have, ...existingRest } = existing;
  return (
    diffSpecs(existingRest, rest).length === 0 &&
    // One that exists stands for one that is asked for, not for two.
    computeResources.every(
      (resource) => countAsGood(have, resource) >= countAsGood(computeResources, resource),
    )
  );
}

/** How many of these are as large as this one and otherwise alike. */
function countAsGood(resources: readonly ComputeResource[], than: ComputeResource): number {
  const kind = (resource: ComputeResource) => ({ ...resource, maxCount: 0, minCount: 0, name: '' });
  return resources.filter(
    (each) => each.maxCount >= than.maxCount && diffSpecs(kind(each), kind(than)).length === 0,
  ).length;
}
