import { readFile } from 'node:fs/promises';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { FoundationError } from './foundation-error.ts';
import type { Values } from './templates.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()]);
/** YAML reads 50 and true as what they are, and CloudFormation takes strings; it writes lists with commas. */
const parameterFile = z.record(
  z.string(),
  z.union([scalar, z.array(scalar)]).transform((value) => [value].flat().join(',')),
);

/**
 * The parameters in a YAML file.
 *
 * @throws FoundationError when it cannot be read, or holds something else than names and values.
 */
export async function readParameters(file: string): Promise<Values> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new FoundationError(
      `${file} cannot be read (${error instanceof Error ? error.message : String(error)}). Copy infra/parameters.example.yaml and set what stands in it.`,
    );
  });
  const read = parameterFile.safeParse(parsed(file, text));
  if (read.success) return read.data;
  const problems = read.error.issues.map(
    ({ path }) => `  - ${path.join('.') || 'the file'} is no text, number, boolean or list of them`,
  );
  throw new FoundationError(
    [`${file} is not as infra/parameters.example.yaml, "name: value" on each line:`, ...problems].join('\n'),
  );
}

function parsed(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new FoundationError(`${file} is no YAML: ${error.message}`, { cause: error });
  }
}
