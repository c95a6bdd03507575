import { defineConfig } from 'vitest/config';

/** `npm run test:full` runs the same tests at full size. */
const fullTests = process.env['TEST_FULL'] === 'yes';

/**
 * For tests that wait for real daemons, on two cores with everything else: seconds of a busy moment, or a time-skipping
 * server that stands still, are no defect. Vitest names what it repeated (`retry x1`); what fails twice has failed.
 */
const PATIENCE = { retry: 1 } as const;

/** A look at a head node takes some processes on each side: looking every 50 ms, Vitest's own pace, is most of what these tests do. */
const UNHURRIED = { poll: { interval: 250 } } as const;

/** Left out of `npm test`, so that it ends within 12 minutes on two cores; each but the first is tried there in part, elsewhere. */
const onlyInFull = {
  contract: [
    // Slurm's older generation needs an image of its own, which takes minutes to build.
    'test/contract/slurm-22-05.contract.test.ts',
    // Both are of size: test/workflows/many-campaigns.test.ts, src/clients/observe-program.test.ts.
    'test/contract/many-campaigns.contract.test.ts',
    'test/contract/one-sacct.contract.test.ts',
    // test/contract/logs-head-node.contract.test.ts.
    'test/contract/logs-many-and-large.contract.test.ts',
  ],
  // test/contract/sessions.contract.test.ts, test/contract/cloud-nodes.contract.test.ts.
  e2e: ['test/e2e/own-login.e2e.test.ts', 'test/e2e/cloud-nodes.e2e.test.ts'],
};

/** One project per tier of test; `npm run check` runs the fast ones, `npm test` all of them. */
export default defineConfig({
  test: {
    reporters: ['default'],
    // Temporal's client goes on repeating a call of a test that has timed out, and finds its connection closed. The test has
    // failed, or succeeded when it was repeated: no other one is touched.
    onUnhandledError: ({ message }) => message !== 'Channel has been shut down',
    // Vitest would leave one core of two unused; the tests wait more than they compute.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/unit/**/*.test.ts'],
          // What is tested here keeps no state in its modules, so files may share a process: twice as fast.
          isolate: false,
          // Enough for properties on a machine that does much else.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'workflows',
          ...PATIENCE,
          include: ['test/workflows/**/*.test.ts', 'test/replay/**/*.test.ts'],
          globalSetup: ['test/support/workflow-globals.ts'],
          // `npm run histories:record` keeps the histories of the scenarios that are named for it.
          provide: { fullTests, recordHistories: process.env['RECORD_HISTORIES'] === 'yes' },
          testTimeout: 60_000,
          hookTimeout: 120_000,
          isolate: false,
        },
      },
      { test: { name: 'api', include: ['test/api/**/*.test.ts'], isolate: false, testTimeout: 30_000 } },
      {
        test: {
          name: 'contract',
          ...PATIENCE,
          expect: UNHURRIED,
          provide: { fullTests },
          include: ['test/contract/**/*.test.ts'],
          exclude: fullTests ? [] : onlyInFull.contract,
          testTimeout: 120_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'e2e',
          ...PATIENCE,
          expect: UNHURRIED,
          provide: { fullTests },
          include: ['test/e2e/**/*.test.ts'],
          exclude: fullTests ? [] : onlyInFull.e2e,
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
