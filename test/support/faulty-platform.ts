import { AwsFaults } from './aws-faults.ts';
import { Platform } from './platform.ts';

/** A platform whose calls to AWS fail as the plan of `faults` says; none do before it has one. */
export async function startFaultyPlatform(): Promise<{
  readonly platform: Platform;
  readonly faults: AwsFaults;
  readonly close: () => Promise<void>;
}> {
  const { promise, resolve } = Promise.withResolvers<AwsFaults>();
  const platform = await Platform.start(async ({ env }) => {
    const started = await AwsFaults.start(env);
    resolve(started);
    return started.env;
  });
  const faults = await promise;
  return {
    platform,
    faults,
    close: async () => {
      await platform.close();
      await faults.close();
    },
  };
}
