import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** Where the name of the client is not that of its actions. */
const iamPrefixes: Readonly<Record<string, string>> = {
  'cloudwatch-logs': 'logs',
  efs: 'elasticfilesystem',
  'secrets-manager': 'secretsmanager',
  'service-quotas': 'servicequotas',
};

/** Calls whose action has another name (Service Authorization Reference, Amazon S3). */
const iamActions: Readonly<Record<string, string>> = {
  's3:ListObjectsV2': 's3:ListBucket',
  's3:HeadObject': 's3:GetObject',
  's3:GetBucketNotificationConfiguration': 's3:GetBucketNotification',
};

/** A call to AWS that product code can make. */
export interface AwsCall {
  /** As in `@aws-sdk/client-<client>`. */
  readonly client: string;
  /** The IAM action. */
  readonly action: string;
}

/** All commands and paginators that product code imports from the AWS SDK. */
export function callsToAws(): AwsCall[] {
  return productFiles().flatMap((path) => {
    const imports = readFileSync(path, 'utf8').matchAll(
      /import (?!type)\{([^}]+)\} from '@aws-sdk\/client-([\w-]+)'/g,
    );
    return [...imports].flatMap(([, names = '', client = '']) =>
      [...names.matchAll(/\b(?:(\w+)Command|paginate(\w+))\b/g)].map(([, command, paged]) => {
        const action = `${iamPrefixes[client] ?? client}:${command ?? paged}`;
        return { client, action: iamActions[action] ?? action };
      }),
    );
  });
}

/** The TypeScript files of the product, without tests and the embedded stack. */
export function productFiles(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('dev/'))
    .map((path) => join(ROOT, 'src', path));
}
