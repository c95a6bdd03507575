import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, vi } from 'vitest';
import { createAwsClients } from '../../src/clients/aws.ts';
import type { AwsClients, MiddlewareStack } from '../../src/clients/aws.ts';
import { isNotFound } from '../../src/clients/aws-errors.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { startAwsEmulators } from '../../src/dev/aws-emulators.ts';
import type { AwsEmulators } from '../../src/dev/aws-emulators.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';

/** Clients that reach the emulators of this test file. */
export interface EmulatedAws {
  readonly clients: AwsClients;
  readonly emulators: AwsEmulators;
}

/**
 * Starts the emulators for the tests of one file and stops them afterwards. The SDK is routed to them by its own
 * environment variables, as in production.
 *
 * @returns a function, because there is nothing to return before the hooks ran.
 */
export function useEmulatedAws(): () => EmulatedAws {
  let aws: EmulatedAws | undefined;
  let folder: string | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'emulated-aws-'));
    const emulators = await startAwsEmulators({
      environment: readDevEnvironment(),
      logDirectory: folder,
      temporaryDirectory: join(folder, 'tmp'),
      onProgress: () => {},
    });
    for (const [name, value] of Object.entries(emulators.env)) vi.stubEnv(name, value);
    aws = { clients: createAwsClients({ region: EMULATED_REGION, forcePathStyle: true }), emulators };
  });

  afterAll(async () => {
    aws?.clients.destroy();
    await aws?.emulators.close();
    vi.unstubAllEnvs();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  return () => {
    if (!aws) throw new Error('the emulators run only while tests do');
    return aws;
  };
}

/** Notes the calls that a client makes, by name, until it is told to stop. */
export function noteCalls({ middlewareStack }: AnyClient): {
  readonly calls: readonly string[];
  stop(): void;
} {
  const calls: string[] = [];
  middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        calls.push(commandName.replace(/Command$/, ''));
        return next(args);
      },
    { step: 'initialize', name: 'noteCalls' },
  );
  return { calls, stop: () => void middlewareStack.remove('noteCalls') };
}

/** Any client of the SDK, as far as middleware is concerned. */
interface AnyClient {
  readonly middlewareStack: MiddlewareStack & { remove(name: string): boolean };
}

/**
 * Answers as S3 does to whoever may not list these buckets: 403 for an object that is not there (API reference, GetObject
 * and HeadObject), until what is returned is called.
 */
export function withoutListing({ middlewareStack }: AnyClient, buckets: readonly string[]): () => void {
  middlewareStack.add(
    <Args, Output>(next: (args: Args) => Promise<Output>) =>
      async (args: Args) => {
        try {
          return await next(args);
        } catch (error) {
          const { Bucket } = Object(Object(args).input);
          if (!isNotFound(error) || !(error instanceof Error) || !buckets.includes(Bucket)) throw error;
          // HEAD has no body that could say more.
          const name = error.name === 'NotFound' ? 'Forbidden' : 'AccessDenied';
          throw Object.assign(new Error(name), { name, $metadata: { httpStatusCode: 403 } });
        }
      },
    { step: 'initialize', name: 'withoutListing' },
  );
  return () => void middlewareStack.remove('withoutListing');
}

/**
 * Lets reads lag behind: the next `times` calls of `read` that follow a call of `change` are answered as the last one before
 * was. What is returned stops that, and answers how many calls were.
 */
export function lagBehind(
  { middlewareStack }: AnyClient,
  { change, read, times }: { readonly change: string; readonly read: string; readonly times: number },
): () => number {
  let before: Promise<unknown> | undefined;
  let left = 0;
  let lagged = 0;
  middlewareStack.add(
    <Args, Output>(next: (args: Args) => Promise<Output>, { commandName = '' }: { commandName?: string }) =>
      async (args: Args) => {
        if (commandName === `${read}Command` && left > 0 && before) {
          left -= 1;
          lagged += 1;
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an answer to the same operation
          return before as Promise<Output>;
        }
        const answer = next(args);
        if (commandName === `${read}Command`) before = answer;
        await answer;
        if (commandName === `${change}Command`) left = times;
        return answer;
      },
    { step: 'initialize', name: 'lagBehind' },
  );
  return () => {
    middlewareStack.remove('lagBehind');
    return lagged;
  };
}
