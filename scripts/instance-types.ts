import { type EC2Client, type InstanceTypeInfo, paginateDescribeInstanceTypes } from '@aws-sdk/client-ec2';
import { type InstanceType, instanceTypeSchema } from '../src/domain/instance-types.ts';

/** EC2 takes 100 names in one request (DescribeInstanceTypes, `InstanceTypes`). */
const NAMES_IN_A_REQUEST = 100;

/**
 * What EC2 says of these instance types, in the order of their names.
 *
 * @throws Error naming what is missing or not as EC2 documents it.
 */
export async function readInstanceTypes(
  ec2: EC2Client,
  names: readonly string[],
): Promise<Record<string, InstanceType>> {
  const found = new Map<string, InstanceType>();
  for (let first = 0; first < names.length; first += NAMES_IN_A_REQUEST) {
    const Filters = [{ Name: 'instance-type', Values: names.slice(first, first + NAMES_IN_A_REQUEST) }];
    for await (const { InstanceTypes = [] } of paginateDescribeInstanceTypes({ client: ec2 }, { Filters })) {
      for (const info of InstanceTypes) found.set(info.InstanceType ?? '', instanceTypeOf(info));
    }
  }
  const missing = names.filter((name) => !found.has(name));
  if (missing.length > 0) throw new Error(`EC2 does not know ${missing.join(', ')}`);
  return Object.fromEntries([...found].toSorted(([a], [b]) => compareNames(a, b)));
}

function instanceTypeOf({
  VCpuInfo,
  MemoryInfo,
  NetworkInfo,
  ProcessorInfo,
  BurstablePerformanceSupported,
  SupportedUsageClasses = [],
}: InstanceTypeInfo): InstanceType {
  const gigabits = (NetworkInfo?.NetworkCards ?? []).map((card) => card.BaselineBandwidthInGbps ?? 0);
  return instanceTypeSchema.parse({
    vcpus: VCpuInfo?.DefaultVCpus,
    cores: VCpuInfo?.DefaultCores,
    memoryMebibytes: MemoryInfo?.SizeInMiB,
    efa: NetworkInfo?.EfaSupported ?? false,
    networkGigabits: Number(gigabits.reduce((sum, each) => sum + each, 0).toFixed(3)),
    architecture: ProcessorInfo?.SupportedArchitectures?.find(
      (each) => each === 'x86_64' || each === 'arm64',
    ),
    burstable: BurstablePerformanceSupported ?? false,
    spot: SupportedUsageClasses.includes('spot'),
  });
}

/** By family, then by size as people count: `c5.2xlarge` before `c5.12xlarge`. */
function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
