import { CloudFormationClient, CloudFormationServiceException } from '@aws-sdk/client-cloudformation';
import { EC2Client, EC2ServiceException } from '@aws-sdk/client-ec2';
import { Command } from 'commander';
import { environmentLines } from './environment-lines.ts';
import { FoundationError } from './foundation-error.ts';
import { deployFoundation } from './foundation.ts';
import { readParameters } from './parameter-file.ts';

/** Region and credentials come from the SDK's own environment (AWS_REGION, AWS_PROFILE, …). */
async function deploy(options: { parameters: string; name: string; plan: boolean }): Promise<void> {
  const parameters = await readParameters(options.parameters);
  const cloudFormation = new CloudFormationClient();
  const ec2 = new EC2Client();
  try {
    await refuseWithoutAccess(cloudFormation);
    const outputs = await deployFoundation({
      cloudFormation,
      ec2,
      name: options.name,
      parameters,
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

/** The SDK would tell so only in the middle of its first call, in words of its own. */
async function refuseWithoutAccess({ config }: CloudFormationClient): Promise<void> {
  try {
    await config.region();
    await config.credentials();
  } catch (error) {
    throw new FoundationError(
      `No region or no credentials of AWS: ${error instanceof Error ? error.message : String(error)}. Set AWS_REGION, and AWS_PROFILE or what else AWS's SDK takes; \`aws sts get-caller-identity\` shows whether it works.`,
    );
  }
}

/** Expected failures say what to do, and so does AWS; anything else is a bug and keeps its stack. */
function inWords(error: unknown): string {
  if (error instanceof FoundationError) return error.message;
  if (error instanceof CloudFormationServiceException || error instanceof EC2ServiceException)
    return `AWS refused: ${error.name}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
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
  process.stderr.write(`${inWords(error)}\n`);
  process.exitCode = 1;
}
