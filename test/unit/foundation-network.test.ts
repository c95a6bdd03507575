import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SLURM_API_PORT } from '../../src/domain/slurm-api.ts';
import { type Foundation, makeFoundation, ofType, policyOf } from '../support/foundation.ts';
import { anything, type IamRequest, isAllowed } from '../support/iam-simulation.ts';
import { type Packet, passesNetworkAcl } from '../support/network-acl.ts';

let foundation: Foundation;
beforeAll(async () => {
  foundation = await makeFoundation({ DatabaseAdministratorSecurityGroupId: 'sg-0dba' });
});

describe('the private network', () => {
  it('lets interface endpoints answer under the services’ own names', () => {
    const vpcs = ofType(foundation, 'AWS::EC2::VPC').map(([, { Properties }]) => Properties);

    expect(vpcs).toEqual([expect.objectContaining({ EnableDnsSupport: true, EnableDnsHostnames: true })]);
    for (const [id, { Properties }] of interfaceEndpoints())
      expect(Properties['PrivateDnsEnabled'], id).toBe(true);
  });

  it('gives every subnet the route table that gateway endpoints and peering use', () => {
    const tables = new Map(
      ofType(foundation, 'AWS::EC2::SubnetRouteTableAssociation').map(([, { Properties }]) => [
        Properties['SubnetId'],
        Properties['RouteTableId'],
      ]),
    );
    const { RouteTableId } = foundation.network.outputs;
    const gateways = ofType(foundation, 'AWS::EC2::VPCEndpoint').filter(
      ([, { Properties }]) => Properties['VpcEndpointType'] === 'Gateway',
    );

    for (const [id] of ofType(foundation, 'AWS::EC2::Subnet'))
      expect(tables.get(`hpc-foundation-network-${id}`.toLowerCase()), id).toBe(RouteTableId);
    expect(gateways).toHaveLength(2);
    for (const [id, { Properties }] of gateways)
      expect(Properties['RouteTableIds'], id).toEqual([RouteTableId]);
  });

  it('keeps every subnet of clusters behind the network ACL', () => {
    const kept = ofType(foundation, 'AWS::EC2::SubnetNetworkAclAssociation').map(
      ([, { Properties }]) => Properties['SubnetId'],
    );
    const subnets = ofType(foundation, 'AWS::EC2::Subnet').filter(([id]) => id.startsWith('Cluster'));

    expect(subnets).toHaveLength(12);
    expect(kept).toEqual(subnets.map(([id]) => `hpc-foundation-network-${id}`.toLowerCase()));
  });
});

describe('the network ACL of clusters', () => {
  const node = '10.83.130.4';
  const endpoint = '10.83.0.10';
  const service = '10.0.3.7';
  const publicAddress = '52.216.1.1';
  const answer = 40_000;
  const tcp = (direction: Packet['direction'], address: string, port: number): Packet => ({
    direction,
    address,
    protocol: 'tcp',
    port,
  });
  const inWords = ({ direction, address, protocol, port }: Packet): string =>
    `${protocol} ${port} ${direction === 'in' ? 'from' : 'to'} ${address}`;
  const named = (packets: readonly Packet[]) => packets.map((packet) => [inWords(packet), packet] as const);

  it.each(
    named([
      tcp('out', endpoint, 443),
      tcp('in', endpoint, answer),
      tcp('out', endpoint, 3306),
      { direction: 'out', address: endpoint, protocol: 'udp', port: 53 },
      tcp('in', service, 22),
      tcp('in', service, SLURM_API_PORT),
      tcp('out', service, answer),
      // S3 and DynamoDB, by their gateway endpoints.
      tcp('out', publicAddress, 443),
      tcp('in', publicAddress, answer),
    ]),
  )('lets %s pass', (_, packet) => {
    expect(passesNetworkAcl(foundation, packet)).toBe(true);
  });

  it.each(
    named([
      // Another cluster's node.
      ...[22, 443, 2049, 988, 6817, answer].flatMap((port) => [
        tcp('in', node, port),
        tcp('out', node, port),
      ]),
      { direction: 'in', address: node, protocol: 'udp', port: answer },
      // What a job could open in the main VPC.
      ...[22, 80, 443, 3306, 5432, 7233, 8080].map((port) => tcp('out', service, port)),
      { direction: 'out', address: service, protocol: 'udp', port: 53 },
      ...[80, 443, 6817, 6819, answer].map((port) => tcp('in', service, port)),
      // The Internet.
      ...[22, 80, 8443].map((port) => tcp('out', publicAddress, port)),
      ...[22, 443, SLURM_API_PORT].map((port) => tcp('in', publicAddress, port)),
      { direction: 'out', address: publicAddress, protocol: 'udp', port: 443 },
    ]),
  )('stops %s', (_, packet) => {
    expect(passesNetworkAcl(foundation, packet)).toBe(false);
  });

  it('names a range in every entry but two, which gateway endpoints need and no route leads beyond', () => {
    const open = ofType(foundation, 'AWS::EC2::NetworkAclEntry').filter(
      ([, { Properties }]) => Properties['CidrBlock'] === '0.0.0.0/0',
    );

    expect(open.map(([id]) => id)).toEqual(['GatewayEndpointsOutbound', 'GatewayEndpointsInbound']);
  });
});

describe('the security groups', () => {
  const rule = z.object({
    IpProtocol: z.string(),
    FromPort: z.number(),
    ToPort: z.number(),
    DestinationSecurityGroupId: z.string().optional(),
    CidrIp: z.string().optional(),
  });
  const shortly = (group: unknown): string =>
    String(group).replace(/^hpc-foundation-security-groups-(\w+)securitygroup$/, '$1');

  it('let out nothing but what is named here', () => {
    const inline = ofType(foundation, 'AWS::EC2::SecurityGroup').flatMap(([id, { Properties }]) =>
      z
        .array(rule)
        .default([])
        .parse(Properties['SecurityGroupEgress'])
        .map((each) => [id.replace('SecurityGroup', '').toLowerCase(), each] as const),
    );
    const separate = ofType(foundation, 'AWS::EC2::SecurityGroupEgress').map(
      ([, { Properties }]) => [shortly(Properties['GroupId']), rule.parse(Properties)] as const,
    );
    const inWords = [...inline, ...separate].map(
      ([group, { IpProtocol, FromPort, ToPort, DestinationSecurityGroupId, CidrIp }]) =>
        `${group} → ${CidrIp ?? shortly(DestinationSecurityGroupId)} ${IpProtocol} ${FromPort}-${ToPort}`,
    );

    expect(inWords.toSorted()).toEqual(
      [
        'headnode → database tcp 3306-3306',
        'node → endpoint tcp 443-443',
        'node → efs tcp 2049-2049',
        'node → lustre tcp 988-988',
        'node → lustre tcp 1018-1023',
        'lustre → node tcp 988-988',
        'lustre → node tcp 1018-1023',
        'lustre → lustre tcp 988-988',
        'lustre → lustre tcp 1018-1023',
        // Nothing: without a rule there would be one for everything.
        ...['endpoint', 'efs', 'database'].map((group) => `${group} → 255.255.255.255/32 icmp 252-86`),
      ].toSorted(),
    );
  });
});

function interfaceEndpoints() {
  return ofType(foundation, 'AWS::EC2::VPCEndpoint').filter(
    ([, { Properties }]) => Properties['VpcEndpointType'] === 'Interface',
  );
}

describe('the endpoints', () => {
  const OURS = '123456789012';
  const FOREIGN = '999999999999';
  /** The bucket's owner lets everybody in: only the endpoint stands between. */
  const openToAll = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: '*' }],
  };
  const throughS3 = async (action: string, path: string, owner: string): Promise<boolean> =>
    isAllowed(
      {
        action,
        resource: `arn:aws:s3:::${path}`,
        resourceAccount: owner,
        context: { 'aws:ResourceAccount': owner },
      },
      {
        identity: [anything],
        resource: openToAll,
        endpoint: policyOf(foundation, 'endpoints', 'S3Endpoint'),
      },
    );

  it.each([
    ['s3:PutObject', 'our-bucket/x', OURS],
    ['s3:GetObject', 'our-bucket/x', OURS],
    // ParallelCluster's artifacts, packages, and how CloudFormation learns that a node is up.
    ['s3:GetObject', 'us-east-1-aws-parallelcluster/x', FOREIGN],
    ['s3:GetObject', 'al2023-repos-us-east-1-de612dc2/x', FOREIGN],
    ['s3:PutObject', 'cloudformation-waitcondition-us-east-1/x', FOREIGN],
  ])('let %s of %s pass to account %s', async (action, path, owner) => {
    await expect(throughS3(action, path, owner)).resolves.toBe(true);
  });

  it.each([
    ['s3:PutObject', 'foreign-bucket/x', FOREIGN],
    ['s3:GetObject', 'foreign-bucket/x', FOREIGN],
    ['s3:ListBucket', 'foreign-bucket', FOREIGN],
    ['s3:PutObject', 'us-east-1-aws-parallelcluster/x', FOREIGN],
    ['s3:PutObject', 'al2023-repos-us-east-1-de612dc2/x', FOREIGN],
    ['s3:GetObject', 'cloudformation-waitcondition-us-east-1/x', FOREIGN],
    ['s3:PutObject', 'cloudformation-waitcondition-eu-west-1/x', FOREIGN],
  ])('stop %s of %s to account %s, so that no data leaves', async (action, path, owner) => {
    await expect(throughS3(action, path, owner)).resolves.toBe(false);
  });

  it.each([
    ['DynamoDbEndpoint', 'dynamodb:PutItem', 'arn:aws:dynamodb:us-east-1:ACCOUNT:table/x'],
    [
      'secretsmanagerEndpoint',
      'secretsmanager:PutSecretValue',
      'arn:aws:secretsmanager:us-east-1:ACCOUNT:secret:x-AbCdEf',
    ],
    ['logsEndpoint', 'logs:PutLogEvents', 'arn:aws:logs:us-east-1:ACCOUNT:log-group:x:log-stream:y'],
  ])('let keys of this account pass %s, and none of another', async (id, action, arn) => {
    const passesWith = async (account: string): Promise<boolean> => {
      const principal = `arn:aws:iam::${account}:role/somebody`;
      const request: IamRequest = {
        principal,
        action,
        resource: arn.replace('ACCOUNT', account),
        resourceAccount: account,
        context: { 'aws:PrincipalAccount': account },
      };
      return isAllowed(request, {
        identity: [anything],
        endpoint: policyOf(foundation, 'endpoints', id),
      });
    };

    await expect(passesWith(OURS)).resolves.toBe(true);
    await expect(passesWith(FOREIGN)).resolves.toBe(false);
  });

  it('have all the same policy but for gateways, and are reached by HTTPS from nodes', () => {
    const policies = new Set(
      interfaceEndpoints().map(([, { Properties }]) => JSON.stringify(Properties['PolicyDocument'])),
    );

    expect(policies.size).toBe(1);
    for (const [id, { Properties }] of interfaceEndpoints())
      expect(Properties['SecurityGroupIds'], id).toEqual([
        foundation['security-groups'].outputs['EndpointSecurityGroupId'],
      ]);
  });
});
