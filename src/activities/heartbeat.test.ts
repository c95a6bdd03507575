import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { withHeartbeat } from './heartbeat.ts';

function observed(env: MockActivityEnvironment): unknown[] {
  const beats: unknown[] = [];
  env.on('heartbeat', (details: unknown) => beats.push(details));
  return beats;
}

describe('withHeartbeat', () => {
  it('beats at once and again while the function runs, and not after it', async () => {
    const env = new MockActivityEnvironment({ heartbeatTimeoutMs: 60 });
    const beats = observed(env);

    await env.run(async () => withHeartbeat(async () => sleep(130)));
    const atEnd = beats.length;
    await sleep(80);

    expect(atEnd).toBeGreaterThanOrEqual(4);
    expect(beats).toHaveLength(atEnd);
  });

  it('stops beating when the function fails', async () => {
    const env = new MockActivityEnvironment({ heartbeatTimeoutMs: 30 });
    const beats = observed(env);

    await expect(
      env.run(async () => withHeartbeat(async () => Promise.reject(new Error('boom')))),
    ).rejects.toThrow('boom');
    const atEnd = beats.length;
    await sleep(60);

    expect(beats).toHaveLength(atEnd);
  });

  it('aborts the signal with the cancellation as its reason', async () => {
    const env = new MockActivityEnvironment({ heartbeatTimeoutMs: 1000 });
    const running = env.run(async () =>
      withHeartbeat(async ({ signal }) => {
        await sleep(5_000, undefined, { signal }).catch(() => undefined);
        return signal.reason as unknown;
      }),
    );
    env.cancel();

    await expect(running).resolves.toBeInstanceOf(CancelledFailure);
  });

  it('hands over what the previous attempt reported, and sends on what is reported now', async () => {
    const env = new MockActivityEnvironment({ heartbeatTimeoutMs: 1000, heartbeatDetails: { offset: 7 } });
    const beats = observed(env);

    const previous = await env.run(async () =>
      withHeartbeat(async ({ previous, report }) => {
        report({ offset: 9 });
        return Promise.resolve(previous);
      }),
    );

    expect(previous).toEqual({ offset: 7 });
    expect(beats).toEqual([{ offset: 7 }, { offset: 9 }]);
  });
});
