import * as fc from 'fast-check';
import type { JobSpecInput } from '../../src/domain/job.ts';

/** A word for each kind of a caller's text, by which that text is found wherever it turns up. */
export const canaries = {
  name: 'canary-of-name',
  script: 'canary-of-script',
  argument: 'canary-of-argument',
  variable: 'CANARY_OF_VARIABLE',
  value: 'canary-of-value',
  directory: 'canary-of-directory',
  module: 'canary-of-module',
} as const;

/** What a shell, sbatch, printf, xargs or a terminal would take for something else. Code would leave a file `pwned`. */
const pieces = [
  `'`,
  `"`,
  '\\',
  '`touch $HOME/pwned`',
  '$(touch $HOME/pwned)',
  '; touch $HOME/pwned; #',
  `'; touch $HOME/pwned; '`,
  '%s%n%j%A',
  '#',
  '#SBATCH --hold',
  '--wrap=true',
  '-n',
  ' ',
  '${HOME} $$ !! ~ * ? [a-z] {1,2} | & > <',
  'é日本\u{1F600}',
  '\u202E\uFEFF',
] as const;
/** Fields of one line take none of these. */
const lineBreaks = [
  '\n',
  '\r\n',
  '\n#SBATCH --hold\n',
  '\ntouch $HOME/pwned\n',
  '\nEOF\n',
  '\u001F\u001E',
] as const;

/** Texts with a canary in them, at their beginning, in the middle or at their end. */
function textsWith(
  canary: string,
  parts: readonly string[] = [...pieces, ...lineBreaks],
): fc.Arbitrary<string> {
  const some = fc.array(fc.constantFrom(...parts), { maxLength: 4 }).map((chosen) => chosen.join(''));
  return fc.tuple(some, some).map(([before, after]) => `${before}${canary}${after}`);
}

const variables = fc
  .array(textsWith(canaries.value), { minLength: 1, maxLength: 3 })
  .map((values) =>
    Object.fromEntries(values.map((value, index) => [`${canaries.variable}_${index}`, value])),
  );

const programs = fc.oneof(
  fc.record({
    script: textsWith(canaries.script)
      .filter((text) => !/^#SBATCH\b/m.test(text))
      .map((text) => `#!/bin/bash\n: <<'END OF TEXT'\n${text}\nEND OF TEXT\n`),
  }),
  fc.record({
    command: fc
      .array(textsWith(canaries.argument), { minLength: 1, maxLength: 4 })
      .map((texts) => ['printf', String.raw`%s\0`, ...texts]),
  }),
);

/** Jobs as hostile as the schema lets them be; their keys differ. `below`: where the directories are that they name. */
export function hostileJobs(maxLength: number, below = '/nowhere'): fc.Arbitrary<JobSpecInput[]> {
  const job = fc
    .tuple(
      programs,
      fc.record(
        {
          // The limit is 128; a test may make the canary longer.
          name: textsWith(canaries.name, pieces).filter((name) => name.length <= 100),
          environment: variables,
          workingDirectory: textsWith(canaries.directory, pieces).map(
            (name) => `${below}/${name.replaceAll('/', '_')}`,
          ),
          modules: fc.constant<string[]>([`${canaries.module}/1.0+x`]),
          array: fc.constantFrom({ indexes: '0-2:2' }, { indexes: '1,3', maxRunningTasks: 1 }),
        },
        { requiredKeys: ['name', 'environment'] },
      ),
      fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,9}[A-Za-z0-9])?$/),
    )
    .map(([program, others, key]): Omit<JobSpecInput, 'key'> & { key: string } => ({
      ...program,
      ...others,
      key,
    }));
  return fc
    .array(job, { minLength: 1, maxLength })
    .map((jobs) => jobs.map((each, index) => ({ ...each, key: `${index}-${each.key}` })));
}
