import { Client, Connection } from '@temporalio/client';
import { type Logger, pino } from 'pino';
import packageJson from '../../package.json' with { type: 'json' };
import { buildApp } from '../api/app.ts';
import { createTemporalCampaigns } from '../api/temporal-campaigns.ts';
import { createTemporalClusters } from '../api/temporal-facade.ts';
import { createReadinessProbe } from '../api/temporal-readiness.ts';
import { type AwsClients, createAwsClients } from '../clients/aws.ts';
import { createS3CampaignStore } from '../clients/campaign-store.ts';
import { createCurrentPrices } from '../clients/current-prices.ts';
import { createS3JobListingStore } from '../clients/job-listing-store.ts';
import { createLogReader } from '../clients/log-reader.ts';
import { createS3PriceStore } from '../clients/price-store.ts';
import { createS3UsageStore } from '../clients/usage-store.ts';
import { planningGround } from '../domain/planning-ground.ts';
import type { ApiConfig, TemporalConfig } from './config.ts';

export interface ApiServer {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Answers the requests that have begun, refuses new ones, and closes every connection. */
  close(): Promise<void>;
}

/**
 * Starts the HTTP API. It listens although Temporal or AWS may be away: `/readyz` says so, and requests that need
 * them answer 503 until they are back. Logs to standard output unless a logger is given.
 */
export async function startApi(config: ApiConfig, logger?: Logger): Promise<ApiServer> {
  const log = logger ?? pino({ level: config.logLevel });
  const connection = connect(config.temporal);
  const aws = createAwsClients(config.aws);
  const closeClients = async (): Promise<void> => {
    aws.destroy();
    await connection.close();
  };
  try {
    const app = await compose(config, connection, aws, log);
    const url = await app.listen({ host: config.host, port: config.port });
    return {
      url,
      async close() {
        await app.close();
        await closeClients();
      },
    };
  } catch (error) {
    await closeClients();
    throw error;
  }
}

function connect({ address, tls, apiKey }: TemporalConfig): Connection {
  return Connection.lazy({
    address,
    tls,
    ...(apiKey && { apiKey: () => apiKey.reveal() }),
    // The facade retries, within the time of a request; the SDK's own retries would outlast it.
    interceptors: [],
  });
}

async function compose(
  {
    temporal,
    controlBucket,
    policy,
    token,
    keycloakJwksUrl,
    storageBuckets,
    customActionsBucket,
    attachableFileSystems,
    aws: awsConfig,
  }: ApiConfig,
  connection: Connection,
  aws: AwsClients,
  logger: Logger,
): ReturnType<typeof buildApp> {
  const { namespace, taskQueue } = temporal;
  const client = new Client({ connection, namespace });
  const { region } = awsConfig;
  const currentPrices = createCurrentPrices({
    store: createS3PriceStore({ s3: aws.s3, ...controlBucket }),
    region,
    log: logger,
  });
  return buildApp({
    clusters: createTemporalClusters({ client, taskQueue, policy }),
    campaigns: createTemporalCampaigns(client),
    store: createS3CampaignStore({ s3: aws.s3, ...controlBucket }),
    usage: createS3UsageStore({ s3: aws.s3, ...controlBucket }),
    jobListings: createS3JobListingStore({ s3: aws.s3, ...controlBucket }),
    logs: createLogReader(aws.logs),
    installation: {
      hasKeycloak: keycloakJwksUrl !== undefined,
      hasBuckets: storageBuckets !== undefined,
      ...(customActionsBucket && { customActionsBucket }),
      ...(attachableFileSystems && { attachableFileSystems }),
    },
    planning: async () =>
      planningGround({ region, hasLustre: storageBuckets !== undefined }, await currentPrices()),
    readiness: createReadinessProbe(client, taskQueue),
    token: token.reveal(),
    logger,
    version: packageJson.version,
  });
}
