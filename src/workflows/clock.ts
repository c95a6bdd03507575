/** The workflow's clock: the time of the current workflow task, the same at every replay. ISO 8601. */
export function nowIso(): string {
  return new Date().toISOString();
}
