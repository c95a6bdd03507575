import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { findTemporalProgram } from '../../src/dev/temporal-binaries.ts';
import { startTemporalServer, type TemporalServer } from '../../src/dev/temporal-server.ts';

/** A real Temporal of its own, whose state ends with it. */
export async function startTemporal(): Promise<TemporalServer> {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-'));
  const environment = readDevEnvironment();
  const server = await startTemporalServer({
    executable: await findTemporalProgram('temporal', environment, () => {}),
    databaseFile: join(folder, 'temporal.db'),
    logDirectory: folder,
    env: environment.inherited,
  });
  return {
    ...server,
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
