import {
  DescribeEgressOnlyInternetGatewaysCommand,
  DescribeInternetGatewaysCommand,
  DescribeNatGatewaysCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeTransitGatewayAttachmentsCommand,
  DescribeVpcEndpointsCommand,
  DescribeVpnGatewaysCommand,
} from '@aws-sdk/client-ec2';
import type { Route, SecurityGroupRule, VpcEndpoint } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentLines } from '../../infra/environment-lines.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { SLURM_API_PORT } from '../../src/domain/slurm-api.ts';
import { tagKeys } from '../../src/domain/resource-tags.ts';
import { readWorkerConfig } from '../../src/runtime/config.ts';
import { callsToAws } from '../support/aws-calls.ts';
import { startFoundation } from '../support/deployed-foundation.ts';
import type { DeployedFoundation } from '../support/deployed-foundation.ts';
import { takeInventory } from '../support/foundation-inventory.ts';
import type { InventoryLine } from '../support/foundation-inventory.ts';
import { requiredEndpoints } from '../../src/domain/required-endpoints.ts';
import { endpointOfClient, optionalServices } from '../support/required-endpoints.ts';

/** Types that moto's CloudFormation does not make. What matters of each is checked on the template: below, and in test/unit/foundation-*.test.ts. */
const UNKNOWN_TO_EMULATOR = [
  'AWS::Budgets::Budget',
  'AWS::EC2::NetworkAcl',
  'AWS::EC2::NetworkAclEntry',
  'AWS::EC2::SubnetNetworkAclAssociation',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::TopicPolicy',
];

let foundation: DeployedFoundation;
let inventory: InventoryLine[];
let routes: Route[];
let rules: SecurityGroupRule[];
let endpoints: VpcEndpoint[];

beforeAll(async () => {
  foundation = await startFoundation();
  inventory = await takeInventory(foundation);
  const Filters = [{ Name: 'vpc-id', Values: [output('VpcId')] }];
  const { ec2 } = foundation;
  const { RouteTables = [] } = await ec2.send(new DescribeRouteTablesCommand({ Filters }));
  routes = RouteTables.flatMap(({ Routes = [] }) => Routes);
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
  const groups = SecurityGroups.map(({ GroupId = '' }) => GroupId);
  const { SecurityGroupRules = [] } = await ec2.send(
    new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: 'group-id', Values: groups }] }),
  );
  rules = SecurityGroupRules;
  const { VpcEndpoints = [] } = await ec2.send(new DescribeVpcEndpointsCommand({ Filters }));
  endpoints = VpcEndpoints;
});

afterAll(async () => {
  await foundation?.close();
});

function output(name: string): string {
  const { [name]: value } = foundation.outputs;
  if (value === undefined) throw new Error(`no stack has the output ${name}`);
  return value;
}

function ofType(type: string): InventoryLine[] {
  const found = inventory.filter((line) => line.type === type);
  expect(found.length, type).toBeGreaterThan(0);
  return found;
}

describe('the foundation in the emulator', () => {
  it('has every resource of the templates that the emulator knows', () => {
    const missing = inventory.filter(({ known, found }) => known && found === null);

    expect(missing.map(({ stack, id, type }) => `${stack}: ${id} (${type})`)).toEqual([]);
    expect(inventory.length).toBeGreaterThan(100);
  });

  it('lacks just the types that are named here, because the emulator cannot make them', () => {
    const unknown = new Set(inventory.filter(({ known }) => !known).map(({ type }) => type));

    expect([...unknown].toSorted()).toEqual(UNKNOWN_TO_EMULATOR);
  });

  it('gives the worker all that it must be told of AWS', () => {
    const lines = environmentLines(EMULATED_REGION, foundation.outputs);
    const env = Object.fromEntries(
      lines.flatMap((line) => {
        const [, name, value] = /^(\w+)=(.+)$/.exec(line) ?? [];
        return name === undefined ? [] : [[name, value]];
      }),
    );
    const { settings, vpcId, keyReaders, controlBucket, lustre } = readWorkerConfig(env);

    expect(vpcId).toBe(output('VpcId'));
    expect(controlBucket.kmsKeyId).toBe(output('ControlKeyArn'));
    expect(lustre).toEqual({
      buckets: {
        scratch: output('ScratchBucket'),
        projectPublic: output('PublicAssetsBucket'),
        projectPrivate: output('PrivateAssetsBucket'),
      },
      securityGroupIds: [output('LustreSecurityGroupId')],
      kmsKeyId: output('DataKeyArn'),
    });
    // Nobody has the address of the network itself: security groups say who may log in.
    expect(settings.sshAllowedCidr).toBe('10.83.0.0/32');
    expect(settings.permissionsBoundaryArn).toMatch(/:policy\/[\w-]+$/);
    expect(settings.slurmDatabase?.passwordSecretArn).toMatch(/:secret:slurm-database\/\{database\}$/);
    expect(keyReaders?.workflowServiceRoleArn).toBe(foundation.parameters['WorkflowServiceRoleArn']);
    expect(lines.join('\n')).not.toContain('undefined');
  });

  it('has a pool of subnets over three zones, none of which gives public addresses', async () => {
    const Filters = [{ Name: `tag:${tagKeys.pool}`, Values: ['default'] }];
    const { Subnets = [] } = await foundation.ec2.send(new DescribeSubnetsCommand({ Filters }));

    expect(Subnets).toHaveLength(12);
    expect(new Set(Subnets.map(({ AvailabilityZone }) => AvailabilityZone)).size).toBe(3);
    expect(new Set(Subnets.map(({ VpcId }) => VpcId))).toEqual(new Set([output('VpcId')]));
    expect(Subnets.some(({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch)).toBe(false);
  });

  it('tags what it makes for the bills', () => {
    const [vpc] = ofType('AWS::EC2::VPC');

    expect(vpc?.found).toEqual([
      expect.objectContaining({
        Tags: expect.arrayContaining([{ Key: 'SBO_Billing', Value: 'hpc:parallelcluster' }]),
      }),
    ]);
  });
});

describe('the private network', () => {
  it('has no gateway to anywhere', async () => {
    const { ec2 } = foundation;
    const inVpc = (Name: string) => ({ Filters: [{ Name, Values: [output('VpcId')] }] });
    const found = await Promise.all([
      ec2.send(new DescribeInternetGatewaysCommand(inVpc('attachment.vpc-id'))),
      ec2.send(new DescribeNatGatewaysCommand({ Filter: inVpc('vpc-id').Filters })),
      ec2.send(new DescribeVpnGatewaysCommand(inVpc('attachment.vpc-id'))),
      ec2.send(new DescribeEgressOnlyInternetGatewaysCommand()),
      ec2.send(new DescribeTransitGatewayAttachmentsCommand()),
    ]);
    const [internet, nat, vpn, egressOnly, transit] = found;

    expect([
      internet.InternetGateways,
      nat.NatGateways,
      vpn.VpnGateways,
      egressOnly.EgressOnlyInternetGateways,
      transit.TransitGatewayAttachments,
    ]).toEqual([[], [], [], [], []]);
  });

  it('has routes only to itself, to the main VPC, and to gateway endpoints', () => {
    const unexpected = routes.filter(
      ({ GatewayId, VpcPeeringConnectionId, DestinationCidrBlock, ...more }) =>
        !(
          GatewayId === 'local' ||
          GatewayId?.startsWith('vpce-') ||
          (VpcPeeringConnectionId && DestinationCidrBlock === foundation.parameters['MainVpcCidr'])
        ) ||
        more.NatGatewayId !== undefined ||
        more.TransitGatewayId !== undefined ||
        more.EgressOnlyInternetGatewayId !== undefined,
    );

    expect(unexpected).toEqual([]);
    expect(routes.filter(({ VpcPeeringConnectionId }) => VpcPeeringConnectionId)).toHaveLength(1);
  });

  it('is routed to from every route table of the main VPC that was named', async () => {
    const RouteTableIds = foundation.parameters['MainRouteTableIds']?.split(',') ?? [];
    const { RouteTables = [] } = await foundation.ec2.send(new DescribeRouteTablesCommand({ RouteTableIds }));
    const back = RouteTables.map(({ Routes = [] }) =>
      Routes.filter(({ VpcPeeringConnectionId }) => VpcPeeringConnectionId).map(
        ({ DestinationCidrBlock }) => DestinationCidrBlock,
      ),
    );

    expect(back).toEqual([['10.83.0.0/16'], ['10.83.0.0/16']]);
  });

  it('has no rule of a security group that is open to everybody, in or out', () => {
    const open = rules.filter(({ CidrIpv4, CidrIpv6 }) => CidrIpv4 === '0.0.0.0/0' || CidrIpv6 === '::/0');

    expect(open).toEqual([]);
    expect(rules.length).toBeGreaterThan(20);
  });

  it('lets nothing in but what is named here', () => {
    const nameOf = new Map(
      [...Object.entries(foundation.outputs), ...Object.entries(foundation.parameters)].map(([name, id]) => [
        id,
        name.replace('SecurityGroupId', ''),
      ]),
    );
    const named = (id: string | undefined): string => nameOf.get(id ?? '') ?? id ?? 'nobody';
    const ingress = rules
      .filter(({ IsEgress }) => !IsEgress)
      .map(
        ({ GroupId, ReferencedGroupInfo, CidrIpv4, IpProtocol, FromPort, ToPort }) =>
          `${CidrIpv4 ?? named(ReferencedGroupInfo?.GroupId)} → ${named(GroupId)} ${IpProtocol} ${FromPort}-${ToPort}`,
      );

    expect(ingress.toSorted()).toEqual(
      [
        'Worker → HeadNode tcp 22-22',
        `Worker → HeadNode tcp ${SLURM_API_PORT}-${SLURM_API_PORT}`,
        'WorkflowService → HeadNode tcp 22-22',
        `WorkflowService → HeadNode tcp ${SLURM_API_PORT}-${SLURM_API_PORT}`,
        'Node → Endpoint tcp 443-443',
        'Worker → Endpoint tcp 443-443',
        'Node → Efs tcp 2049-2049',
        'HeadNode → Database tcp 3306-3306',
        'DatabaseAdministrator → Database tcp 3306-3306',
        'Node → Lustre tcp 988-988',
        'Node → Lustre tcp 1018-1023',
        'Lustre → Lustre tcp 988-988',
        'Lustre → Lustre tcp 1018-1023',
        'Lustre → Node tcp 988-988',
        'Lustre → Node tcp 1018-1023',
      ].toSorted(),
    );
  });

  it('has an endpoint for every service that the code, ParallelCluster or a node calls', () => {
    const has = endpoints.map(({ ServiceName = '' }) => ServiceName.split('.').at(-1) ?? '');
    const called = [...new Set(callsToAws().map(({ client }) => client))];

    expect(has.toSorted()).toEqual(Object.keys(requiredEndpoints).toSorted());
    expect(called.length).toBeGreaterThan(4);
    for (const client of called.filter((each) => !(each in optionalServices)))
      expect(has, client).toContain(endpointOfClient[client]);
    expect(called).toEqual(expect.arrayContaining(Object.keys(optionalServices)));
  });

  it('has endpoints that answer under the services’ own names', () => {
    const interfaces = endpoints.filter(({ VpcEndpointType }) => VpcEndpointType === 'Interface');

    expect(interfaces).toHaveLength(Object.keys(requiredEndpoints).length - 2);
    for (const { PrivateDnsEnabled, SubnetIds, Groups } of interfaces) {
      expect(PrivateDnsEnabled).toBe(true);
      expect(SubnetIds?.toSorted()).toEqual(output('ServiceSubnetIds').split(',').toSorted());
      expect(Groups?.map(({ GroupId }) => GroupId)).toEqual([output('EndpointSecurityGroupId')]);
    }
  });
});

describe('the storage', () => {
  it('is encrypted in every bucket', () => {
    const buckets = ofType('AWS::S3::Bucket');
    const encryption = {
      ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: expect.any(String) },
    };

    expect(buckets.map(({ id }) => id).toSorted()).toEqual([
      'ControlBucket',
      'PrivateAssetsBucket',
      'PublicAssetsBucket',
      'ScratchBucket',
    ]);
    for (const { found } of buckets) expect(found).toEqual({ Rules: [expect.objectContaining(encryption)] });
  });

  it('has an encrypted EFS with a mount target in each zone', () => {
    const [fileSystem] = ofType('AWS::EFS::FileSystem');

    expect(fileSystem?.found).toEqual([expect.objectContaining({ Encrypted: true })]);
    expect(ofType('AWS::EFS::MountTarget')).toHaveLength(3);
  });

  it('has a database that is encrypted, private and protected, whose password RDS keeps', () => {
    const [database] = ofType('AWS::RDS::DBInstance');

    expect(database?.found).toEqual([
      expect.objectContaining({
        Engine: 'mariadb',
        StorageEncrypted: true,
        PubliclyAccessible: false,
        DeletionProtection: true,
        MasterUserSecret: expect.objectContaining({ SecretArn: output('DatabaseAdministratorSecretArn') }),
        VpcSecurityGroups: [
          expect.objectContaining({ VpcSecurityGroupId: output('DatabaseSecurityGroupId') }),
        ],
      }),
    ]);
  });
});

describe('the policies', () => {
  it('are within the 6,144 characters that IAM takes', () => {
    const sizes = ofType('AWS::IAM::ManagedPolicy').map(
      ({ id, found }) => [id, JSON.stringify(found).length] as const,
    );

    expect(sizes.filter(([, size]) => size > 6144)).toEqual([]);
    expect(Math.max(...sizes.map(([, size]) => size))).toBeGreaterThan(3000);
  });
});

describe('what the emulator cannot make', () => {
  it('tells the topic at 50, 80 and 100 % of the budget, as budgets of this account may', () => {
    const [budget] = ofType('AWS::Budgets::Budget');
    const [policy] = ofType('AWS::SNS::TopicPolicy');
    const notifications: unknown[] = Object(budget?.properties['NotificationsWithSubscribers']);
    const subscriber = { SubscriptionType: 'SNS', Address: { Ref: 'BudgetAlarms' } };

    expect([...notifications]).toEqual(
      [50, 80, 100, 100].map((Threshold) => ({
        Notification: expect.objectContaining({ Threshold, ComparisonOperator: 'GREATER_THAN' }),
        Subscribers: [subscriber],
      })),
    );
    expect(policy?.properties['PolicyDocument']).toHaveProperty('Statement.0', {
      Effect: 'Allow',
      Principal: { Service: 'budgets.amazonaws.com' },
      Action: 'sns:Publish',
      Resource: { Ref: 'BudgetAlarms' },
      Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
    });
  });
});

describe('deploying again', () => {
  it('changes nothing when nothing has changed', async () => {
    const told = await foundation.deployAgain();

    expect(told.filter((line) => line.startsWith(' '))).toEqual([]);
  });

  it('shows in a plan what a larger pool adds, and makes it only afterwards', async () => {
    const parameters = { ClusterSubnetNumbers: '0,1,2,3,4' };
    const poolSize = async (): Promise<number> => {
      const Filters = [{ Name: `tag:${tagKeys.pool}`, Values: ['default'] }];
      const { Subnets = [] } = await foundation.ec2.send(new DescribeSubnetsCommand({ Filters }));
      return Subnets.length;
    };

    const planned = await foundation.deployAgain({ parameters, planOnly: true });
    expect(planned).toContain('  Add ClusterSubnet0n4 (AWS::EC2::Subnet)');
    await expect(poolSize()).resolves.toBe(12);

    await foundation.deployAgain({ parameters });
    await expect(poolSize()).resolves.toBe(15);
  });

  it('refuses wrong parameters before it changes anything', async () => {
    const parameters = { SubnetPol: 'typo' };

    await expect(foundation.deployAgain({ parameters })).rejects.toThrow('SubnetPol is no parameter');
  });
});
