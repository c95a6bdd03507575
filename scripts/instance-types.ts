import { type EC2Client, type InstanceTypeInfo, paginateDescribeInstanceTypes } from '@aws-sdk/client-ec2';
import { type InstanceType, instanceTypeSchema } from '../src/domain/instance-types.ts';

/**
 * What EC2 says of all instance types that run Linux on x86_64 or arm64, by name.
 *
 * @throws ZodError where EC2 does not answer as it documents.
 */
export async function readInstanceTypes(ec2: EC2Client): Promise<Record<string, InstanceType>> {
  const found = new Map<string, InstanceType>();
  for await (const { InstanceTypes = [] } of paginateDescribeInstanceTypes({ client: ec2 }, {})) {
    for (const info of InstanceTypes) {
      // Those of Macs have architectures of their own, and run no Linux.
      if (architectureOf(info)) found.set(info.InstanceType ?? '', instanceTypeOf(info));
    }
  }
  return Object.fromEntries(found);
}

function architectureOf({ ProcessorInfo }: InstanceTypeInfo): 'x86_64' | 'arm64' | undefined {
  return ProcessorInfo?.SupportedArchitectures?.find((each) => each === 'x86_64' || each === 'arm64');
}

function instanceTypeOf(info: InstanceTypeInfo): InstanceType {
  const { VCpuInfo, MemoryInfo, NetworkInfo, PlacementGroupInfo, SupportedUsageClasses = [] } = info;
  const gigabits = (NetworkInfo?.NetworkCards ?? []).map((card) => card.BaselineBandwidthInGbps ?? 0);
  return instanceTypeSchema.parse({
    vcpus: VCpuInfo?.DefaultVCpus,
    cores: VCpuInfo?.DefaultCores,
    memoryMebibytes: MemoryInfo?.SizeInMiB,
    efa: NetworkInfo?.EfaSupported ?? false,
    networkGigabits: Number(gigabits.reduce((sum, each) => sum + each, 0).toFixed(3)),
    architecture: architectureOf(info),
    burstable: info.BurstablePerformanceSupported ?? false,
    spot: SupportedUsageClasses.includes('spot'),
    clusterPlacement: PlacementGroupInfo?.SupportedStrategies?.includes('cluster') ?? false,
  });
}

/** By family, then by size as people count: `c5.2xlarge` before `c5.12xlarge`. */
export function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
