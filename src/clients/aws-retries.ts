import { StandardRetryStrategy } from '@smithy/core/retry';

type RetryToken = Awaited<ReturnType<StandardRetryStrategy['acquireInitialRetryToken']>>;
type RetryStrategy = Pick<
  StandardRetryStrategy,
  'mode' | 'acquireInitialRetryToken' | 'refreshRetryTokenForRetry' | 'recordSuccess'
>;

/**
 * The SDK's mode `standard`, with the retry quota counted for each call by itself. The SDK counts it over all calls of a client
 * ("Retry behavior" in the AWS SDKs and Tools Reference Guide: 500 tokens, 5 for a retry), and makes no retry at all while it is
 * used up. A worker serves many tenants with one client: calls that fail for some would take the retries of all, and an
 * activity of ten calls would hardly ever end. What keeps us from storming AWS is that there are few tries of a call, and
 * growing pauses between those of an activity.
 */
export function retriesOfEachCall(maxAttempts: number): RetryStrategy {
  const strategies = new WeakMap<RetryToken, StandardRetryStrategy>();
  const strategyOf = (token: RetryToken) => strategies.get(token) ?? new StandardRetryStrategy(maxAttempts);
  return {
    mode: 'standard',
    async acquireInitialRetryToken(scope) {
      const strategy = new StandardRetryStrategy(maxAttempts);
      const token = await strategy.acquireInitialRetryToken(scope);
      strategies.set(token, strategy);
      return token;
    },
    async refreshRetryTokenForRetry(token, failure) {
      const strategy = strategyOf(token);
      const next = await strategy.refreshRetryTokenForRetry(token, failure);
      strategies.set(next, strategy);
      return next;
    },
    recordSuccess(token) {
      strategyOf(token).recordSuccess(token);
    },
  };
}
