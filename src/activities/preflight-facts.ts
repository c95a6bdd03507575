import { Socket } from 'node:net';
import {
  DescribeKeyPairsCommand,
  type Image,
  type RouteTable,
  paginateDescribeImages,
  paginateDescribeRouteTables,
  type EC2Client,
  paginateDescribeInstances,
  paginateDescribeInstanceTypeOfferings,
  paginateDescribeInstanceTypes,
  paginateDescribeVpcEndpoints,
} from '@aws-sdk/client-ec2';
import { type FSxClient, paginateDescribeFileSystems } from '@aws-sdk/client-fsx';
import { GetBucketNotificationConfigurationCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  paginateListServiceQuotas,
  type ServiceQuota,
  type ServiceQuotasClient,
} from '@aws-sdk/client-service-quotas';
import type { InstanceTypeFacts, RunningInstances } from '../domain/preflight-instances.ts';
import type {
  BucketNotification,
  DatabaseReach,
  ImageFacts,
  LustreQuotaFacts,
} from '../domain/preflight-surroundings.ts';
import { tagValue } from '../domain/resource-tags.ts';

/** EC2 takes so many values of a filter, and so many instance types, in one call. */
const VALUES_IN_ONE_CALL = 100;

function chunks<T>(values: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(values.length / VALUES_IN_ONE_CALL) }, (_, index) =>
    values.slice(index * VALUES_IN_ONE_CALL, (index + 1) * VALUES_IN_ONE_CALL),
  );
}

/** Those of the instance types that EC2 has in a zone. */
export async function readOfferings(
  client: EC2Client,
  zone: string,
  instanceTypes: readonly string[],
): Promise<ReadonlySet<string>> {
  const offered = new Set<string>();
  for (const Values of chunks(instanceTypes)) {
    const Filters = [
      { Name: 'location', Values: [zone] },
      { Name: 'instance-type', Values },
    ];
    const request = { LocationType: 'availability-zone', Filters } as const;
    for await (const page of paginateDescribeInstanceTypeOfferings({ client }, request))
      for (const { InstanceType } of page.InstanceTypeOfferings ?? [])
        if (InstanceType) offered.add(InstanceType);
  }
  return offered;
}

/** By filter and not by name: EC2 refuses a request that names one type which the region does not have. */
export async function readInstanceTypes(
  client: EC2Client,
  instanceTypes: readonly string[],
): Promise<ReadonlyMap<string, InstanceTypeFacts>> {
  const types = new Map<string, InstanceTypeFacts>();
  for (const Values of chunks(instanceTypes)) {
    const Filters = [{ Name: 'instance-type', Values }];
    for await (const page of paginateDescribeInstanceTypes({ client }, { Filters }))
      for (const { InstanceType, VCpuInfo, NetworkInfo } of page.InstanceTypes ?? [])
        if (InstanceType && VCpuInfo?.DefaultVCpus !== undefined)
          types.set(InstanceType, {
            vcpus: VCpuInfo.DefaultVCpus,
            networkCards: NetworkInfo?.MaximumNetworkCards ?? 1,
          });
  }
  return types;
}

/** What runs or starts in the account and region, by type and capacity type. */
export async function readRunning(client: EC2Client): Promise<RunningInstances[]> {
  const counts = new Map<string, RunningInstances>();
  const Filters = [{ Name: 'instance-state-name', Values: ['pending', 'running'] }];
  for await (const page of paginateDescribeInstances({ client, pageSize: 1000 }, { Filters })) {
    for (const { Instances = [] } of page.Reservations ?? []) {
      for (const { InstanceType, InstanceLifecycle } of Instances) {
        if (!InstanceType) continue;
        const capacityType = InstanceLifecycle === 'spot' ? 'SPOT' : 'ONDEMAND';
        const key = `${InstanceType} ${capacityType}`;
        counts.set(key, {
          instanceType: InstanceType,
          capacityType,
          count: (counts.get(key)?.count ?? 0) + 1,
        });
      }
    }
  }
  return [...counts.values()];
}

async function readQuotas(client: ServiceQuotasClient, ServiceCode: string): Promise<ServiceQuota[]> {
  const quotas: ServiceQuota[] = [];
  for await (const page of paginateListServiceQuotas({ client, pageSize: 100 }, { ServiceCode }))
    quotas.push(...(page.Quotas ?? []));
  return quotas;
}

/** EC2's quotas by code. */
export async function readEc2Quotas(client: ServiceQuotasClient): Promise<ReadonlyMap<string, number>> {
  const quotas = await readQuotas(client, 'ec2');
  return new Map(
    quotas.flatMap(({ QuotaCode, Value }) =>
      QuotaCode === undefined || Value === undefined ? [] : [[QuotaCode, Value]],
    ),
  );
}

/** FSx's quotas are known by their names (FSx for Lustre User Guide, "Service quotas"). */
export async function readLustreQuota(
  quotaClient: ServiceQuotasClient,
  fsx: FSxClient,
): Promise<LustreQuotaFacts> {
  const quotas = await readQuotas(quotaClient, 'fsx');
  const limitOf = (what: RegExp) =>
    quotas.find(({ QuotaName = '' }) => /lustre persistent[_ ]2\b/i.test(QuotaName) && what.test(QuotaName))
      ?.Value;
  let fileSystems = 0;
  let storageGibibytes = 0;
  for await (const page of paginateDescribeFileSystems({ client: fsx }, {})) {
    for (const { LustreConfiguration, StorageCapacity = 0 } of page.FileSystems ?? []) {
      if (LustreConfiguration?.DeploymentType !== 'PERSISTENT_2') continue;
      fileSystems += 1;
      storageGibibytes += StorageCapacity;
    }
  }
  return {
    maxFileSystems: limitOf(/file systems/i),
    maxStorageGibibytes: limitOf(/storage capacity/i),
    fileSystems,
    storageGibibytes,
  };
}

/** Last words of the services whose endpoints in the network are available: `s3`, `ec2`. */
export async function readEndpoints(client: EC2Client, vpcId: string): Promise<ReadonlySet<string>> {
  const available = new Set<string>();
  const Filters = [{ Name: 'vpc-id', Values: [vpcId] }];
  for await (const page of paginateDescribeVpcEndpoints({ client }, { Filters }))
    for (const { ServiceName = '', State = '' } of page.VpcEndpoints ?? [])
      if (State.toLowerCase() === 'available') available.add(ServiceName.split('.').at(-1) ?? '');
  return available;
}

/** Whether the subnet's route table, or the network's main one, has a default route that is in force. */
export async function hasDefaultRoute(client: EC2Client, vpcId: string, subnetId: string): Promise<boolean> {
  const tablesOf = async (Filters: { Name: string; Values: string[] }[]) => {
    const tables: RouteTable[] = [];
    for await (const page of paginateDescribeRouteTables({ client }, { Filters }))
      tables.push(...(page.RouteTables ?? []));
    return tables;
  };
  const own = await tablesOf([{ Name: 'association.subnet-id', Values: [subnetId] }]);
  const inForce =
    own.length > 0
      ? own
      : await tablesOf([
          { Name: 'vpc-id', Values: [vpcId] },
          { Name: 'association.main', Values: ['true'] },
        ]);
  return inForce.some(({ Routes = [] }) =>
    Routes.some(
      ({ DestinationCidrBlock, State }) => DestinationCidrBlock === '0.0.0.0/0' && State !== 'blackhole',
    ),
  );
}

/** Undefined if the account does not see it. */
export async function readImage(client: EC2Client, imageId: string): Promise<ImageFacts | undefined> {
  // By filter: EC2 refuses a request that names an image which does not exist.
  const Filters = [{ Name: 'image-id', Values: [imageId] }];
  const images: Image[] = [];
  for await (const page of paginateDescribeImages({ client }, { Filters }))
    images.push(...(page.Images ?? []));
  const [image] = images;
  if (!image) return undefined;
  const version = tagValue(image.Tags, 'parallelcluster:version');
  const os = tagValue(image.Tags, 'parallelcluster:os');
  return {
    imageId,
    state: image.State ?? 'unknown',
    architecture: image.Architecture ?? 'unknown',
    ...(version !== undefined && { version }),
    ...(os !== undefined && { os }),
  };
}

/** Names of key pairs that exist, of those given. */
export async function readKeyPairNames(client: EC2Client, names: readonly string[]): Promise<string[]> {
  const Filters = [{ Name: 'key-name', Values: [...names] }];
  const { KeyPairs = [] } = await client.send(new DescribeKeyPairsCommand({ Filters }));
  return KeyPairs.flatMap(({ KeyName }) => (KeyName === undefined ? [] : [KeyName]));
}

/** All that a bucket notifies somebody of. */
export async function readNotifications(client: S3Client, bucket: string): Promise<BucketNotification[]> {
  const answer = await client.send(new GetBucketNotificationConfigurationCommand({ Bucket: bucket }));
  const all = [
    ...(answer.QueueConfigurations ?? []),
    ...(answer.TopicConfigurations ?? []),
    ...(answer.LambdaFunctionConfigurations ?? []),
  ];
  return all.map(({ Id = '(without id)', Events = [], Filter }) => ({
    bucket,
    id: Id,
    events: Events,
    prefix: Filter?.Key?.FilterRules?.find(({ Name }) => Name?.toLowerCase() === 'prefix')?.Value ?? '',
  }));
}

/** Nobody is waited for longer. */
const DATABASE_ANSWERS_WITHIN_MS = 5000;

/** Tries to open a connection to `host:port`, and closes it at once. */
export async function reachDatabase(uri: string): Promise<DatabaseReach> {
  const [, host = uri, port = '3306'] = /^(.*?)(?::(\d+))?$/.exec(uri) ?? [];
  const { promise, resolve } = Promise.withResolvers<DatabaseReach>();
  const socket = new Socket();
  socket.setTimeout(DATABASE_ANSWERS_WITHIN_MS, () =>
    resolve({ kind: 'silent', reason: `no answer within ${DATABASE_ANSWERS_WITHIN_MS / 1000} s` }),
  );
  socket.once('connect', () => resolve({ kind: 'open' }));
  socket.once('error', (error) => {
    const code = 'code' in error ? error.code : undefined;
    const isRefusal = code === 'ECONNREFUSED' || code === 'ENOTFOUND';
    resolve({ kind: isRefusal ? 'refused' : 'silent', reason: error.message });
  });
  socket.connect(Number(port), host);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
