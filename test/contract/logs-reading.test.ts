import { CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { beforeAll, describe, expect, test } from 'vitest';
import { createLogReader } from '../../src/clients/log-reader.ts';
import { encodePiece, type LogKind } from '../../src/domain/log-events.ts';
import { awkward, aws, campaignId, copy, files, location, streamOf, viewOf } from '../support/log-rig.ts';

describe('reading page by page', () => {
  let reader: ReturnType<typeof createLogReader>;
  beforeAll(() => {
    reader = createLogReader(aws().clients.logs);
  });
  const page = async (kind: LogKind, pageToken?: string) => {
    const asked = { location: location(), campaignId, jobKey: 'a', kind, ...(pageToken && { pageToken }) };
    const answer = await reader.read(asked);
    if (!answer) throw new Error('nothing was written');
    return answer;
  };

  test('the pages of a long log are together the log', async () => {
    const long = Buffer.concat([awkward, awkward, awkward]);
    files.write('a', 'stdout', long);
    await copy();
    let next = await page('stdout');
    const pages = [next];
    while (!next.atEnd) pages.push((next = await page('stdout', next.nextPageToken)));
    expect(pages.length).toBeGreaterThan(2);
    expect(Buffer.concat(pages.map(({ content }) => content)).equals(long)).toBe(true);
  });

  test('the token of the end leads to what is written later, and to nothing else', async () => {
    files.write('a', 'stdout', 'one\n');
    await copy();
    const first = await page('stdout');
    expect(Buffer.from(first.content).toString()).toBe('one\n');
    const empty = await page('stdout', first.nextPageToken);
    expect(empty).toMatchObject({ content: Buffer.alloc(0), atEnd: true });
    files.write('a', 'stdout', 'one\ntwo\n');
    await copy();
    expect(Buffer.from((await page('stdout', empty.nextPageToken)).content).toString()).toBe('two\n');
  });

  test('a document comes again only when it has changed', async () => {
    await copy();
    const first = await page('info');
    expect((await page('info', first.nextPageToken)).content).toHaveLength(0);
    await copy([{ jobKey: 'a', view: { ...viewOf('a'), reason: 'Another.' } }]);
    expect(Buffer.from((await page('info', first.nextPageToken)).content).toString()).toContain('Another.');
  });

  test('a token that is not ours is refused', async () => {
    await copy();
    await expect(page('info', 'bm90IG91cnM')).rejects.toMatchObject({ type: 'InvalidRequest' });
  });

  test('a part that is missing is an error, never silence', async () => {
    const { logs } = aws().clients;
    await logs.send(new CreateLogStreamCommand(streamOf('stdout')));
    const messages = [
      encodePiece({ offset: 0, bytes: Buffer.from('one\n') }),
      encodePiece({ offset: 9, bytes: Buffer.from('three\n') }),
    ];
    const logEvents = messages.map((message, index) => ({ timestamp: Date.now() + index, message }));
    await logs.send(new PutLogEventsCommand({ ...streamOf('stdout'), logEvents }));
    await expect(page('stdout')).rejects.toMatchObject({ type: 'LogIncomplete', details: { gapAt: 4 } });
  });
});
