import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, ScheduleNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { findTemporalProgram } from '../../src/dev/temporal-binaries.ts';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';
import type { TemporalServer } from '../../src/dev/temporal-server.ts';
import { ensureSchedule } from '../../src/runtime/schedules.ts';

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

  it('has a Schedule that was asked for, once and as often as was asked last, until it is to be every 0 seconds', async () => {
    const connection = await Connection.connect({ address: server.address });
    const { schedule } = new Client({ connection });
    const ensure = async (everySeconds: number) =>
      ensureSchedule(new Client({ connection }), 'refresh-prices', { taskQueue: 'nobody', everySeconds });
    await ensure(3600);
    await schedule.getHandle('refresh-prices').pause('by an operator');
    await ensure(60);
    const { spec, state, action } = await schedule.getHandle('refresh-prices').describe();
    expect(spec.intervals).toEqual([expect.objectContaining({ every: 60_000 })]);
    expect(state.paused).toBe(true);
    expect(action).toMatchObject({ workflowType: 'refreshPrices', taskQueue: 'nobody' });
    await ensure(0);
    await expect(schedule.getHandle('refresh-prices').describe()).rejects.toThrow(ScheduleNotFoundError);
    await expect(ensure(0)).resolves.toBeUndefined();
    await connection.close();
  });

  it('listens no longer once it is closed, which may be said twice', async () => {
    await server.close();
    await server.close();
    await expect(fetch(server.uiUrl)).rejects.toThrow('fetch failed');
  });
});
