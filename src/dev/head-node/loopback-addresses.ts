import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { DevStackError } from '../errors.ts';
import { withFileLock } from './file-lock.ts';
import { isAlive, ownIdentity, parseIdentity } from './process-identity.ts';

/**
 * Which process holds which address: one file for each, for the whole machine, since addresses belong to the
 * machine. Gone after a reboot, as the addresses are.
 */
const RECORDS = '/run/parallelcluster-provisioner/loopback';
/** 127.0.1.1 is the machine's own name on Debian; the low numbers are left to people. */
const CANDIDATES = Array.from({ length: 240 }, (_, index) => `127.0.1.${index + 10}`);

/**
 * Takes a free loopback address and puts it on `lo` as a /32: only then do connections to it also come from it,
 * which slurmdbd relies on to find the controller. Addresses held by processes that died are given back first.
 *
 * @throws DevStackError when none is free or this process may not configure `lo`.
 */
export async function claimLoopbackAddress(): Promise<string> {
  return withRecords(async () => {
    await reclaimDeadOwners();
    const taken = new Set([...(await readdir(RECORDS)), ...(await configuredAddresses())]);
    const address = CANDIDATES.find((candidate) => !taken.has(candidate));
    if (address === undefined) {
      throw new DevStackError('loopback addresses', `all ${CANDIDATES.length} are taken`, {
        nextStep: 'Stop clusters or development stacks that are no longer needed',
      });
    }
    // The record first: an address without one would never be given back.
    await writeFile(join(RECORDS, address), JSON.stringify(await ownIdentity()));
    await ip(['address', 'add', `${address}/32`, 'dev', 'lo']);
    return address;
  });
}

/** Gives an address back. Safe to repeat. */
export async function releaseLoopbackAddress(address: string): Promise<void> {
  await withRecords(() => release(address));
}

/** The addresses that this process holds. */
export async function ownLoopbackAddresses(): Promise<string[]> {
  const own = JSON.stringify(await ownIdentity());
  return withRecords(async () => {
    const records = await readdir(RECORDS);
    const owners = await Promise.all(records.map(async (name) => readFile(join(RECORDS, name), 'utf8')));
    return records.filter((_, index) => owners[index] === own);
  });
}

function withRecords<T>(action: () => Promise<T>): Promise<T> {
  return withFileLock(`${RECORDS}.lock`, async () => {
    await mkdir(RECORDS, { recursive: true });
    return action();
  });
}

async function release(address: string): Promise<void> {
  const configured = await configuredAddresses();
  if (configured.includes(address)) await ip(['address', 'delete', `${address}/32`, 'dev', 'lo']);
  await rm(join(RECORDS, address), { force: true });
}

async function reclaimDeadOwners(): Promise<void> {
  for (const address of await readdir(RECORDS)) {
    const owner = parseIdentity(await readFile(join(RECORDS, address), 'utf8'));
    if (owner === undefined || !(await isAlive(owner))) await release(address);
  }
}

/** The /32 addresses on `lo`. */
async function configuredAddresses(): Promise<string[]> {
  const output = await ip(['-4', '-oneline', 'address', 'show', 'dev', 'lo']);
  return [...output.matchAll(/ inet ([\d.]+)\/32 /g)].flatMap(([, address]) => address ?? []);
}

async function ip(args: readonly string[]): Promise<string> {
  const result = await execa('ip', args, { reject: false, stdin: 'ignore' });
  if (result.exitCode === 0) return result.stdout;
  throw new DevStackError('loopback addresses', `ip ${args.join(' ')} failed: ${result.stderr}`, {
    nextStep: 'Run as root, in a place that may configure the loopback interface',
  });
}
