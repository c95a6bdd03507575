import { describe, expect, test } from 'vitest';
import {
  batchMessages,
  cutIntoPieces,
  decodePiece,
  encodePiece,
  LogAssembler,
  logStreamName,
  MAX_PIECE_BYTES,
} from './log-events.ts';

const MAX_MESSAGE_BYTES = 200 * 1024;

/** Bytes that repeat only after 2^32 of them; every test gets the same. */
function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Through JSON and back, as CloudWatch would hold it. */
function roundTrip(bytes: Uint8Array): Buffer {
  const pieces = cutIntoPieces(bytes, 0, true).map((piece) => decodePiece(encodePiece(piece)));
  return Buffer.concat(pieces.map((piece) => piece.bytes ?? Buffer.from('omitted')));
}

const messages = (text: string | Uint8Array) =>
  cutIntoPieces(Buffer.from(text), 0, true).map((piece) => JSON.parse(encodePiece(piece)) as unknown);

describe('a log as events', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a line', Buffer.from('hello\n')],
    ['no line break at the end', Buffer.from('hello')],
    ['carriage returns, tabs and blanks at the ends', Buffer.from(' 10%\r 20%\r\n\t\n  \n')],
    ['every byte there is', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['a byte order mark', Buffer.from('\uFEFFfirst\n')],
    ['a line of one megabyte', Buffer.alloc(1_048_576, 'x')],
    ['a line of characters of three bytes that no boundary fits', Buffer.from('–'.repeat(200_000))],
    ['a line of characters of four bytes', Buffer.from(`a${'\u{1F9E0}'.repeat(100_000)}`)],
    ['a megabyte of NUL', Buffer.alloc(1_048_576)],
    ['a megabyte of noise', noise(1_048_576)],
    ['continuation bytes only', Buffer.alloc(300_000, 0x80)],
    ['a character cut at the end', Buffer.from('é').subarray(0, 1)],
    ['text, noise, text', Buffer.concat([Buffer.from('a\nb\n'), noise(200_000), Buffer.from('\nc\n')])],
  ])('%s comes back byte for byte', (_name, bytes) => {
    expect(roundTrip(bytes).equals(bytes)).toBe(true);
    for (const piece of cutIntoPieces(bytes, 0, true)) {
      expect(Buffer.byteLength(encodePiece(piece))).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    }
  });

  test('text is readable as text, one line of JSON per event', () => {
    expect(messages('grüße\n"quoted"\n')).toEqual([{ offset: 0, text: 'grüße\n"quoted"\n' }]);
    expect(encodePiece({ offset: 7, bytes: Buffer.from('a\n\u0000b') })).toBe(
      String.raw`{"offset":7,"text":"a\n\u0000b"}`,
    );
  });

  test('a long text is cut after a line break', () => {
    const text = 'a line of some length\n'.repeat(20_000);
    const pieces = cutIntoPieces(Buffer.from(text), 0, true);
    expect(pieces.length).toBeGreaterThan(3);
    for (const { bytes } of pieces) expect(bytes.at(-1)).toBe(0x0a);
  });

  test('lines before bytes that are not text stay readable', () => {
    expect(messages(Buffer.from('step 1\nstep 2\n\xff\xfe\n', 'latin1'))).toEqual([
      { offset: 0, text: 'step 1\nstep 2\n' },
      { offset: 14, base64: '//4K' },
    ]);
  });

  test('what does not fill a piece waits while more is to come', () => {
    const bytes = Buffer.alloc(MAX_PIECE_BYTES + 10, 'x');
    expect(cutIntoPieces(bytes, 5, false)).toEqual([
      { offset: 5, bytes: bytes.subarray(0, MAX_PIECE_BYTES) },
    ]);
    expect(cutIntoPieces(bytes.subarray(0, 10), 5, false)).toEqual([]);
  });

  test('reading in parts of any size gives the same bytes', () => {
    const whole = Buffer.concat([Buffer.from('é\n'.repeat(90_000)), noise(150_000), Buffer.from('end')]);
    const assembler = new LogAssembler();
    const seen: Uint8Array[] = [];
    for (const partBytes of [MAX_PIECE_BYTES, 200_000]) {
      let offset = 0;
      while (offset < whole.length) {
        const part = whole.subarray(offset, offset + partBytes);
        const pieces = cutIntoPieces(part, offset, offset + part.length === whole.length);
        expect(pieces.length).toBeGreaterThan(0);
        for (const piece of pieces) {
          seen.push(...assembler.add(piece));
          offset = piece.offset + piece.bytes.length;
        }
      }
    }
    expect(Buffer.concat(seen).equals(whole)).toBe(true);
  });

  test('a message that is not ours is refused', () => {
    for (const message of [
      'plain text',
      '{}',
      '{"offset":-1,"text":""}',
      '{"offset":0,"text":"","base64":""}',
      '{"offset":0,"omittedBytes":0}',
      '{"offset":0,"text":"","omittedBytes":1}',
    ]) {
      expect(() => decodePiece(message)).toThrow('not one that this service wrote');
    }
  });

  test('the stream is named by epoch, campaign, job and kind', () => {
    expect(logStreamName({ epoch: 'e', campaignId: 'c', jobKey: 'j' }, 'stdout')).toBe('e/c/j/stdout');
  });
});

describe('batches', () => {
  test('hold at most what CloudWatch takes in one call, in order', () => {
    const big = Array.from({ length: 23 }, (_, index) => `${index}`.padEnd(180_000, '.'));
    const batches = batchMessages(big);
    expect(batches.flat()).toEqual(big);
    for (const batch of batches) {
      expect(batch.reduce((sum, message) => sum + message.length + 26, 0)).toBeLessThanOrEqual(1_048_576);
    }
    expect(batches[0]).toHaveLength(5);
  });

  test('hold at most 10,000 events', () => {
    expect(batchMessages(Array.from({ length: 25_000 }, () => 'x')).map((batch) => batch.length)).toEqual([
      10_000, 10_000, 5000,
    ]);
  });

  test('of nothing are none', () => {
    expect(batchMessages([])).toEqual([]);
  });
});

describe('LogAssembler', () => {
  const text = (pieces: Uint8Array[]) => Buffer.concat(pieces).toString();
  const piece = (offset: number, content: string) => ({ offset, bytes: Buffer.from(content) });

  test('drops what was there before, also where it was cut at other places', () => {
    const assembler = new LogAssembler();
    expect(text(assembler.add(piece(0, 'abc')))).toBe('abc');
    expect(text(assembler.add(piece(0, 'ab')))).toBe('');
    expect(text(assembler.add(piece(2, 'cdef')))).toBe('def');
    expect(assembler.position).toBe(6);
  });

  test('keeps a piece that came too early until the gap is closed', () => {
    const assembler = new LogAssembler();
    expect(text(assembler.add(piece(3, 'def')))).toBe('');
    expect(assembler.gapAt).toBe(0);
    expect(text(assembler.add(piece(0, 'abc')))).toBe('abcdef');
    expect(assembler.gapAt).toBeUndefined();
  });

  test('says in one line what was left out, and goes on behind it', () => {
    const assembler = new LogAssembler();
    const cut = { offset: 3, omittedBytes: 1000 };
    expect(encodePiece(cut)).toBe('{"offset":3,"omittedBytes":1000}');
    expect(text(assembler.add(piece(0, 'abc')))).toBe('abc');
    expect(text(assembler.add(piece(1003, 'xyz')))).toBe('');
    expect(text(assembler.add(decodePiece(encodePiece(cut))))).toBe('[… 1000 bytes left out …]\nxyz');
    expect(assembler.position).toBe(1006);
    expect(text(assembler.add(cut))).toBe('');
  });

  test('a reader that begins within what was left out is told how much of it follows', () => {
    const assembler = new LogAssembler(10);
    expect(text(assembler.add({ offset: 3, omittedBytes: 20 }))).toBe('[… 13 bytes left out …]\n');
    expect(text(assembler.add(piece(20, '345xyz')))).toBe('xyz');
  });

  test('continues at a position', () => {
    const assembler = new LogAssembler(4);
    expect(text(assembler.add(piece(0, 'abcdef')))).toBe('ef');
    expect(text(assembler.add(piece(9, 'x')))).toBe('');
    expect(assembler.gapAt).toBe(6);
  });
});
