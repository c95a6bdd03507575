/** An error as FSx answers it. */
export class FsxError extends Error {
  override readonly name = 'FsxError';
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}
