import { parse } from 'csv-parse/sync';
import { z } from 'zod';

const rowsSchema = z.array(z.array(z.string()));

/**
 * The failures in a report of an FSx export task: lines of `path,status,code` in RFC 4180's encoding. Paths that begin
 * with one of `@+-=` stand in quotation marks besides (FSx for Lustre guide, "Working with task completion reports").
 */
export function parseExportReport(csv: string): { readonly path: string; readonly error: string }[] {
  const rows = rowsSchema.parse(parse(csv, { relaxColumnCount: true, skipEmptyLines: true }));
  return rows.flatMap(([path = '', status = '', error = '']) =>
    status === 'failed' ? [{ path: unquoted(path), error: error || status }] : [],
  );
}

function unquoted(path: string): string {
  const [, , inner] = /^(["'])([@+=-].*)\1$/s.exec(path) ?? [];
  return inner ?? path;
}
