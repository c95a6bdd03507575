#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { Command } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { ConfigError, readApiConfig, readWorkerConfig } from './runtime/config.ts';
import { untilToldToStop } from './runtime/signals.ts';

// A start takes half of the time when Node need not strip types and compile again; where it may not write, it does without.
enableCompileCache();

const program = new Command('parallelcluster-provisioner')
  .description('Private AWS ParallelClusters on demand, driven by Temporal workflows')
  .version(packageJson.version);

program
  .command('worker')
  .description('run workflows and activities; configured by the environment (.env.example)')
  .action(async () => {
    const { startWorker } = await import('./runtime/worker.ts');
    const worker = await startWorker(readWorkerConfig());
    await untilToldToStop(worker.stopped);
    await worker.close();
  });

program
  .command('api')
  .description('serve the HTTP API; configured by the environment (.env.example)')
  .action(async () => {
    const { startApi } = await import('./runtime/api-server.ts');
    const api = await startApi(readApiConfig());
    await untilToldToStop();
    await api.close();
  });

program
  .command('dev')
  .description('run everything on this machine until Ctrl-C: Temporal, emulated AWS, real Slurm, worker, API')
  .action(async () => {
    const { runDev } = await import('./dev/dev-command.ts');
    // A part that did not stop must not keep this process: it dies with it.
    process.exit(await runDev());
  });

program
  .command('demo')
  .description('show a whole cluster life on this machine, check that nothing is left, and exit')
  .option('--quick', 'plain shell jobs instead of NEURON')
  .action(async (options: { quick?: boolean }) => {
    const { runDemo } = await import('./dev/demo-command.ts');
    process.exit(await runDemo({ quick: options.quick ?? false }));
  });

try {
  await program.parseAsync();
} catch (error) {
  // Expected failures say what to do; anything else is a bug and keeps its stack.
  const text = error instanceof ConfigError || isWorded(error) ? error.message : error;
  process.stderr.write(`${text instanceof Error ? (text.stack ?? text.message) : String(text)}\n`);
  process.exitCode = 1;
}

function isWorded(error: unknown): error is Error {
  return error instanceof Error && error.name === 'DevStackError';
}
