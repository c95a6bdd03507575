import type { DataRepository, LustreSpec } from './lustre.ts';
import type { PreflightCheck } from './preflight.ts';
import { type EndpointService, requiredEndpoints } from './required-endpoints.ts';

/** Stacks and key pairs that have the cluster's names and are not of this deployment. */
export function judgeNames(taken: readonly string[]): PreflightCheck {
  if (taken.length === 0) return { name: 'names', outcome: 'ok', cause: 'All names are free.' };
  return {
    name: 'names',
    outcome: 'failed',
    cause: `Names of the cluster are taken by what is not of this deployment: ${taken.join(', ')}`,
    nextStep: 'Look at what is named; delete it by hand if nobody needs it. This service never does',
  };
}

/**
 * @param available last words of the service names of the network's endpoints that are available
 * @param hasRouteOut whether the subnet has another way to AWS (a default route)
 */
export function judgeEndpoints(
  needed: readonly EndpointService[],
  available: ReadonlySet<string>,
  hasRouteOut: boolean,
): PreflightCheck {
  const missing = needed.filter((service) => !available.has(service));
  if (missing.length === 0)
    return { name: 'endpoints', outcome: 'ok', cause: 'The network has all endpoints.' };
  if (hasRouteOut) {
    return {
      name: 'endpoints',
      outcome: 'ok',
      cause: `The subnet’s default route leads to AWS; without it ${missing.join(', ')} would be missing.`,
    };
  }
  return {
    name: 'endpoints',
    outcome: 'failed',
    cause: `Nodes reach these services of AWS neither by an endpoint nor by a route: ${missing
      .map((service) => `${service} (${requiredEndpoints[service]})`)
      .join(', ')}`,
    nextStep: 'Deploy infra/endpoints.yaml, or repair the endpoints that are not `available`',
  };
}

/** An image as EC2 shows it. */
export interface ImageFacts {
  readonly imageId: string;
  readonly state: string;
  readonly architecture: string;
  /** Tag `parallelcluster:version`, which `pcluster build-image` sets. */
  readonly version?: string;
  /** Tag `parallelcluster:os`. */
  readonly os?: string;
}

/**
 * Whether nodes can start from an image of the installation's own. ParallelCluster refuses images of another version of
 * itself; its tags are those of `pcluster build-image` (ParallelCluster User Guide, "Image tags").
 */
export function judgeImage(
  image: ImageFacts | undefined,
  wanted: {
    readonly imageId: string;
    readonly os: string;
    readonly version: string;
    readonly architecture: string;
  },
): PreflightCheck {
  const name = 'image';
  const nextStep = 'Build the image anew with `pcluster build-image` of this version, and set CUSTOM_AMI';
  if (!image)
    return { name, outcome: 'failed', cause: `The account sees no image ${wanted.imageId}`, nextStep };
  const problems = [
    ...(image.state === 'available' ? [] : [`is ${image.state}`]),
    ...(image.architecture === wanted.architecture
      ? []
      : [`is for ${image.architecture}, nodes have ${wanted.architecture}`]),
    ...(image.version === undefined || isSameRelease(image.version, wanted.version)
      ? []
      : [`is of ParallelCluster ${image.version}, this service’s is ${wanted.version}`]),
    ...(image.os === undefined || image.os === wanted.os ? [] : [`has ${image.os}, not ${wanted.os}`]),
  ];
  if (problems.length > 0)
    return { name, outcome: 'failed', cause: `${image.imageId} ${problems.join('; it ')}`, nextStep };
  if (image.version === undefined) {
    return {
      name,
      outcome: 'unknown',
      cause: `${image.imageId} has no tag parallelcluster:version`,
      nextStep: 'Use an image that `pcluster build-image` has made',
    };
  }
  return { name, outcome: 'ok', cause: `${image.imageId} is of ParallelCluster ${image.version}.` };
}

/** Whether two versions are of one minor release: `3.16` and `3.16.2` are. */
function isSameRelease(left: string, right: string): boolean {
  const release = (version: string) => version.split('.').slice(0, 2).join('.');
  return release(left) === release(right);
}

/** FSx's quotas for PERSISTENT_2 on SSD, and what counts against them. Undefined where Service Quotas names none. */
export interface LustreQuotaFacts {
  readonly maxFileSystems: number | undefined;
  readonly maxStorageGibibytes: number | undefined;
  readonly fileSystems: number;
  readonly storageGibibytes: number;
}

export function judgeLustreQuota(lustre: LustreSpec, facts: LustreQuotaFacts): PreflightCheck {
  const name = 'lustre-quota';
  const { maxFileSystems, maxStorageGibibytes, fileSystems, storageGibibytes } = facts;
  const wanted = storageGibibytes + lustre.sizeGibibytes;
  const failed = [
    ...(maxFileSystems !== undefined && fileSystems + 1 > maxFileSystems
      ? [`all ${maxFileSystems} Lustre file systems of the account exist`]
      : []),
    ...(maxStorageGibibytes !== undefined && wanted > maxStorageGibibytes
      ? [
          `${storageGibibytes} of ${maxStorageGibibytes} GiB are used, ${lustre.sizeGibibytes} more are asked for`,
        ]
      : []),
  ];
  if (failed.length > 0) {
    return {
      name,
      outcome: 'failed',
      cause: `FSx: ${failed.join('; ')}`,
      nextStep: 'Ask AWS for a higher quota (Service Quotas, Amazon FSx), or for a smaller file system',
    };
  }
  if (maxFileSystems === undefined || maxStorageGibibytes === undefined) {
    return {
      name,
      outcome: 'unknown',
      cause: 'Service Quotas names no limit for Lustre file systems of type PERSISTENT_2',
      nextStep: 'Look at the quotas of Amazon FSx in the console if the file system is refused',
    };
  }
  return { name, outcome: 'ok', cause: `FSx has room: ${wanted} of ${maxStorageGibibytes} GiB.` };
}

/** One configuration of a bucket's notifications. */
export interface BucketNotification {
  readonly bucket: string;
  readonly id: string;
  readonly events: readonly string[];
  /** Empty: all keys. */
  readonly prefix: string;
}

/** Of the configurations that FSx makes itself (FSx for Lustre User Guide, "Automatically import updates from your S3 bucket"). */
const FSX_NOTIFICATION = /^fsx/i;

/**
 * Whether FSx can add the notifications by which it learns of changes in the linked prefixes. S3 refuses two
 * configurations for the same events whose prefixes overlap (S3 User Guide, "Configuring notifications with object key
 * name filtering").
 */
export function judgeNotifications(
  repositories: readonly Pick<DataRepository, 'dataRepositoryPath'>[],
  notifications: readonly BucketNotification[],
): PreflightCheck {
  const name = 'bucket-notifications';
  const overlaps = repositories.flatMap(({ dataRepositoryPath }) => {
    const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/(.*)$/.exec(dataRepositoryPath) ?? [];
    return notifications
      .filter(
        (each) =>
          each.bucket === bucket &&
          !FSX_NOTIFICATION.test(each.id) &&
          each.events.some((event) => /^s3:Object(?:Created|Removed):/.test(event)) &&
          (prefix.startsWith(each.prefix) || each.prefix.startsWith(prefix)),
      )
      .map((each) => `${each.id} of ${bucket} (prefix \`${each.prefix}\`) overlaps ${dataRepositoryPath}`);
  });
  if (overlaps.length === 0)
    return { name, outcome: 'ok', cause: 'No notification of the buckets is in the way.' };
  return {
    name,
    outcome: 'failed',
    cause: `Notifications would keep FSx from its own: ${overlaps.join('; ')}`,
    nextStep: 'Limit the bucket’s notifications to prefixes outside, or send them over EventBridge',
  };
}

/** How an attempt to reach the accounting database from the worker ended. */
export type DatabaseReach =
  | { readonly kind: 'open' }
  /** Nobody listens there, or the name does not exist. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No answer: a security group that lets in head nodes alone looks like this, too. */
  | { readonly kind: 'silent'; readonly reason: string };

/** @param missingAccount why the database's account of this cluster is not there, in plain words */
export function judgeDatabase(
  uri: string,
  reach: DatabaseReach,
  missingAccount: string | undefined,
): PreflightCheck {
  const name = 'database';
  if (missingAccount !== undefined) {
    return {
      name,
      outcome: 'failed',
      cause: missingAccount,
      nextStep: 'Make user and secret as the section Isolation of docs/operations.md says',
    };
  }
  switch (reach.kind) {
    case 'open':
      return { name, outcome: 'ok', cause: `${uri} takes connections.` };
    case 'refused':
      return {
        name,
        outcome: 'failed',
        cause: `${uri} takes no connections: ${reach.reason}`,
        nextStep: 'Start the database, or correct SLURM_DATABASE_URI',
      };
    default:
      return {
        name,
        outcome: 'unknown',
        cause: `${uri} does not answer the worker: ${reach.reason}`,
        nextStep: 'Nothing, if its security group lets in head nodes alone; else check route and database',
      };
  }
}
