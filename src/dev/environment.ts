import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the embedded development stack takes from the environment it was started in. */
export interface DevEnvironment {
  /** Downloads shared by all runs, outside the clone: virtual environments, binaries, root images. */
  readonly cacheDirectory: string;
  /** Explicit `temporal` executable; wins over every other source. */
  readonly temporalCliPath: string | undefined;
  /** Explicit time-skipping test server executable; wins over every other source. */
  readonly temporalTestServerPath: string | undefined;
  /** Python interpreter (3.11 or newer) that the private virtual environments are made from. */
  readonly python: string;
  /** The folders of PATH, in order. */
  readonly pathDirectories: readonly string[];
  /** Variables that a child process may see; see {@link INHERITED}. */
  readonly inherited: Readonly<Record<string, string>>;
}

/**
 * The only variables that children inherit. The user's AWS credentials and profile are deliberately not among
 * them: nothing in the embedded stack may ever reach a real account.
 */
export const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR'] as const;

/**
 * Every variable that steers the embedded stack, with its default where that is one and the same everywhere.
 * `.env.example` documents them; a test keeps the two in step.
 */
export const devVariables = {
  TEMPORAL_CLI_PATH: undefined,
  TEMPORAL_TEST_SERVER_PATH: undefined,
  PROVISIONER_PYTHON: 'python3',
  PROVISIONER_CACHE_DIR: undefined,
  XDG_CACHE_HOME: undefined,
} as const;

/** Reads the environment. The only place in `src/dev` that does. */
export function readDevEnvironment(env: NodeJS.ProcessEnv = process.env): DevEnvironment {
  const inherited: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = env[name];
    if (value !== undefined) inherited[name] = value;
  }
  return {
    cacheDirectory: cacheDirectory(env),
    temporalCliPath: presence(env['TEMPORAL_CLI_PATH']),
    temporalTestServerPath: presence(env['TEMPORAL_TEST_SERVER_PATH']),
    python: presence(env['PROVISIONER_PYTHON']) ?? devVariables.PROVISIONER_PYTHON,
    pathDirectories: (env['PATH'] ?? '').split(':').filter((directory) => directory !== ''),
    inherited,
  };
}

/** XDG Base Directory Specification 0.8: `$XDG_CACHE_HOME`, by default `~/.cache`. */
function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const explicit = presence(env['PROVISIONER_CACHE_DIR']);
  if (explicit !== undefined) return explicit;
  return join(presence(env['XDG_CACHE_HOME']) ?? join(homedir(), '.cache'), 'parallelcluster-provisioner');
}

/** An empty variable is as good as an absent one. */
function presence(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
