import { defineConfig } from 'vitest/config';

/** `npm run test:full` runs the same tests at full size. */
const fullTests = process.env['TEST_FULL'] === 'yes';

/**
 * For tests that wait for real daemons, on two cores with everything else: seconds of a busy moment, or a time-skipping
 * server that stands still, are no defect. Vitest names what it repeated (`retry x1`); what fails twice has failed.
 */
const PATIENCE = { retry: 1 } as const;

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
          provide: { fullTests },
          include: ['test/contract/**/*.test.ts'],
          // Slurm's older generation needs an image of its own, which takes minutes to build.
          exclude: fullTests ? [] : ['test/contract/slurm-22-05.contract.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'e2e',
          ...PATIENCE,
          provide: { fullTests },
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
