import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import { fingerprint, knownHosts } from './host-key.ts';

/** Of github.com, with the fingerprint that GitHub publishes. */
const PUBLISHED = {
  hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl',
  fingerprint: 'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
};

describe('a host key', () => {
  it('has the fingerprint that ssh-keygen shows', () => {
    expect(fingerprint(PUBLISHED.hostKey)).toBe(PUBLISHED.fingerprint);
  });

  it('has one whatever it is made of', () => {
    expectAlways(
      fc.property(fc.uint8Array({ maxLength: 600 }), (blob) => {
        const hash = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
        expect(fingerprint(`ssh-rsa ${Buffer.from(blob).toString('base64')}`)).toBe(`SHA256:${hash}`);
      }),
    );
  });

  it('stands in known_hosts behind the address, and the port where that is not 22', () => {
    const { hostKey } = PUBLISHED;
    expect(knownHosts({ address: '10.0.7.20', port: 22, hostKey })).toBe(`10.0.7.20 ${hostKey}`);
    expect(knownHosts({ address: '10.0.7.20', port: 2222, hostKey })).toBe(`[10.0.7.20]:2222 ${hostKey}`);
  });
});
