import type { PreflightReport, PreflightRequest } from '../domain/preflight.ts';
import { activities } from './activities.ts';

/** Judges a cluster that nobody has asked for yet: the dry run of a request. Makes nothing. */
export async function preflight(request: PreflightRequest): Promise<PreflightReport> {
  return activities.preflight(request);
}
