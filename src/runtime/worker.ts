import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, type TelemetryOptions, Worker } from '@temporalio/worker';
import { type Logger, pino } from 'pino';
import { createActivities } from '../activities/index.ts';
import { createAwsClients } from '../clients/aws.ts';
import { createSnsBudgetAlarms } from '../clients/budget-alarms.ts';
import { createS3CampaignStore } from '../clients/campaign-store.ts';
import { createS3DeploymentStore } from '../clients/deployment-store.ts';
import { createKeycloakJwksReader } from '../clients/keycloak-jwks.ts';
import { readPrivateKey } from '../clients/secrets.ts';
import { SlurmRest } from '../clients/slurm-rest.ts';
import { SlurmSsh } from '../clients/slurm-ssh.ts';
import { SlurmTransports } from '../clients/slurm-transports.ts';
import { createS3JobListingStore } from '../clients/job-listing-store.ts';
import { createCurrentPrices } from '../clients/current-prices.ts';
import { createS3CostStore } from '../clients/cost-store.ts';
import { createS3PriceStore } from '../clients/price-store.ts';
import { createS3UsageStore } from '../clients/usage-store.ts';
import type { WorkerConfig } from './config.ts';
import { registerSearchAttributes } from './search-attributes.ts';
import { ensureSchedule } from './schedules.ts';
import { temporalLogger } from './temporal-logger.ts';

const WORKFLOWS_PATH = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

/**
 * Activities that one worker runs at once. They wait far more than they compute, and a stack that is being created
 * occupies one for a quarter of an hour.
 */
const MAX_CONCURRENT_ACTIVITIES = 200;

export interface RunningWorker {
  /** Ends when the worker has stopped; rejects when it failed. */
  readonly stopped: Promise<void>;
  /** Takes no more tasks, lets running activities end or hand over, closes every connection. */
  close(): Promise<void>;
}

/** Temporal's SDK listens itself, without TLS and without asking who reads. */
function metricsAt(bindAddress: string | undefined): TelemetryOptions {
  return bindAddress === undefined ? {} : { metrics: { prometheus: { bindAddress } } };
}

/** Starts the worker: registers the search attributes, bundles the workflows, connects, polls. */
export async function startWorker(config: WorkerConfig, logger?: Logger): Promise<RunningWorker> {
  const log = logger ?? pino({ level: config.logLevel });
  Runtime.install({ logger: temporalLogger(log), telemetryOptions: metricsAt(config.metricsAddress) });
  const { address, namespace, taskQueue, tls, apiKey } = config.temporal;
  const credentials = { address, tls, ...(apiKey && { apiKey: apiKey.reveal() }) };
  const connection = await Connection.connect(credentials);
  await registerSearchAttributes(connection, namespace);
  const client = new Client({ connection, namespace });
  await ensureSchedule(client, 'reconcile', { taskQueue, everySeconds: config.sweepSeconds });
  await ensureSchedule(client, 'refresh-prices', { taskQueue, everySeconds: config.pricesRefreshSeconds });
  const native = await NativeConnection.connect(credentials);
  const aws = createAwsClients(config.aws);
  const loadKey = async (secretArn: string) => readPrivateKey(aws.secretsManager, secretArn);
  const priceStore = createS3PriceStore({ s3: aws.s3, ...config.controlBucket });
  const ssh = new SlurmSsh({ loadPrivateKey: loadKey });
  const gateway = new SlurmTransports({
    ssh,
    rest: new SlurmRest({ loadSigningKey: loadKey, overSsh: ssh }),
  });
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue,
    workflowsPath: WORKFLOWS_PATH,
    activities: createActivities({
      aws,
      gateway,
      ssh,
      readKeycloakJwks: createKeycloakJwksReader(config.keycloakJwksUrl),
      campaignStore: createS3CampaignStore({ s3: aws.s3, ...config.controlBucket }),
      usageStore: createS3UsageStore({ s3: aws.s3, ...config.controlBucket }),
      costStore: createS3CostStore({ s3: aws.s3, ...config.controlBucket }),
      budgetAlarms:
        config.budgetAlarmTopicArn === undefined
          ? undefined
          : createSnsBudgetAlarms({
              sns: aws.sns,
              s3: aws.s3,
              ...config.controlBucket,
              topicArn: config.budgetAlarmTopicArn,
            }),
      jobListingStore: createS3JobListingStore({ s3: aws.s3, ...config.controlBucket }),
      deploymentStore: createS3DeploymentStore({ s3: aws.s3, ...config.controlBucket }),
      priceStore,
      currentPrices: createCurrentPrices({ store: priceStore, region: config.aws.region, log }),
      temporal: client,
      taskQueue,
      vpcId: config.vpcId,
      subnetPool: config.subnetPool,
      controlBucket: config.controlBucket.bucket,
      providerArn: config.providerArn,
      settings: config.settings,
      storageBuckets: config.storageBuckets,
      keyReaders: config.keyReaders,
      stackPollSeconds: config.stackPollSeconds,
      logRetentionDays: config.logRetentionDays,
      logLimits: config.logLimits,
      logFollowSeconds: config.logFollowSeconds,
      efsFileSystemId: config.efsFileSystemId,
      lustre: config.lustre,
      lustrePollSeconds: config.lustrePollSeconds,
      exportStallSeconds: config.exportStallSeconds,
    }),
    maxConcurrentActivityTaskExecutions: MAX_CONCURRENT_ACTIVITIES,
    // A long wait is handed over to another worker rather than waited for.
    shutdownGraceTime: '10 s',
  });
  const run = async (): Promise<void> => {
    try {
      await worker.run();
    } finally {
      gateway.close();
      aws.destroy();
      await native.close();
      await connection.close();
    }
  };
  const stopped = run();
  log.info({ taskQueue, namespace }, 'worker polls');
  return {
    stopped,
    async close() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await stopped;
    },
  };
}
