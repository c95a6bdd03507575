import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { readDevEnvironment } from './environment.ts';

describe('the environment of the embedded stack', () => {
  it('caches in PROVISIONER_CACHE_DIR before anything else', () => {
    const environment = readDevEnvironment({ PROVISIONER_CACHE_DIR: '/c', XDG_CACHE_HOME: '/x' });
    expect(environment.cacheDirectory).toBe('/c');
  });

  it('caches in XDG_CACHE_HOME when that is set, in ~/.cache otherwise', () => {
    expect(readDevEnvironment({ XDG_CACHE_HOME: '/x' }).cacheDirectory).toBe(
      '/x/parallelcluster-provisioner',
    );
    expect(readDevEnvironment({ XDG_CACHE_HOME: '' }).cacheDirectory).toBe(
      `${homedir()}/.cache/parallelcluster-provisioner`,
    );
  });

  it("never hands the user's AWS credentials or other secrets to a child", () => {
    const environment = readDevEnvironment({
      PATH: '/bin',
      AWS_SECRET_ACCESS_KEY: 'real',
      AWS_PROFILE: 'production',
      GITHUB_TOKEN: 'real',
    });
    expect(environment.inherited).toEqual({ PATH: '/bin' });
  });
});
