import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { z } from 'zod';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import type { Exchange } from '../../src/dev/fsx/service.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';

/** In what requests and answers differ from AWS's own model of a service, which botocore carries. */
export async function shapeProblems(service: string, exchanges: readonly Exchange[]): Promise<string[]> {
  const { cacheDirectory, python } = readDevEnvironment();
  const venv = await ensureVenv({ name: 'moto', cacheDirectory, python, onProgress: () => {} });
  const script = join(import.meta.dirname, 'check_shapes.py');
  const child = spawn(join(venv, 'bin', 'python'), [script, service], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(exchanges));
  return z.array(z.string()).parse(JSON.parse(await text(child.stdout)));
}
