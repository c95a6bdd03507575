import { execa } from 'execa';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commandRequirement, ensureSystemPackages } from '../../src/dev/system-packages.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** As much of the AWS CLI as the example uses; it takes no other arguments. */
const AWS_CLI = `#!${process.execPath}
import { GetSecretValueCommand, SecretsManagerClient } from '${
  pathToFileURL(join(ROOT, 'node_modules/@aws-sdk/client-secrets-manager/dist-cjs/index.js')).href
}';
const [service, command, option, secretId, ...rest] = process.argv.slice(2);
const call = [service, command, option, ...rest].join(' ');
if (call !== 'secretsmanager get-secret-value --secret-id --query SecretString --output text') {
  console.error('not what this stand-in can do: ' + call);
  process.exit(2);
}
const client = new SecretsManagerClient({ region: process.env.AWS_REGION });
console.log((await client.send(new GetSecretValueCommand({ SecretId: secretId }))).SecretString);
`;

/** What the example of docs/own-login.md prints when it is run as it stands there. */
export async function runDocumentedLogin(env: {
  readonly CLUSTER_URL: string;
  readonly API_TOKEN: string;
  readonly [aws: string]: string;
}): Promise<string> {
  await ensureSystemPackages(
    [commandRequirement('ssh', 'openssh-client'), commandRequirement('curl'), commandRequirement('jq')],
    { onProgress: () => {} },
  );
  const document = readFileSync(join(ROOT, 'docs/own-login.md'), 'utf8');
  const [, example = ''] = /^```bash\n([^]*?)^```$/m.exec(document) ?? [];
  const directory = await mkdtemp(join(tmpdir(), 'documented-login-'));
  try {
    await writeFile(join(directory, 'package.json'), '{"type":"module"}');
    await writeFile(join(directory, 'aws'), AWS_CLI, { mode: 0o755 });
    const { stdout } = await execa('bash', ['-c', example], {
      env: { ...env, PATH: `${directory}:/usr/bin:/bin`, TMPDIR: directory, HOME: directory },
      extendEnv: false,
      stdin: 'ignore',
    });
    return stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}
