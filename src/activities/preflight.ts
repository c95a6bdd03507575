import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { FSxClient } from '@aws-sdk/client-fsx';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { createStacks } from '../clients/stacks.ts';
import { keyPairName, outerStackName } from '../domain/cluster-name.ts';
import { KnownFailure } from '../domain/failures.ts';
import { dataRepositories, type StorageBuckets } from '../domain/lustre.ts';
import { architectureOf } from '../domain/architecture.ts';
import { headNodeInstanceType } from '../domain/head-node.ts';
import type { DeploymentSettings } from '../domain/cluster-configuration-input.ts';
import { PARALLELCLUSTER_RELEASE, renderImage } from '../domain/pcluster-config.ts';
import type { PreflightCheck, PreflightCheckName, PreflightRequest } from '../domain/preflight.ts';
import {
  instanceTypesOf,
  judgeAddresses,
  judgeOfferings,
  judgeVcpus,
} from '../domain/preflight-instances.ts';
import {
  judgeDatabase,
  judgeEndpoints,
  judgeImage,
  judgeLustreQuota,
  judgeNames,
  judgeNotifications,
} from '../domain/preflight-surroundings.ts';
import { endpointsNeeded } from '../domain/required-endpoints.ts';
import type { PoolSubnet } from '../domain/subnets.ts';
import { databaseAccountOf } from './database-account.ts';
import type { Activities } from './port.ts';
import { placeOf } from './preflight-place.ts';
import {
  hasDefaultRoute,
  reachDatabase,
  readEc2Quotas,
  readEndpoints,
  readImage,
  readInstanceTypes,
  readKeyPairNames,
  readLustreQuota,
  readNotifications,
  readOfferings,
  readRunning,
} from './preflight-facts.ts';

export interface PreflightDeps {
  readonly ec2: EC2Client;
  readonly cloudFormation: CloudFormationClient;
  readonly serviceQuotas: ServiceQuotasClient;
  readonly fsx: FSxClient;
  readonly s3: S3Client;
  readonly secretsManager: SecretsManagerClient;
  readonly vpcId: string;
  readonly settings: Pick<DeploymentSettings, 'customAmi' | 'slurmDatabase'>;
  readonly efsFileSystemId: string | undefined;
  readonly lustre: { readonly buckets: StorageBuckets } | undefined;
  readonly describePoolSubnets: Activities['describePoolSubnets'];
  /** What has not been found out by then is unknown. {@link CHECK_SECONDS} if absent. */
  readonly preflightCheckSeconds?: number;
}

/** All checks run at once, so the whole takes no longer. */
const CHECK_SECONDS = 25;

/** Looks at everything that could keep a cluster from coming up; changes nothing, and never fails itself. */
export function createPreflightActivities(deps: PreflightDeps): Pick<Activities, 'preflight'> {
  return {
    async preflight(request) {
      const subnets = once(async () => deps.describePoolSubnets(deps.vpcId));
      const types = once(async () => readInstanceTypes(deps.ec2, instanceTypesOf(request.spec)));
      const place = once(async () => placeOf(request, await subnets(), { ec2: deps.ec2, types }));
      const within = (deps.preflightCheckSeconds ?? CHECK_SECONDS) * 1000;
      const checks = await Promise.all(
        checksOf(deps, request, { place, types }).map(async ([name, check]) => known(name, check, within)),
      );
      const found = await place().catch(() => undefined);
      return {
        ...(found && {
          place: { subnetId: found.subnetId, availabilityZone: found.availabilityZone },
        }),
        checks,
      };
    },
  };
}

type Check = readonly [PreflightCheckName, () => Promise<PreflightCheck>];

interface Shared {
  readonly place: () => Promise<PoolSubnet>;
  readonly types: () => ReturnType<typeof readInstanceTypes>;
}

/** The checks that concern the cluster. */
function checksOf(
  deps: PreflightDeps,
  { spec, ...tenant }: PreflightRequest,
  { place, types }: Shared,
): Check[] {
  const { ec2, serviceQuotas } = deps;
  const { slurmDatabase } = deps.settings;
  const { Os, CustomAmi } = renderImage(spec, deps.settings);
  const { lustre } = spec;
  const buckets = deps.lustre?.buckets;
  const checks: Check[] = [
    ['names', async () => judgeNames(await takenNames(deps, tenant))],
    [
      'instance-types',
      async () => {
        const { availabilityZone } = await place();
        const offered = await readOfferings(ec2, availabilityZone, instanceTypesOf(spec));
        return judgeOfferings(spec, availabilityZone, offered);
      },
    ],
    [
      'vcpu-quota',
      async () => {
        const [limits, running] = await Promise.all([readEc2Quotas(serviceQuotas), readRunning(ec2)]);
        const all = [...instanceTypesOf(spec), ...running.map(({ instanceType }) => instanceType)];
        return judgeVcpus(spec, {
          limits,
          running,
          types: await readInstanceTypes(ec2, [...new Set(all)]),
        });
      },
    ],
    ['addresses', async () => judgeAddresses(spec, await place(), await types())],
    [
      'endpoints',
      async () => {
        const needed = endpointsNeeded({
          hasLustre: lustre !== undefined,
          hasEfsHome: deps.efsFileSystemId !== undefined,
          hasDatabase: slurmDatabase !== undefined,
        });
        const { subnetId } = await place();
        const [available, hasRouteOut] = await Promise.all([
          readEndpoints(ec2, deps.vpcId),
          hasDefaultRoute(ec2, deps.vpcId, subnetId),
        ]);
        return judgeEndpoints(needed, available, hasRouteOut);
      },
    ],
  ];
  if (CustomAmi !== undefined) {
    const wanted = {
      imageId: CustomAmi,
      os: Os,
      version: PARALLELCLUSTER_RELEASE,
      architecture: architectureOf(headNodeInstanceType(spec)),
    };
    checks.push(['image', async () => judgeImage(await readImage(ec2, CustomAmi), wanted)]);
  }
  if (lustre && buckets) {
    checks.push(
      ['lustre-quota', async () => judgeLustreQuota(lustre, await readLustreQuota(serviceQuotas, deps.fsx))],
      [
        'bucket-notifications',
        async () => {
          const names = [...new Set(Object.values(buckets))];
          const notifications = await Promise.all(
            names.map(async (bucket) => readNotifications(deps.s3, bucket)),
          );
          return judgeNotifications(dataRepositories(tenant, buckets), notifications.flat());
        },
      ],
    );
  }
  if (slurmDatabase) {
    checks.push([
      'database',
      async () => {
        const [reach, missing] = await Promise.all([
          reachDatabase(slurmDatabase.uri),
          missingAccountOf(deps, slurmDatabase, tenant.clusterName),
        ]);
        return judgeDatabase(slurmDatabase.uri, reach, missing);
      },
    ]);
  }
  return checks;
}

/**
 * What has a name of the deployment and is not of it. Without an epoch every stack that carries one is the tenant's own,
 * since the names are derived from the tenant.
 */
async function takenNames(
  { cloudFormation, ec2 }: PreflightDeps,
  { clusterName, epoch, ...tenant }: Omit<PreflightRequest, 'spec'>,
): Promise<string[]> {
  const stacks = createStacks(cloudFormation);
  const found = await Promise.all([stacks.find(outerStackName(clusterName)), stacks.find(clusterName)]);
  const foreign = found.flatMap((stack) => {
    if (!stack) return [];
    const isOurs = epoch === undefined ? stack.epoch !== undefined : stack.epoch === epoch;
    return isOurs ? [] : [`stack ${stack.name} (${stack.status})`];
  });
  if (epoch === undefined) return foreign;
  const deployment = { ...tenant, clusterName, epoch };
  const keyNames = [keyPairName(deployment, 'admin'), keyPairName(deployment, 'job-user')];
  const keyPairs = await readKeyPairNames(ec2, keyNames);
  return [...foreign, ...keyPairs.map((name) => `key pair ${name}`)];
}

async function missingAccountOf(
  { secretsManager }: PreflightDeps,
  slurmDatabase: NonNullable<DeploymentSettings['slurmDatabase']>,
  clusterName: string,
): Promise<string | undefined> {
  try {
    await databaseAccountOf(secretsManager, slurmDatabase, clusterName);
    return undefined;
  } catch (error) {
    if (error instanceof KnownFailure && error.type === 'SlurmDatabaseAccountMissing') return error.message;
    throw error;
  }
}

/** The result of a check; `unknown` with the reason if it fails itself, or takes too long. */
async function known(
  name: PreflightCheckName,
  check: () => Promise<PreflightCheck>,
  withinMs: number,
): Promise<PreflightCheck> {
  const { promise: late, resolve } = Promise.withResolvers<PreflightCheck>();
  const unknown = (cause: string): PreflightCheck => ({
    name,
    outcome: 'unknown',
    cause,
    nextStep: 'Operators: look whether the worker may ask AWS this (docs/technical-description.md)',
  });
  const timer = setTimeout(() => resolve(unknown(`No answer of AWS within ${withinMs / 1000} s.`)), withinMs);
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    if (error instanceof KnownFailure && error.type === 'SubnetPoolEmpty')
      return { ...unknown(error.message), outcome: 'failed', nextStep: 'Tag subnets for SUBNET_POOL' };
    return unknown(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** Several checks want the same fact: it is asked for once. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return async () => (answer ??= read());
}
