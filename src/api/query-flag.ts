import { z } from 'zod';

/** A parameter of a query that is `true` or left out. */
export function queryFlag(description: string) {
  return z.enum(['true', 'false']).default('false').meta({ description });
}
