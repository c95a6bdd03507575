import { finished, pipeline } from 'node:stream/promises';
import { PassThrough, Readable } from 'node:stream';
import { ZipFile } from 'yazl';

/** One file of an archive. Its size need not be known. */
export interface ArchiveMember {
  readonly name: string;
  readonly modifiedAt: Date;
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** `rw-r--r--` of a plain file. */
const MODE = 0o100644;

/**
 * A ZIP archive, written while it is read: one member at a time, each asked for when the one before has been sent. If
 * a member fails, the stream fails, and what was sent lacks the directory at its end that makes an archive whole.
 */
export function zipStream(members: AsyncIterable<ArchiveMember>): Readable {
  const zip = new ZipFile();
  const output = new PassThrough();
  const gone = new AbortController();
  output.once('close', () => gone.abort());
  const fail = (error: unknown) => output.destroy(error instanceof Error ? error : new Error(String(error)));
  // Not `once`: when the reader goes, member and archive can both fail, and an error that nobody listens to ends the process.
  zip.on('error', fail);
  pipeline(zip.outputStream, output).catch(fail);
  addAll(zip, members, gone.signal).catch(fail);
  return output;
}

async function addAll(
  zip: ZipFile,
  members: AsyncIterable<ArchiveMember>,
  signal: AbortSignal,
): Promise<void> {
  for await (const { name, modifiedAt, content } of members) {
    signal.throwIfAborted();
    const source = Readable.from(content, { objectMode: false });
    // After the reader has gone nothing else listens to it.
    source.on('error', () => {});
    zip.addReadStream(source, name, { mtime: modifiedAt, mode: MODE });
    await finished(source, { signal });
  }
  zip.end();
}
