import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DevStackError, messageOf } from '../errors.ts';
import { claimLoopbackAddress, releaseLoopbackAddress } from './loopback-addresses.ts';
import { NodeProcess, prepareNodeDirectory } from './node-process.ts';
import { hostnameOf, renderHosts } from './slurm-config.ts';

/** A database and the only account that may use it. */
export interface DatabaseAccount {
  address: string;
  port: number;
  name: string;
  user: string;
  password: string;
}

/** The MariaDB that all clusters share for Slurm's accounting, as the platform's clusters share one RDS instance. */
export interface DatabaseNode {
  readonly address: string;
  /** Process 1 of the node. */
  readonly pid: number;
  readonly directory: string;
  /**
   * Makes a database and an account with a new password that may use only this database. When both exist, the
   * data stays and the password is replaced. Names: at most 64 of `[a-z0-9_]`.
   */
  createDatabase(name: string, user: string): Promise<DatabaseAccount>;
  /** Removes both with all data. Safe to repeat. */
  dropDatabase(name: string, user: string): Promise<void>;
  /** Stops MariaDB and removes its data, its folder and its address. Safe to repeat. */
  close(): Promise<void>;
}

export interface DatabaseNodeOptions {
  /** From `ensureRootImage`. */
  image: string;
  /** The node's own folder; what an earlier run left in it is removed. */
  stateDirectory: string;
  /** Gives the start up. */
  signal?: AbortSignal | undefined;
}

const PORT = 3306;
const START_TIMEOUT_SECONDS = 60;
const PART = 'accounting database';

/**
 * Starts the shared MariaDB on a loopback address of its own, with no data in it.
 *
 * @throws DevStackError with the end of its log; the reason of `signal` when that is aborted
 */
export async function startDatabaseNode(options: DatabaseNodeOptions): Promise<DatabaseNode> {
  const { image, stateDirectory: directory, signal } = options;
  signal?.throwIfAborted();
  await rm(directory, { recursive: true, force: true });
  const address = await claimLoopbackAddress();
  const cleanUp = async (): Promise<void> => {
    await releaseLoopbackAddress(address);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const hostname = hostnameOf(address);
    await prepareNodeDirectory(directory);
    await writeFile(join(directory, 'seed', 'hosts'), renderHosts({ address, hostname }, []));
    await writeFile(join(directory, 'seed', 'binds'), '');
    const node = await NodeProcess.start({
      role: 'database',
      image,
      directory,
      address,
      hostname,
      startTimeoutSeconds: START_TIMEOUT_SECONDS,
      ...(signal && { signal }),
    });
    return databaseNode(node, { address, directory, cleanUp });
  } catch (error) {
    await cleanUp();
    signal?.throwIfAborted();
    throw new DevStackError(PART, messageOf(error), {
      nextStep: `Correct what the log says; MariaDB needs port ${PORT} to be free on all addresses of this machine`,
      cause: error,
    });
  }
}

function databaseNode(
  node: NodeProcess,
  { address, directory, cleanUp }: { address: string; directory: string; cleanUp: () => Promise<void> },
): DatabaseNode {
  return {
    address,
    directory,
    pid: node.pid,
    async createDatabase(name, user) {
      const password = randomBytes(24).toString('base64url');
      await runSql(
        node,
        `CREATE DATABASE IF NOT EXISTS ${identifier(name)};
         CREATE USER IF NOT EXISTS '${identifier(user)}'@'%';
         ALTER USER '${identifier(user)}'@'%' IDENTIFIED BY '${password}';
         GRANT ALL ON ${exactly(name)}.* TO '${identifier(user)}'@'%';`,
      );
      return { address, port: PORT, name, user, password };
    },
    async dropDatabase(name, user) {
      await runSql(
        node,
        `DROP DATABASE IF EXISTS ${identifier(name)}; DROP USER IF EXISTS '${identifier(user)}'@'%';`,
      );
    },
    async close() {
      await node.stop();
      await cleanUp();
    },
  };
}

/** Refuses what would need quoting: the names come from `accountingDatabaseName`, which makes only such. */
function identifier(name: string): string {
  if (!/^[a-z0-9_]{1,64}$/.test(name)) throw new TypeError(`not a database name: ${JSON.stringify(name)}`);
  return name;
}

/** As GRANT takes it: there `_` stands for any character, and would open databases of other clusters. */
function exactly(name: string): string {
  return `\`${identifier(name).replaceAll('_', String.raw`\_`)}\``;
}

/** On standard input, so that no password is seen in the list of processes. */
async function runSql(node: NodeProcess, sql: string): Promise<void> {
  const result = await node.exec(['mariadb'], sql);
  if (result.code !== 0) {
    throw new DevStackError(PART, `a statement failed: ${result.stderr.trim()}`, {
      nextStep: 'Restart the development stack',
    });
  }
}
