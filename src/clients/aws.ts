import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { EFSClient } from '@aws-sdk/client-efs';
import { FSxClient } from '@aws-sdk/client-fsx';
import { PricingClient } from '@aws-sdk/client-pricing';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { SNSClient } from '@aws-sdk/client-sns';
import { accessDeniedFailure, isAccessDenied } from './aws-errors.ts';
import { retriesOfEachCall } from './aws-retries.ts';
import { pricingRegion } from './price-list.ts';

export interface AwsClientsConfig {
  readonly region: string;
  /** For S3 servers that do not answer at `<bucket>.<host>`. */
  readonly forcePathStyle?: boolean;
}

/** The AWS services that the product talks to. Endpoints and credentials are the SDK's own business. */
export interface AwsClients {
  readonly ec2: EC2Client;
  readonly secretsManager: SecretsManagerClient;
  readonly cloudFormation: CloudFormationClient;
  readonly cloudWatch: CloudWatchClient;
  readonly efs: EFSClient;
  readonly fsx: FSxClient;
  readonly logs: CloudWatchLogsClient;
  /** Of AWS's price list. Where no way leads to it, that shows within seconds. */
  readonly pricing: PricingClient;
  readonly s3: S3Client;
  readonly serviceQuotas: ServiceQuotasClient;
  readonly sns: SNSClient;
  /** Closes idle connections. */
  destroy(): void;
}

/** The SDK's mode `standard` with two tries more than its default: throttling is normal when many clusters start. */
const MAX_ATTEMPTS = 5;
/** Prices are asked for daily, and many networks have no way to them. */
const MAX_PRICING_ATTEMPTS = 2;
const CONNECTION_TIMEOUT_MS = 5_000;
/** No call that we make takes long by design; one that hangs must fail before its activity times out. */
const REQUEST_TIMEOUT_MS = 20_000;

/**
 * Clients for one region. Endpoints come from the SDK's environment (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`),
 * credentials from its default chain. Every call that AWS denies fails with AwsAccessDenied, naming the call.
 */
export function createAwsClients({ region, forcePathStyle = false }: AwsClientsConfig): AwsClients {
  const common = {
    region,
    maxAttempts: MAX_ATTEMPTS,
    retryStrategy: retriesOfEachCall(MAX_ATTEMPTS),
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  };
  const ec2 = new EC2Client(common);
  const secretsManager = new SecretsManagerClient(common);
  const cloudFormation = new CloudFormationClient(common);
  const cloudWatch = new CloudWatchClient(common);
  const efs = new EFSClient(common);
  const fsx = new FSxClient(common);
  const logs = new CloudWatchLogsClient(common);
  const pricing = new PricingClient({
    ...common,
    region: pricingRegion(region),
    maxAttempts: MAX_PRICING_ATTEMPTS,
    retryStrategy: retriesOfEachCall(MAX_PRICING_ATTEMPTS),
  });
  const s3 = new S3Client({ ...common, forcePathStyle });
  const serviceQuotas = new ServiceQuotasClient(common);
  const sns = new SNSClient(common);
  nameDeniedCalls(ec2.middlewareStack, 'ec2');
  nameDeniedCalls(secretsManager.middlewareStack, 'secretsmanager');
  nameDeniedCalls(cloudFormation.middlewareStack, 'cloudformation');
  nameDeniedCalls(cloudWatch.middlewareStack, 'cloudwatch');
  nameDeniedCalls(efs.middlewareStack, 'elasticfilesystem');
  nameDeniedCalls(fsx.middlewareStack, 'fsx');
  nameDeniedCalls(logs.middlewareStack, 'logs');
  nameDeniedCalls(pricing.middlewareStack, 'pricing');
  nameDeniedCalls(s3.middlewareStack, 's3');
  nameDeniedCalls(serviceQuotas.middlewareStack, 'servicequotas');
  nameDeniedCalls(sns.middlewareStack, 'sns');
  return {
    ec2,
    secretsManager,
    cloudFormation,
    cloudWatch,
    efs,
    fsx,
    logs,
    pricing,
    s3,
    serviceQuotas,
    sns,
    destroy() {
      const others = [cloudFormation, cloudWatch, efs, fsx, logs, pricing, s3, serviceQuotas, sns];
      for (const client of [ec2, secretsManager, ...others]) client.destroy();
    },
  };
}

/** The part of a client's middleware stack that is needed here, whatever the client's own types. */
export interface MiddlewareStack {
  add(
    middleware: <Args, Output>(
      next: (args: Args) => Promise<Output>,
      context: { readonly commandName?: string },
    ) => (args: Args) => Promise<Output>,
    options: { readonly step: 'initialize'; readonly name: string },
  ): void;
}

/** Turns every denied call into AwsAccessDenied, so that no adapter has to. `prefix` is the service's IAM prefix. */
function nameDeniedCalls(stack: MiddlewareStack, prefix: string): void {
  stack.add(
    (next, { commandName }) =>
      async (args) => {
        try {
          return await next(args);
        } catch (error) {
          if (!(error instanceof Error) || !isAccessDenied(error)) throw error;
          throw accessDeniedFailure(`${prefix}:${commandName?.replace(/Command$/, '') ?? 'unknown'}`, error);
        }
      },
    { step: 'initialize', name: 'nameDeniedCalls' },
  );
}
