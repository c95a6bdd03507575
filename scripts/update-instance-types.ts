/*
 * Writes src/domain/instance-types.json: what EC2 says of its instance types. Without credentials of an AWS account,
 * from the emulator, which carries a copy of AWS's own answers. A Region of AWS answers for the types that it offers: the
 * others stay as they were.
 *
 *   npm run instance-types:update             from the emulator
 *   npm run instance-types:update -- --aws    from EC2, by the SDK's own environment
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client } from '@aws-sdk/client-ec2';
import { compareNames, readInstanceTypes } from './instance-types.ts';
import { startAwsEmulators } from '../src/dev/aws-emulators.ts';
import { readDevEnvironment } from '../src/dev/environment.ts';
import { type InstanceTypes, instanceTypes } from '../src/domain/instance-types.ts';

const file = new URL('../src/domain/instance-types.json', import.meta.url);

async function fromEmulator(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'instance-types-'));
  const emulators = await startAwsEmulators({
    environment: readDevEnvironment(),
    logDirectory: folder,
    temporaryDirectory: join(folder, 'tmp'),
    onProgress: (detail) => process.stderr.write(`${detail}\n`),
  });
  try {
    const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, ...keys } = emulators.env;
    const credentials = { accessKeyId: keys.AWS_ACCESS_KEY_ID, secretAccessKey: keys.AWS_SECRET_ACCESS_KEY };
    await write(new EC2Client({ endpoint, region, credentials }), {});
  } finally {
    await emulators.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function write(ec2: EC2Client, before: InstanceTypes): Promise<void> {
  try {
    const types = { ...before, ...(await readInstanceTypes(ec2)) };
    const lines = Object.entries(types)
      .toSorted(([a], [b]) => compareNames(a, b))
      .map(([name, type]) => `  ${JSON.stringify(name)}: ${onOneLine(type)}`);
    await writeFile(file, `{\n${lines.join(',\n')}\n}\n`);
    process.stdout.write(`${lines.length} instance types\n`);
  } finally {
    ec2.destroy();
  }
}

/** One line a type, as prettier leaves it: a change can be read. */
function onOneLine(type: object): string {
  const fields = Object.entries(type).map(
    ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  return `{ ${fields.join(', ')} }`;
}

await (process.argv.includes('--aws') ? write(new EC2Client({}), instanceTypes) : fromEmulator());
