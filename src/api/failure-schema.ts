import { z } from 'zod';
import { type Failure, failures, isFailureType } from '../domain/failures.ts';

export const failureFields = {
  type: z.enum([...Object.keys(failures).filter(isFailureType), 'Unexpected']),
  message: z.string(),
  nextStep: z.string(),
} satisfies Record<keyof Failure, z.ZodType>;

export const failureSchema: z.ZodType<Failure> = z.object(failureFields);
