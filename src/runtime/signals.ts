/** Waits for SIGINT or SIGTERM, or for `ended`; rejects when that does. */
export async function untilToldToStop(ended?: Promise<void>): Promise<void> {
  const told = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await (ended ? Promise.race([told, ended]) : told);
}
