import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const judgement = z.object({ commands: z.array(z.string()), problems: z.array(z.string()) });

/** Judges the commands of the AWS CLI in lines of shell by AWS's own models. */
async function judge(lines: readonly string[]) {
  const venv = await ensureVenv({ ...readDevEnvironment(), name: 'moto', onProgress: () => {} });
  const script = join(ROOT, 'test', 'support', 'check_commands.py');
  const child = spawn(join(venv, 'bin', 'python'), [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(lines));
  return judgement.parse(JSON.parse(await text(child.stdout)));
}

/** Blocks of bash, a line for each command, and code in the text, as a reader would copy it from the page. */
function linesOf(markdown: string): string[] {
  const fence = /^```bash\n([\s\S]*?)^```$/gm;
  const blocks = [...markdown.matchAll(fence)].flatMap(([, block = '']) =>
    block.replaceAll(/\\\n\s*/g, ' ').split('\n'),
  );
  const spans = [
    ...markdown.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/(?<!`)(`+)((?:(?!\n\n)[^])+?)(?<!`)\1(?!`)/g),
  ];
  // A code span between two backticks may hold single ones (CommonMark); in a table, a pipe is written \|.
  return [
    ...blocks,
    ...spans.map(([, , code = '']) =>
      code
        .trim()
        .replaceAll('\n', ' ')
        .replaceAll(String.raw`\|`, '|'),
    ),
  ];
}

describe('commands of the AWS CLI in the documentation', () => {
  it.each([
    ['docs/not-yet-run-on-aws.md', 25],
    ['docs/operations.md', 2],
    ['docs/own-login.md', 1],
    ['infra/README.md', 5],
  ])('in %s exist, with the options that they have', async (file, atLeast) => {
    const { commands, problems } = await judge(linesOf(await readFile(join(ROOT, file), 'utf8')));

    expect(problems).toEqual([]);
    expect(commands.length).toBeGreaterThanOrEqual(atLeast);
  });

  it('are exact: nothing in what is to be run on AWS is left to guess', async () => {
    const lines = linesOf(await readFile(join(ROOT, 'docs', 'not-yet-run-on-aws.md'), 'utf8'));
    const { commands } = await judge(lines);

    expect(commands.filter((command) => command.includes('…'))).toEqual([]);
  });

  it('would be found to be wrong', async () => {
    const { problems } = await judge([
      'aws iam list-policies --path-prefix /parallelcluster/provisioner-pcluster',
      'aws logs get-log-events --log-group-name x',
      "aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[?State!=`available]'",
      'until [ "$(aws fsx describe-file-system)" ]; do sleep 1; done',
      'aws ec2 describe-instances --filters Name=tag-key,Value=x',
      'x=$(aws cloudwatch get-metric-statistics --namespace AWS/FSx --metric-name M --period 60 | jq .)',
    ]);

    expect(problems).toEqual([
      expect.stringMatching(/list-policies .*: --path-prefix .* does not match/),
      expect.stringContaining(': --log-stream-name is missing'),
      expect.stringContaining(': --query is no JMESPath'),
      expect.stringContaining(': there is no operation describe-file-system'),
      expect.stringContaining(': --filters Name=tag-key,Value=x: there is no member Value'),
      expect.stringContaining(': --start-time is missing'),
      expect.stringContaining(': --end-time is missing'),
    ]);
  });
});
