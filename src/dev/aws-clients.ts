import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { EFSClient } from '@aws-sdk/client-efs';
import { FSxClient } from '@aws-sdk/client-fsx';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { AwsEnvironment } from './aws-emulators.ts';

/** The clients that the stack itself uses: to seed the emulators, to play the ParallelCluster provider, to check. */
export interface DevAwsClients {
  readonly cloudFormation: CloudFormationClient;
  readonly ec2: EC2Client;
  readonly efs: EFSClient;
  readonly fsx: FSxClient;
  readonly logs: CloudWatchLogsClient;
  readonly s3: S3Client;
  readonly secretsManager: SecretsManagerClient;
}

/** Clients bound to the emulators explicitly: this process may have real credentials in its environment. */
export function createDevAwsClients(env: AwsEnvironment): DevAwsClients {
  const common = {
    region: env.AWS_REGION,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  };
  return {
    cloudFormation: new CloudFormationClient({ ...common, endpoint: env.AWS_ENDPOINT_URL_CLOUDFORMATION }),
    ec2: new EC2Client({ ...common, endpoint: env.AWS_ENDPOINT_URL }),
    efs: new EFSClient({ ...common, endpoint: env.AWS_ENDPOINT_URL }),
    fsx: new FSxClient({ ...common, endpoint: env.AWS_ENDPOINT_URL_FSX }),
    logs: new CloudWatchLogsClient({ ...common, endpoint: env.AWS_ENDPOINT_URL }),
    s3: new S3Client({ ...common, endpoint: env.AWS_ENDPOINT_URL }),
    secretsManager: new SecretsManagerClient({ ...common, endpoint: env.AWS_ENDPOINT_URL }),
  };
}
