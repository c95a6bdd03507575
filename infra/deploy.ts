import { readFile } from 'node:fs/promises';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { EC2Client } from '@aws-sdk/client-ec2';
import { Command } from 'commander';
import { parse } from 'yaml';
import { z } from 'zod';
import { environmentLines } from './environment-lines.ts';
import { FoundationError } from './foundation-error.ts';
import { deployFoundation } from './foundation.ts';

/** YAML reads 50 and true as what they are; CloudFormation takes strings. */
const parameterFile = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String));

/** Region and credentials come from the SDK's own environment (AWS_REGION, AWS_PROFILE, …). */
async function deploy(options: { parameters: string; name: string; plan: boolean }): Promise<void> {
  const cloudFormation = new CloudFormationClient();
  const ec2 = new EC2Client();
  try {
    const outputs = await deployFoundation({
      cloudFormation,
      ec2,
      name: options.name,
      parameters: parameterFile.parse(parse(await readFile(options.parameters, 'utf8'))),
      planOnly: options.plan,
      onProgress: (line) => process.stderr.write(`${line}\n`),
    });
    if (outputs === undefined) {
      process.stderr.write('Later stacks need the outputs of this one, which does not exist yet.\n');
    } else if (!options.plan) {
      const region = await cloudFormation.config.region();
      process.stdout.write(`${environmentLines(region, outputs).join('\n')}\n`);
    }
  } finally {
    cloudFormation.destroy();
    ec2.destroy();
  }
}

const program = new Command('infra:deploy')
  .description('create or update the foundation on AWS; prints lines for .env on standard output')
  .requiredOption('--parameters <file>', 'YAML with the parameters (infra/parameters.example.yaml)')
  .option('--name <name>', 'first part of the names of the stacks', 'hpc-foundation')
  .option('--plan', 'show what would change, and change nothing', false)
  .action(deploy);

try {
  await program.parseAsync();
} catch (error) {
  // Expected failures say what to do; anything else is a bug and keeps its stack.
  const text = error instanceof FoundationError ? error.message : error;
  process.stderr.write(`${text instanceof Error ? (text.stack ?? text.message) : String(text)}\n`);
  process.exitCode = 1;
}
