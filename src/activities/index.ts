import type { Client } from '@temporalio/client';
import type { AwsClients } from '../clients/aws.ts';
import type { CampaignStore } from '../clients/campaign-store.ts';
import type { KeycloakJwksReader } from '../clients/keycloak-jwks.ts';
import type { CurrentPrices } from '../clients/current-prices.ts';
import type { PriceStore } from '../clients/price-store.ts';
import type { DeploymentStore } from '../clients/deployment-store.ts';
import type { HeadNodeFiles, SlurmAccounting, SlurmControl, SlurmGateway } from '../clients/slurm-gateway.ts';
import type { JobListingStore } from '../clients/job-listing-store.ts';
import type { UsageStore } from '../clients/usage-store.ts';
import { JOB_USER } from '../domain/pcluster-node-setup.ts';
import { installationName } from '../domain/resource-tags.ts';
import { describeIn } from './attendance.ts';
import { createCampaignEndActivities, isRunningIn } from './campaign-end.ts';
import { createCampaignPlanActivities } from './campaign-plan.ts';
import { translateFailures } from './failure.ts';
import { type CostDeps, createCostActivities } from './costs.ts';
import { createPricedSpecActivities } from './priced-specs.ts';
import { createHomeActivities, type HomeDeps } from './home.ts';
import { createJobListingActivities } from './job-listing.ts';
import { createKeyActivities } from './keys.ts';
import type { KeyDeps } from './keys.ts';
import { createLogActivities } from './logs.ts';
import type { LogDeps } from './logs.ts';
import type { LustreDeps } from './lustre-deps.ts';
import { createLustreActivities } from './lustre.ts';
import { createManifestActivities } from './manifest.ts';
import { createNetworkActivities } from './network.ts';
import type { Activities } from './port.ts';
import { createPriceActivities } from './prices.ts';
import { createPreflightActivities } from './preflight.ts';
import { createRecordActivities } from './records.ts';
import { createReadinessActivities } from './readiness.ts';
import type { ReadinessDeps } from './readiness.ts';
import { createS3WritesActivities } from './s3-writes.ts';
import { createSigningKeyActivities } from './signing-key.ts';
import { createSlurmActivities } from './slurm.ts';
import { createStackActivities } from './stack.ts';
import type { StackDeps } from './stack.ts';
import { createStackUpdateActivities } from './stack-update.ts';
import { createSubnetLeaseActivities, leasesIn } from './subnet-lease.ts';
import { createSupportBundleActivities } from './support-bundle.ts';
import { whoLivesIn } from './subnet-interfaces.ts';
import { createSweepActivities } from './sweep.ts';
import { createTrustedKeysActivities } from './trusted-keys.ts';
import { createUsageActivities } from './usage.ts';

/** What a worker brings: its connections, and the settings of the installation. */
export interface ActivityDeps
  extends
    Pick<StackDeps, 'controlBucket' | 'providerArn' | 'settings' | 'storageBuckets' | 'stackPollSeconds'>,
    Pick<LogDeps, 'logRetentionDays' | 'logLimits' | 'logFollowSeconds'>,
    Pick<KeyDeps, 'halfMadeGraceSeconds' | 'keyReaders'>,
    CostDeps,
    Pick<HomeDeps, 'efsFileSystemId'>,
    Pick<LustreDeps, 'lustre' | 'lustrePollSeconds' | 'exportStallSeconds'>,
    Pick<ReadinessDeps, 'sshPort'> {
  readonly aws: AwsClients;
  /** What looks after jobs, over whatever each cluster's jobs go. */
  readonly gateway: SlurmGateway;
  /** What goes over SSH alone. */
  readonly ssh: SlurmControl & SlurmAccounting & HeadNodeFiles;
  readonly readKeycloakJwks: KeycloakJwksReader;
  readonly campaignStore: CampaignStore;
  readonly deploymentStore: DeploymentStore;
  readonly usageStore: UsageStore;
  readonly jobListingStore: JobListingStore;
  readonly priceStore: PriceStore;
  readonly currentPrices: CurrentPrices;
  readonly temporal: Client;
  /** Where the subnet pool's workflow runs. */
  readonly taskQueue: string;
  readonly vpcId: string;
  /** Value of the pool's tag on the subnets that may be leased. */
  readonly subnetPool: string;
}

/** All activities, as a worker registers them: known failures leave them as `ApplicationFailure`s. */
export function createActivities(given: ActivityDeps): Activities {
  const deps = { ...given, installation: installationName(given) };
  const { ec2, secretsManager, cloudFormation, cloudWatch, efs, fsx, logs, s3 } = deps.aws;
  const network = createNetworkActivities({ ec2, cloudFormation, subnetPool: deps.subnetPool });
  const { gateway, ssh, campaignStore, usageStore, readKeycloakJwks } = deps;
  return translateFailures<Activities>({
    ...network,
    ...createPreflightActivities({ ...deps, ...deps.aws, ...network }),
    ...createPricedSpecActivities(deps),
    ...createSupportBundleActivities({ ...deps, ...deps.aws }),
    ...createSubnetLeaseActivities({ ...deps, client: deps.temporal, whoLivesIn: whoLivesIn(ec2) }),
    ...createKeyActivities({ ...deps, ec2, secretsManager }),
    ...createSigningKeyActivities({ ...deps, secretsManager, control: ssh }),
    ...createTrustedKeysActivities({ control: ssh, readKeycloakJwks }),
    ...createLogActivities({ ...deps, gateway: ssh, logs }),
    ...createStackActivities({ ...deps, logs, cloudFormation, ec2, s3, secretsManager }),
    ...createStackUpdateActivities({ ...deps, cloudFormation }),
    ...createHomeActivities({ ...deps, efs }),
    ...createLustreActivities({ ...deps, fsx, cloudWatch, s3, files: ssh }),
    ...createS3WritesActivities({ deploymentStore: deps.deploymentStore, files: ssh }),
    ...createReadinessActivities({ gateway, files: ssh, sshPort: deps.sshPort, jobUser: JOB_USER }),
    ...createSlurmActivities({ gateway, control: ssh, campaignStore }),
    ...createCampaignPlanActivities(deps),
    ...createCampaignEndActivities({ isRunning: isRunningIn(deps.temporal), campaignStore }),
    ...createManifestActivities({ ...deps, logs }),
    ...createSweepActivities({
      ...deps,
      ...deps.aws,
      region: deps.settings.region,
      describeWorkflow: describeIn(deps.temporal),
      listLeases: leasesIn(deps.temporal, deps.vpcId),
    }),
    ...createPriceActivities({ ...deps, ...deps.aws, region: deps.settings.region }),
    ...createRecordActivities(deps),
    ...createCostActivities(deps),
    ...createUsageActivities({ gateway: ssh, usageStore }),
    ...createJobListingActivities(deps),
  });
}
