import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { destination, pino } from 'pino';
import { tagKeys } from '../domain/resource-tags.ts';
import type { AwsEmulators } from './aws-emulators.ts';
import { startAwsEmulators } from './aws-emulators.ts';
import { createDevAwsClients } from './aws-clients.ts';
import type { DevAwsClients } from './aws-clients.ts';
import { Closers } from './closers.ts';
import { readDevEnvironment } from './environment.ts';
import type { DevEnvironment } from './environment.ts';
import type { FsxService } from './fsx/service.ts';
import { startHeadNodePool } from './head-node-pool.ts';
import type { HeadNodePool, StartHeadNodes } from './head-node-pool.ts';
import { JointStart } from './joint-start.ts';
import { withProgress } from './progress.ts';
import type { ReportProgress } from './progress.ts';
import { Clusters } from './provider/clusters.ts';
import { ProviderStandIn } from './provider/provider-stand-in.ts';
import { pclusterSchemaValidation, pclusterUpdatePolicies } from './provider/schema-validation.ts';
import { ensureVenv } from './python-venv.ts';
import type { VenvOptions } from './python-venv.ts';
import { seedAws } from './seed-aws.ts';
import type { SeededAws } from './seed-aws.ts';
import { findTemporalProgram } from './temporal-binaries.ts';
import { startTemporalServer, TEMPORAL_NAMESPACE } from './temporal-server.ts';
import type { TemporalServer } from './temporal-server.ts';

/** The parts that report their progress, under these names. */
export const STACK_COMPONENTS = [
  'Temporal',
  'AWS emulators',
  'AWS foundation',
  'ParallelCluster',
  'head nodes',
] as const;

/** The pool that the embedded stack seeds. */
const SUBNET_POOL = 'development';
/** As many as the platform's private VPC starts with. */
const DEFAULT_SUBNET_COUNT = 10;

/** How to start the stack. */
export interface StackOptions {
  /** Logs and state of this run, a folder of its own, such as `.dev/<id>`; made when missing, kept at the end. */
  readonly directory: string;
  /** @defaultValue as {@link readDevEnvironment} finds it. */
  readonly environment?: DevEnvironment;
  readonly onProgress: ReportProgress;
  /** @defaultValue real ones, {@link startHeadNodePool} */
  readonly headNodes?: StartHeadNodes;
  readonly subnetCount?: number;
  /** Gives the start up: downloads end at once, parts that are on their way up are stopped, and so are the others. */
  readonly signal?: AbortSignal;
}

/** A running stack: everything that the worker and the API need, except themselves. */
export interface Stack {
  /** The whole environment for the product's processes: nothing else has to be inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly logDirectory: string;
  /** Clients of the emulated AWS, to look past the product. */
  readonly aws: DevAwsClients;
  /** For tests: can be killed and restarted. */
  readonly temporal: TemporalServer['process'];
  /** For tests: what stands in for FSx. */
  readonly fsx: FsxService;
  /** For tests: makes the ParallelCluster provider fail or wait. */
  readonly faults: ProviderStandIn['faults'];
  /**
   * Stops everything in reverse order and makes sure that it is gone. Safe to repeat.
   *
   * @throws AggregateError when something did not stop.
   */
  close(): Promise<void>;
}

/**
 * Starts Temporal, the AWS emulators with a seeded foundation, the ParallelCluster provider and the head nodes'
 * image, all at the same time as far as they do not need each other.
 *
 * @throws the first failure, a DevStackError naming the log to read where there is one, or the reason of `signal`. All
 * other parts are given up at once, and nothing of any part runs any more then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const logDirectory = join(options.directory, 'logs');
  await mkdir(logDirectory, { recursive: true });
  const environment = options.environment ?? readDevEnvironment();
  const closers = new Closers();
  try {
    const joint = new JointStart(options.signal);
    const { signal } = joint;
    const parts = await startParts({ ...options, environment, logDirectory, closers, joint, signal });
    return {
      env: productEnvironment(environment, parts),
      aws: createDevAwsClients(parts.emulators.env),
      temporal: parts.temporal.process,
      fsx: parts.emulators.fsx,
      faults: parts.provider.faults,
      logDirectory,
      close: async () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** What the start of every part is given. */
interface PartContext extends StackOptions {
  readonly environment: DevEnvironment;
  readonly logDirectory: string;
  readonly closers: Closers;
  readonly joint: JointStart;
  /** That of `joint`. */
  readonly signal: AbortSignal;
}

interface Parts {
  readonly temporal: TemporalServer;
  readonly emulators: AwsEmulators;
  readonly seeded: SeededAws;
  readonly provider: ProviderStandIn;
}

async function startParts(context: PartContext): Promise<Parts> {
  const provider = await listenForProvider(context);
  const emulatorsStarting = startEmulators(context);
  const starting = [
    startTemporal(context),
    emulatorsStarting,
    seed(context, emulatorsStarting, provider),
    serveProvider(context, emulatorsStarting, provider),
  ] as const;
  const [temporal, emulators, seeded] = await context.joint.all(starting);
  return { temporal, emulators, seeded, provider };
}

/** Tells how one part's start goes. */
async function withPartProgress<T>(
  { onProgress, signal }: PartContext,
  component: (typeof STACK_COMPONENTS)[number],
  start: (onProgress: (detail: string) => void) => Promise<T>,
  describe: (result: T) => string,
): Promise<T> {
  return withProgress(onProgress, component, start, describe, signal);
}

async function startTemporal(context: PartContext): Promise<TemporalServer> {
  const { environment, logDirectory, signal } = context;
  const start = async (onProgress: (detail: string) => void): Promise<TemporalServer> => {
    const server = await startTemporalServer({
      executable: await findTemporalProgram('temporal', environment, onProgress, signal),
      databaseFile: join(context.directory, 'state', 'temporal.sqlite'),
      logDirectory,
      env: environment.inherited,
      signal,
    });
    context.closers.add(async () => server.close());
    return server;
  };
  return withPartProgress(context, 'Temporal', start, ({ uiUrl }) => `${uiUrl} is its UI`);
}

async function startEmulators(context: PartContext): Promise<AwsEmulators> {
  const { environment, logDirectory, signal } = context;
  const temporaryDirectory = join(context.directory, 'tmp');
  const start = async (onProgress: (detail: string) => void): Promise<AwsEmulators> => {
    const emulators = await startAwsEmulators({
      environment,
      logDirectory,
      temporaryDirectory,
      onProgress,
      signal,
    });
    context.closers.add(async () => {
      await emulators.close();
      await rm(temporaryDirectory, { recursive: true, force: true });
    });
    return emulators;
  };
  return withPartProgress(context, 'AWS emulators', start, ({ env }) => env.AWS_ENDPOINT_URL);
}

async function seed(
  context: PartContext,
  emulatorsStarting: Promise<AwsEmulators>,
  provider: ProviderStandIn,
): Promise<SeededAws> {
  const { env } = await emulatorsStarting;
  const start = async (): Promise<SeededAws> =>
    seedAws({
      clients: createDevAwsClients(env),
      subnetCount: context.subnetCount ?? DEFAULT_SUBNET_COUNT,
      poolTag: { key: tagKeys.pool, value: SUBNET_POOL },
      providerUrl: provider.url,
    });
  return withPartProgress(
    context,
    'AWS foundation',
    start,
    ({ vpcId, subnetIds }) => `${vpcId} with ${subnetIds.length} subnets`,
  );
}

function providerLogFile({ logDirectory }: PartContext): string {
  return join(logDirectory, 'provider.log');
}

async function listenForProvider(context: PartContext): Promise<ProviderStandIn> {
  const logger = pino({ name: 'provider' }, destination({ dest: providerLogFile(context), sync: true }));
  const provider = await ProviderStandIn.listen(logger);
  context.closers.add(async () => provider.close());
  return provider;
}

/** Takes the real ParallelCluster and the head nodes' root image, which on a first run are the longest downloads. */
async function serveProvider(
  context: PartContext,
  emulatorsStarting: Promise<AwsEmulators>,
  provider: ProviderStandIn,
): Promise<void> {
  const [venv, headNodes, { env, fsx }] = await context.joint.all([
    withPartProgress(
      context,
      'ParallelCluster',
      async (onProgress) => ensureVenv({ ...venvOptions(context), name: 'parallelcluster', onProgress }),
      () => 'stand-in of its provider, with its own validators',
    ),
    startHeadNodes(context),
    emulatorsStarting,
  ] as const);
  const clusters = new Clusters({
    clients: createDevAwsClients(env),
    headNodes,
    storage: {
      lustreDirectory: (fileSystemId) => fsx.directoryOf(fileSystemId),
      efsDirectory: join(context.directory, 'state', 'efs'),
    },
    validate: pclusterSchemaValidation(venv),
    judgeUpdate: pclusterUpdatePolicies(venv),
    logger: provider.logger,
    logFile: providerLogFile(context),
  });
  provider.serve(clusters);
  // Once more, after the parts that it needs: clusters must be stopped while those still run.
  context.closers.add(async () => provider.close());
}

function venvOptions({ environment, signal }: PartContext): Omit<VenvOptions, 'name' | 'onProgress'> {
  const { cacheDirectory, python } = environment;
  return { cacheDirectory, python, signal };
}

async function startHeadNodes(context: PartContext): Promise<HeadNodePool> {
  const directory = join(context.directory, 'head-nodes');
  const start = async (onProgress: (detail: string) => void): Promise<HeadNodePool> => {
    const startPool = context.headNodes ?? startHeadNodePool;
    const pool = await startPool({ ...venvOptions(context), directory, onProgress });
    context.closers.add(async () => pool.close());
    return pool;
  };
  return withPartProgress(context, 'head nodes', start, () => 'image and MariaDB of Debian trixie');
}

function productEnvironment(environment: DevEnvironment, parts: Parts): Record<string, string> {
  const { temporal, emulators, seeded } = parts;
  return {
    ...environment.inherited,
    ...emulators.env,
    // Otherwise an SDK that misses its credentials asks the link-local metadata service, and waits.
    AWS_EC2_METADATA_DISABLED: 'true',
    // The user's profiles may name other endpoints and credentials.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE,
    TEMPORAL_UI_URL: temporal.uiUrl,
    PCLUSTER_PROVIDER_ARN: seeded.providerArn,
    VPC_ID: seeded.vpcId,
    SUBNET_POOL,
    CONTROL_BUCKET: seeded.controlBucket,
    EFS_FILE_SYSTEM_ID: seeded.efsFileSystemId,
    SCRATCH_BUCKET: seeded.storageBuckets.scratch,
    PROJECT_PUBLIC_BUCKET: seeded.storageBuckets.projectPublic,
    PROJECT_PRIVATE_BUCKET: seeded.storageBuckets.projectPrivate,
    LUSTRE_SECURITY_GROUP_IDS: seeded.lustreSecurityGroupId,
  };
}
