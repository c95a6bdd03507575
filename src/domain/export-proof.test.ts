import { describe, expect, it } from 'vitest';
import { type ExportEvidence, judgeExport, MAX_LISTED_FILES } from './export-proof.ts';

const succeeded: ExportEvidence = {
  fileSystemId: 'fs-1',
  at: '2026-11-26T00:00:00.000Z',
  exportedPaths: ['/scratch'],
  links: [{ path: '/scratch', lifecycle: 'AVAILABLE' }],
  task: { taskId: 'task-1', lifecycle: 'SUCCEEDED', total: 3, succeeded: 3, failed: 0 },
  failedFiles: [],
  oldestQueuedSeconds: 0,
  sample: { listed: 3, compared: 3, differing: [] },
};
const task = { taskId: 'task-1', lifecycle: 'FAILED', total: 3, succeeded: 2, failed: 0 };

describe('the verdict on an export', () => {
  it('is a proof when FSx, CloudWatch and S3 say the same', () => {
    expect(judgeExport(succeeded)).toEqual({
      status: 'proven',
      proof: {
        version: 1,
        fileSystemId: 'fs-1',
        provenAt: succeeded.at,
        taskId: 'task-1',
        exportedPaths: ['/scratch'],
        files: { total: 3, succeeded: 3, failed: 0 },
        oldestQueuedSeconds: 0,
        sample: { listed: 3, compared: 3 },
      },
    });
  });

  it('is one without the head node and without a value of CloudWatch', () => {
    expect(judgeExport({ ...succeeded, sample: null, oldestQueuedSeconds: null }).status).toBe('proven');
  });

  const wrong: readonly [string, Partial<ExportEvidence>, string][] = [
    [
      'a link that is MISCONFIGURED',
      { links: [{ path: '/scratch', lifecycle: 'MISCONFIGURED' }] },
      'link-misconfigured',
    ],
    ['a link that is missing', { links: [{ path: '/scratch', lifecycle: 'MISSING' }] }, 'link-misconfigured'],
    ['a task that did not end', { task: undefined }, 'task-hangs'],
    ['a task that failed', { task: { ...task, failureMessage: 'internal error' } }, 'task-failed'],
    ['a task that was cancelled', { task: { ...task, lifecycle: 'CANCELED', succeeded: 3 } }, 'task-failed'],
    [
      'a task that wrote fewer files than there are',
      { task: { ...task, lifecycle: 'SUCCEEDED' } },
      'task-failed',
    ],
    ['failures that only the task counts', { task: { ...task, failed: 1 } }, 'files-not-exported'],
    ['failures that only the report has', { failedFiles: [{ path: 'a', error: 'b' }] }, 'files-not-exported'],
    ['a queue that is not empty', { oldestQueuedSeconds: 1 }, 'queue-not-empty'],
    [
      'a file that S3 has otherwise',
      {
        sample: { listed: 3, compared: 3, differing: [{ path: '/data/scratch/a', error: 'has no object' }] },
      },
      'sample-differs',
    ],
  ];

  it.each(wrong)('is none after %s', (_what, difference, kind) => {
    expect(judgeExport({ ...succeeded, ...difference })).toMatchObject({
      status: 'unproven',
      problems: [{ kind }],
    });
  });

  it('names every problem at once, and not more files than a workflow can carry', () => {
    const failedFiles = Array.from({ length: 1000 }, (_, index) => ({
      path: `file-${index}`,
      error: 'Denied',
    }));
    const verdict = judgeExport({ ...succeeded, failedFiles, oldestQueuedSeconds: 9 });
    expect(verdict).toMatchObject({
      problems: [{ kind: 'files-not-exported', fileCount: 1000 }, { kind: 'queue-not-empty' }],
    });
    const [first] = verdict.status === 'unproven' ? verdict.problems : [];
    expect(first?.files).toHaveLength(MAX_LISTED_FILES);
  });
});
