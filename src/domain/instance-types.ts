import { z } from 'zod';
import bundled from './instance-types.json' with { type: 'json' };

/*
 * EC2's own data on instance types (DescribeInstanceTypes), of all that run Linux on x86_64 or arm64. instance-types.json is
 * written by `npm run instance-types:update` and compared with the emulator's copy of AWS's data by a contract test. Kept
 * in the release and not asked for at run time: a plan, or what is wrong with a specification, is then the same for everybody
 * who runs the release and needs no AWS, and types change only when AWS brings new ones out.
 */

export const instanceTypeSchema = z.strictObject({
  vcpus: z.int().min(1),
  /** Physical ones; half of the vCPUs where a core has two threads. */
  cores: z.int().min(1),
  memoryMebibytes: z.int().min(1),
  /** Has an Elastic Fabric Adapter. */
  efa: z.boolean(),
  /** What its network always does, of all cards together, in Gbit/s. */
  networkGigabits: z.number().positive(),
  architecture: z.enum(['x86_64', 'arm64']),
  /** Its processors work at full speed only as long as it has CPU credits. */
  burstable: z.boolean(),
  spot: z.boolean(),
  /** May be in a cluster placement group. */
  clusterPlacement: z.boolean(),
});

export type InstanceType = z.output<typeof instanceTypeSchema>;

export type InstanceTypes = Readonly<Record<string, InstanceType>>;

/** The data of this release, by name. */
export const instanceTypes: InstanceTypes = z.record(z.string(), instanceTypeSchema).parse(bundled);
