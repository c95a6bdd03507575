import { inject } from 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Whether tests run at full size (`npm run test:full`). */
    fullTests: boolean;
  }
}

/** The size of a test: the small one in `npm test`, the full one in `npm run test:full`. */
export function atScale<T>(small: T, full: T): T {
  return inject('fullTests') ? full : small;
}
