/** The foundation cannot be deployed as asked for. The message says why, and what to do. */
export class FoundationError extends Error {
  override readonly name = 'FoundationError';
}
