/**
 * Program, not module: makes the Temporal SDK download one of its servers into a folder, by starting it once.
 * It runs in a process of its own because the SDK's download has no time limit and cannot be cancelled.
 *
 * usage: node temporal-sdk-downloader.ts temporal|temporal-test-server DIRECTORY
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [program, downloadDir] = process.argv.slice(2);
if (downloadDir === undefined) throw new Error('usage: temporal-sdk-downloader PROGRAM DIRECTORY');

const server = { executable: { type: 'cached-download' as const, downloadDir } };
const environment =
  program === 'temporal'
    ? await TestWorkflowEnvironment.createLocal({ server })
    : await TestWorkflowEnvironment.createTimeSkipping({ server });
await environment.teardown();
