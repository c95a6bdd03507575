import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

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
  /** As the SDK has it: `ListObjectsV2`. */
  readonly operation: string;
  /** Whether all of its pages are read, by the SDK's paginator. */
  readonly isPaged: boolean;
  /** Where, from the repository's root on. */
  readonly file: string;
}

/** All commands and paginators that product code imports from the AWS SDK. */
export function callsToAws(): AwsCall[] {
  return productFiles().flatMap((path) => {
    const imports = readFileSync(path, 'utf8').matchAll(
      /import (?!type)\{([^}]+)\} from '@aws-sdk\/client-([\w-]+)'/g,
    );
    return [...imports].flatMap(([, names = '', client = '']) =>
      [...names.matchAll(/\b(?:(\w+)Command|paginate(\w+))\b/g)].map(([, command, paged]) => {
        const operation = command ?? paged ?? '';
        const action = `${iamPrefixes[client] ?? client}:${operation}`;
        const file = relative(ROOT, path);
        return {
          client,
          action: iamActions[action] ?? action,
          operation,
          isPaged: paged !== undefined,
          file,
        };
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

/** Operations of a client that answer page by page, as the SDK knows from the service's own model. */
export function pageableOperations(client: string): ReadonlySet<string> {
  const folder = join(ROOT, 'node_modules', '@aws-sdk', `client-${client}`, 'dist-es', 'pagination');
  return new Set(readdirSync(folder).flatMap((file) => /^(\w+)Paginator\.js$/.exec(file)?.[1] ?? []));
}
