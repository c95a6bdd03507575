/** What nodes can run (`SUPPORTED_OSES`, aws-parallelcluster 3.16). */
export const operatingSystems = [
  'alinux2023',
  'ubuntu2204',
  'ubuntu2404',
  'rhel8',
  'rhel9',
  'rocky8',
  'rocky9',
] as const;

export type OperatingSystem = (typeof operatingSystems)[number];

export const DEFAULT_OPERATING_SYSTEM: OperatingSystem = 'alinux2023';

/** Those of which AWS publishes no image for ParallelCluster (`PRIVATE_OSES`, aws-parallelcluster 3.16). */
export const withoutOfficialImage: readonly OperatingSystem[] = ['rocky8', 'rocky9'];

/**
 * The user that images of an operating system have from the start, who may use sudo
 * (`OS_MAPPING`, aws-parallelcluster 3.16).
 */
export function adminUser(os: OperatingSystem = DEFAULT_OPERATING_SYSTEM): string {
  if (os.startsWith('ubuntu')) return 'ubuntu';
  return os.startsWith('rocky') ? 'rocky' : 'ec2-user';
}
