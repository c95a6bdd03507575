import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { retriesOfEachCall } from './aws-retries.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** How often a call is sent that fails each time for a reason that passes. */
async function attempts(
  strategy: ReturnType<typeof retriesOfEachCall>,
  errorType: 'TRANSIENT' | 'CLIENT_ERROR',
) {
  let sent = 1;
  const run = (async () => {
    for (let token = await strategy.acquireInitialRetryToken('call'); ; sent++)
      token = await strategy.refreshRetryTokenForRetry(token, { errorType });
  })().catch(() => undefined);
  await vi.runAllTimersAsync();
  await run;
  return sent;
}

describe('a call to AWS', () => {
  test('is sent five times while it fails for a reason that passes, however many others have failed', async () => {
    const strategy = retriesOfEachCall(5);
    for (let call = 0; call < 200; call++) expect(await attempts(strategy, 'TRANSIENT')).toBe(5);
  });

  test('is sent once when it would fail again', async () => {
    expect(await attempts(retriesOfEachCall(5), 'CLIENT_ERROR')).toBe(1);
  });

  test('may succeed at any time', async () => {
    const strategy = retriesOfEachCall(5);
    const first = await strategy.acquireInitialRetryToken('call');
    strategy.recordSuccess(first);
    const again = strategy.refreshRetryTokenForRetry(first, { errorType: 'THROTTLING' });
    await vi.runAllTimersAsync();
    strategy.recordSuccess(await again);
    expect((await again).getRetryCount()).toBe(1);
  });
});
