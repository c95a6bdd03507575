import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { startApi } from '../../src/runtime/api-server.ts';
import { readApiConfig } from '../../src/runtime/config.ts';
import { clusterUrl } from './fakes.ts';
import { TOKEN } from './support.ts';

/** Port 9 (discard): nobody listens there. */
const config = readApiConfig({
  TEMPORAL_ADDRESS: '127.0.0.1:9',
  AWS_REGION: 'us-east-1',
  CONTROL_BUCKET: 'control',
  API_PORT: '0',
  API_TOKEN: TOKEN,
});

describe('startApi', () => {
  it('listens on loopback although Temporal is away, says so, and is gone when closed', async () => {
    const api = await startApi(config, pino({ level: 'silent' }));
    const health = await fetch(`${api.url}/healthz`);
    const readiness = await fetch(`${api.url}/readyz`);
    const started = performance.now();
    const view = await fetch(`${api.url}${clusterUrl()}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const tookMs = performance.now() - started;
    await api.close();

    expect(api.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect([health.status, readiness.status, view.status]).toEqual([200, 503, 503]);
    expect(await view.json()).toMatchObject({ type: '/problems/TemporalUnavailable' });
    expect(tookMs).toBeLessThan(2_000);
    await expect(fetch(`${api.url}/healthz`)).rejects.toThrow('fetch failed');
  });

  it('leaves nothing open when the port is taken', async () => {
    const api = await startApi(config, pino({ level: 'silent' }));
    const port = Number(new URL(api.url).port);

    await expect(startApi({ ...config, port }, pino({ level: 'silent' }))).rejects.toThrow('EADDRINUSE');
    await api.close();
  });
});
