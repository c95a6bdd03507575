import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { EC2Client } from '@aws-sdk/client-ec2';
import { S3Client } from '@aws-sdk/client-s3';
import { EMULATED_ACCOUNT_ID, EMULATED_REGION } from './emulated-account.ts';
import type { DevEnvironment } from './environment.ts';
import { FsxStandIn } from './fsx/fsx-stand-in.ts';
import type { FsxService } from './fsx/service.ts';
import { freePorts } from './free-port.ts';
import { JointStart } from './joint-start.ts';
import { startManagedProcess } from './managed-process.ts';
import type { ManagedProcess } from './managed-process.ts';
import { ensureVenv } from './python-venv.ts';

const MOTO_LAUNCHER = join(import.meta.dirname, 'python', 'moto_server.py');
const START_DEADLINE_SECONDS = 60;
const EMULATED_SECRET = 'emulated';

/** What the emulators need. */
export interface AwsEmulatorsOptions {
  readonly environment: DevEnvironment;
  readonly logDirectory: string;
  /** For their temporary files; removed by whoever made it. */
  readonly temporaryDirectory: string;
  readonly onProgress: (detail: string) => void;
  /** Completes moto's CloudFormation as far as the templates of `infra/` need it. It answers at `AWS_ENDPOINT_URL`. */
  readonly completeMotoCloudFormation?: boolean;
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Variables that route every AWS SDK to the emulators. Nothing but endpoints differs from AWS: both addresses are
 * IP literals, for which S3 clients use path-style requests by themselves.
 */
export interface AwsEnvironment {
  readonly AWS_ENDPOINT_URL: string;
  readonly AWS_ENDPOINT_URL_CLOUDFORMATION: string;
  readonly AWS_ENDPOINT_URL_LAMBDA: string;
  readonly AWS_ENDPOINT_URL_FSX: string;
  readonly AWS_REGION: string;
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
}

/** Running emulators. Their state is in memory and ends with them. */
export interface AwsEmulators {
  readonly env: AwsEnvironment;
  readonly logFiles: readonly string[];
  /** For tests, and for nodes that mount its file systems. */
  readonly fsx: FsxService;
  close(): Promise<void>;
}

/**
 * Starts moto for every service except CloudFormation and Lambda, and ministack for those two: moto never sends
 * a custom resource its updates and deletes, ministack makes no real ED25519 key pairs.
 *
 * @throws DevStackError when one does not come up, and the reason of `signal` when that is aborted; the other is stopped then.
 */
export async function startAwsEmulators(options: AwsEmulatorsOptions): Promise<AwsEmulators> {
  const [motoPort = 0, ministackPort = 0] = await freePorts(2);
  await mkdir(options.temporaryDirectory, { recursive: true });
  const joint = new JointStart(options.signal);
  const each = { ...options, signal: joint.signal };
  const running = await allOrNone(joint, [startMoto(each, motoPort), startMinistack(each, ministackPort)]);
  const moto = `http://127.0.0.1:${motoPort}`;
  const fsx = await startFsx(moto, join(options.temporaryDirectory, 'lustre'));
  return {
    env: {
      AWS_ENDPOINT_URL: moto,
      AWS_ENDPOINT_URL_CLOUDFORMATION: `http://127.0.0.1:${ministackPort}`,
      AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${ministackPort}`,
      AWS_ENDPOINT_URL_FSX: fsx.url,
      AWS_REGION: EMULATED_REGION,
      AWS_ACCESS_KEY_ID: EMULATED_ACCOUNT_ID,
      AWS_SECRET_ACCESS_KEY: EMULATED_SECRET,
    },
    logFiles: running.map(({ logFile }) => logFile),
    fsx: fsx.service,
    async close() {
      await fsx.close();
      await closeAll(running);
    },
  };
}

/** FSx's links with S3 and its tasks, which neither emulator has. Its own state lies beside moto's. */
async function startFsx(endpoint: string, directory: string): Promise<FsxStandIn> {
  const common = {
    region: EMULATED_REGION,
    endpoint,
    credentials: { accessKeyId: EMULATED_ACCOUNT_ID, secretAccessKey: EMULATED_SECRET },
  };
  return FsxStandIn.start({
    directory,
    clients: {
      s3: new S3Client(common),
      ec2: new EC2Client(common),
      cloudWatch: new CloudWatchClient(common),
    },
  });
}

async function startMoto(options: AwsEmulatorsOptions, port: number): Promise<ManagedProcess> {
  const venv = await venvOf('moto', options);
  return startManagedProcess({
    name: 'moto',
    command: join(venv, 'bin', 'python'),
    args: [
      MOTO_LAUNCHER,
      ...(options.completeMotoCloudFormation ? ['--cloudformation'] : []),
      '-H',
      '127.0.0.1',
      '-p',
      String(port),
    ],
    env: {
      ...options.environment.inherited,
      PYTHONDONTWRITEBYTECODE: '1',
      TMPDIR: options.temporaryDirectory,
    },
    logDirectory: options.logDirectory,
    isHealthy: async () => answers(`http://127.0.0.1:${port}/moto-api/data.json`),
    deadlineSeconds: START_DEADLINE_SECONDS,
    signal: options.signal,
  });
}

async function startMinistack(options: AwsEmulatorsOptions, port: number): Promise<ManagedProcess> {
  const venv = await venvOf('ministack', options);
  return startManagedProcess({
    name: 'ministack',
    command: join(venv, 'bin', 'python'),
    args: ['-m', 'ministack'],
    env: {
      ...options.environment.inherited,
      TMPDIR: options.temporaryDirectory,
      // Its default is every interface of the machine.
      BIND_HOST: '127.0.0.1',
      MINISTACK_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_ACCOUNT_ID: EMULATED_ACCOUNT_ID,
      MINISTACK_REGION: EMULATED_REGION,
    },
    logDirectory: options.logDirectory,
    isHealthy: async () => answers(`http://127.0.0.1:${port}/_ministack/health`),
    deadlineSeconds: START_DEADLINE_SECONDS,
    signal: options.signal,
  });
}

async function venvOf(name: 'moto' | 'ministack', options: AwsEmulatorsOptions): Promise<string> {
  const { cacheDirectory, python } = options.environment;
  const { onProgress, signal } = options;
  return ensureVenv({ name, cacheDirectory, python, onProgress, signal });
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return response.ok;
}

async function allOrNone(
  joint: JointStart,
  starting: readonly Promise<ManagedProcess>[],
): Promise<ManagedProcess[]> {
  try {
    return await joint.all(starting);
  } catch (error) {
    const outcomes = await Promise.allSettled(starting);
    await closeAll(outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])));
    throw error;
  }
}

async function closeAll(processes: readonly ManagedProcess[]): Promise<void> {
  await Promise.all(processes.map(async (each) => each.close()));
}
