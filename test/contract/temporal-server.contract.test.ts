import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { findTemporalProgram } from '../../src/dev/temporal-binaries.ts';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';
import type { TemporalServer } from '../../src/dev/temporal-server.ts';

const environment = readDevEnvironment();
let directory: string;
let server: TemporalServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'temporal-contract-'));
  server = await startTemporalServer({
    executable: await findTemporalProgram('temporal', environment, () => {}),
    databaseFile: join(directory, 'state', 'temporal.sqlite'),
    logDirectory: directory,
    env: environment.inherited,
  });
});

afterAll(async () => {
  await server?.close();
  await rm(directory, { recursive: true });
});

describe('the Temporal server', () => {
  it('serves the namespace, its UI, and keeps its state in the file', async () => {
    const connection = await Connection.connect({ address: server.address });
    const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    await connection.close();
    expect(namespaceInfo?.name).toBe('default');
    expect((await fetch(server.uiUrl)).status).toBe(200);
    await expect(access(join(directory, 'state', 'temporal.sqlite'))).resolves.toBeUndefined();
  });

  it('listens no longer once it is closed, which may be said twice', async () => {
    await server.close();
    await server.close();
    await expect(fetch(server.uiUrl)).rejects.toThrow('fetch failed');
  });
});
