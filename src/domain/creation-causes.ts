import type { FailureType } from './failures.ts';

type CreationCause = Extract<FailureType, 'InsufficientCapacity' | 'QuotaExceeded' | 'UnsupportedInZone'>;

/*
 * Codes that EC2 gives when it starts an instance (EC2 API reference, "Error codes"), and the sentence of the first of them,
 * which is all that some events of CloudFormation keep. Codes are whole words: the names of a cluster's own resources
 * stand in the same texts.
 */
const causes: readonly (readonly [CreationCause, RegExp])[] = [
  ['InsufficientCapacity', /\bInsufficient(?:Instance|Host|Reserved\w*)?Capacity\b/],
  ['InsufficientCapacity', /\bdo not have sufficient \S+ capacity\b/i],
  ['InsufficientCapacity', /\bno Spot capacity available\b/i],
  ['InsufficientCapacity', /\b(?:ReservationCapacityExceeded|SpotMaxPriceTooLow)\b/],
  [
    'QuotaExceeded',
    /\b(?:VcpuLimitExceeded|InstanceLimitExceeded|MaxSpotInstanceCountExceeded|VolumeLimitExceeded)\b/,
  ],
  ['QuotaExceeded', /\brequested more vCPU capacity than your current vCPU limit\b/i],
  ['UnsupportedInZone', /\brequested configuration is currently not supported\b/i],
  ['UnsupportedInZone', /\binstance type \S+ is not supported in your requested Availability Zone\b/i],
];

/**
 * Why FSx could not make a file system, in its own words. It documents no code of a want of capacity, and tells of it in
 * `FailureDetails.Message` only: what says that capacity is wanting counts, not every text that names a size.
 */
export function fileSystemCause(reason: string): 'InsufficientCapacity' | 'LustreCreateFailed' {
  return /\b(?:insufficient|not enough|no|not have (?:enough|sufficient)) (?:\w+ ){0,2}capacity\b/i.test(
    reason,
  )
    ? 'InsufficientCapacity'
    : 'LustreCreateFailed';
}

/**
 * What the reason of a failed creation, in the words of AWS, says of EC2's capacity or the account's quotas; undefined where it
 * says neither. What is not recognized stays an ordinary failure.
 */
export function creationCause(reason: string): CreationCause | undefined {
  return causes.find(([, pattern]) => pattern.test(reason))?.[0];
}
