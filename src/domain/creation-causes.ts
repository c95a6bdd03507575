import type { FailureType } from './failures.ts';

type CreationCause = Extract<FailureType, 'InsufficientCapacity' | 'QuotaExceeded' | 'UnsupportedInZone'>;

/*
 * Codes that EC2 gives when it starts an instance (EC2 API reference, "Error codes"), and their sentences, which are all that
 * some events of CloudFormation and of Auto Scaling keep. Codes are whole words: the names of a cluster's own resources
 * stand in the same texts.
 *
 * The sentences as others met them: "Insufficient capacity." (github.com/aws/aws-parallelcluster/issues/618,
 * github.com/nib-health-funds/hammertime/issues/29), "requested more instances" (github.com/widdix/aws-s3-virusscan/issues/55,
 * github.com/convox/rack/issues/2539), "Max spot instance count exceeded"
 * (github.com/aws/aws-parallelcluster/issues/340), `UnfulfillableCapacity` and `InsufficientCapacity`
 * (github.com/aws/aws-parallelcluster-node/pull/673, which fails over to other nodes for both).
 */
const causes: readonly (readonly [CreationCause, RegExp])[] = [
  ['InsufficientCapacity', /\bInsufficient(?:Instance|Host|Reserved\w*)?Capacity\b/],
  // With the type; of a placement group's further instances, without.
  ['InsufficientCapacity', /\bdo not have sufficient (?:\S+ )?capacity\b/i],
  ['InsufficientCapacity', /\bInsufficient capacity\.|\bUnfulfillableCapacity\b/],
  ['InsufficientCapacity', /\bno Spot capacity available\b/i],
  ['InsufficientCapacity', /\b(?:ReservationCapacityExceeded|SpotMaxPriceTooLow)\b/],
  [
    'QuotaExceeded',
    /\b(?:VcpuLimitExceeded|InstanceLimitExceeded|MaxSpotInstanceCountExceeded|VolumeLimitExceeded)\b/,
  ],
  ['QuotaExceeded', /\brequested more vCPU capacity than your current vCPU limit\b/i],
  ['QuotaExceeded', /\brequested more instances \(\d+\) than your current instance limit\b/i],
  ['QuotaExceeded', /\bMax spot instance count exceeded\b/i],
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
