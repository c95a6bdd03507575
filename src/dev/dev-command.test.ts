import { expect, it } from 'vitest';
import { campaignIdSchema } from '../domain/ids.ts';
import { tries } from './dev-command.ts';

it('offers three requests that need nothing but a paste', () => {
  const lines = tries('http://127.0.0.1:1', 'abc');
  expect(lines).toHaveLength(3);
  expect(lines.every((line) => line.includes("-H 'Authorization: Bearer abc'"))).toBe(true);
  const [, campaignId] = /campaigns\/([^/]+)\/jobs\/hello\/logs\/stdout/.exec(lines[2] ?? '') ?? [];
  // A worker that was just started may need longer than the API waits; both can be repeated.
  expect(lines.slice(0, 2).every((line) => line.includes('curl -sf --retry 5 '))).toBe(true);
  expect(campaignIdSchema.safeParse(campaignId).success).toBe(true);
});
