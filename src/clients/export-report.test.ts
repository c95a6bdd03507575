import { describe, expect, it } from 'vitest';
import { parseExportReport } from './export-report.ts';

describe('the report of an export task', () => {
  it('names each file that was not written, and why', () => {
    const report = 'myRestrictedFile,failed,S3AccessDenied\ndir1/myLargeFile,failed,FileSizeTooLarge\n';
    expect(parseExportReport(report)).toEqual([
      { path: 'myRestrictedFile', error: 'S3AccessDenied' },
      { path: 'dir1/myLargeFile', error: 'FileSizeTooLarge' },
    ]);
  });

  // The examples of the guide.
  it.each([
    ['"""@filename.txt"""', '@filename.txt'],
    ['"""+filename.txt"""', '+filename.txt'],
    ["'=1+1.txt'", '=1+1.txt'],
    ['"file,name.txt"', 'file,name.txt'],
    ['"file""name.txt"', 'file"name.txt'],
    ['"line\nbreak"', 'line\nbreak'],
  ])('reads %s as the name that the file has', (written, path) => {
    expect(parseExportReport(`${written},failed,InternalError`)).toEqual([{ path, error: 'InternalError' }]);
  });

  it('is empty when nothing failed', () => {
    expect(parseExportReport('')).toEqual([]);
    expect(parseExportReport('a,succeeded,\n')).toEqual([]);
  });
});
