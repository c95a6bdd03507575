import { z } from 'zod';
import { type Foundation, ofType } from './foundation.ts';

const entrySchema = z.object({
  Egress: z.boolean(),
  RuleNumber: z.number(),
  RuleAction: z.enum(['allow', 'deny']),
  /** IANA's number, -1 for all. */
  Protocol: z.number(),
  PortRange: z.object({ From: z.coerce.number(), To: z.coerce.number() }).optional(),
  CidrBlock: z.string(),
});

export interface Packet {
  readonly direction: 'in' | 'out';
  /** Of the other side, IPv4. */
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  /** The one that it goes to. */
  readonly port: number;
}

/** Whether the network ACL of cluster subnets lets a packet pass: the first entry by number that matches decides. */
export function passesNetworkAcl(
  foundation: Foundation,
  { direction, address, protocol, port }: Packet,
): boolean {
  const entries = ofType(foundation, 'AWS::EC2::NetworkAclEntry').map(([, { Properties }]) =>
    entrySchema.parse(Properties),
  );
  const first = entries
    .toSorted((one, other) => one.RuleNumber - other.RuleNumber)
    .find(
      ({ Egress, Protocol, PortRange, CidrBlock }) =>
        Egress === (direction === 'out') &&
        (Protocol === -1 || Protocol === (protocol === 'tcp' ? 6 : 17)) &&
        (!PortRange || (port >= PortRange.From && port <= PortRange.To)) &&
        isWithin(address, CidrBlock),
    );
  return first?.RuleAction === 'allow';
}

function isWithin(address: string, range: string): boolean {
  const [network = '', bits = '32'] = range.split('/');
  const size = 2 ** (32 - Number(bits));
  return Math.floor(asNumber(address) / size) === Math.floor(asNumber(network) / size);
}

function asNumber(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}
