import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DevEnvironment } from './environment.ts';
import { freePorts } from './free-port.ts';
import { JointStart } from './joint-start.ts';
import { startManagedProcess } from './managed-process.ts';
import type { ManagedProcess } from './managed-process.ts';
import { ensureVenv } from './python-venv.ts';

/** The Region of everything emulated. */
export const EMULATED_REGION = 'us-east-1';
/** moto's account; ministack takes an access key of twelve digits as the account, which makes the two agree. */
export const EMULATED_ACCOUNT_ID = '123456789012';

const MOTO_LAUNCHER = join(import.meta.dirname, 'python', 'moto_server.py');
const START_DEADLINE_SECONDS = 60;

/** What the emulators need. */
export interface AwsEmulatorsOptions {
  readonly environment: DevEnvironment;
  readonly logDirectory: string;
  /** For their temporary files; removed by whoever made it. */
  readonly temporaryDirectory: string;
  readonly onProgress: (detail: string) => void;
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
  readonly AWS_REGION: string;
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
}

/** Running emulators. Their state is in memory and ends with them. */
export interface AwsEmulators {
  readonly env: AwsEnvironment;
  readonly logFiles: readonly string[];
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
  return {
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${motoPort}`,
      AWS_ENDPOINT_URL_CLOUDFORMATION: `http://127.0.0.1:${ministackPort}`,
      AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${ministackPort}`,
      AWS_REGION: EMULATED_REGION,
      AWS_ACCESS_KEY_ID: EMULATED_ACCOUNT_ID,
      AWS_SECRET_ACCESS_KEY: 'emulated',
    },
    logFiles: running.map(({ logFile }) => logFile),
    close: async () => closeAll(running),
  };
}

async function startMoto(options: AwsEmulatorsOptions, port: number): Promise<ManagedProcess> {
  const venv = await venvOf('moto', options);
  return startManagedProcess({
    name: 'moto',
    command: join(venv, 'bin', 'python'),
    args: [MOTO_LAUNCHER, '-H', '127.0.0.1', '-p', String(port)],
    env: { ...options.environment.inherited, TMPDIR: options.temporaryDirectory },
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
