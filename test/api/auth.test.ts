import { describe, expect, it } from 'vitest';
import { clusterUrl } from './fakes.ts';
import { harness, expectProblem, TOKEN } from './support.ts';

const campaign = `${clusterUrl()}/campaigns/${'a'.repeat(26)}`;
const closed = [
  ['PUT', clusterUrl()],
  ['GET', clusterUrl()],
  ['DELETE', clusterUrl()],
  ['PATCH', clusterUrl()],
  ['GET', '/v1/clusters'],
  ['POST', `${clusterUrl()}/campaigns`],
  ['GET', campaign],
  ['GET', `${campaign}/jobs/a`],
  ['GET', `${campaign}/jobs/a/logs/stdout`],
  ['POST', `${clusterUrl()}/holds`],
  ['DELETE', `${clusterUrl()}/holds/a`],
  ['POST', `${clusterUrl()}/extensions`],
  ['POST', `${clusterUrl()}/resolution`],
  ['POST', `${clusterUrl()}/signing-key/rotation`],
  ['GET', '/no/such/path'],
  ['GET', '/docsx'],
  ['GET', '/healthz/x'],
] as const;

describe('without the token', () => {
  it.each(closed)('%s %s is 401 and says nothing else', async (method, url) => {
    const api = harness();
    const response = await api.request(method, url, { headers: { authorization: '' } });

    expectProblem(response, 401, 'Unauthorized');
    expect(response.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(response.headers.allow).toBeUndefined();
  });

  it.each([
    ['another token', `Bearer ${TOKEN.replace('t', 'T')}`],
    ['the beginning of the token', `Bearer ${TOKEN.slice(0, -1)}`],
    ['more than the token', `Bearer ${TOKEN}x`],
    ['another scheme', `Basic ${TOKEN}`],
    ['no scheme', TOKEN],
    ['no token', 'Bearer '],
  ])('with %s is 401', async (_what, authorization) => {
    const api = harness();
    expectProblem(
      await api.request('GET', '/v1/clusters', { headers: { authorization } }),
      401,
      'Unauthorized',
    );
  });

  it('a body is not even read', async () => {
    const api = harness();
    const response = await api.request('POST', `${clusterUrl()}/campaigns`, {
      body: '{"broken',
      headers: { authorization: '' },
    });

    expectProblem(response, 401, 'Unauthorized');
  });

  it.each(['/healthz', '/readyz', '/openapi.json', '/docs/', '/docs/js/scalar.js', '/problems/NoCluster'])(
    '%s is answered',
    async (url) => {
      const api = harness();
      expect((await api.request('GET', url, { headers: { authorization: '' } })).statusCode).toBe(200);
    },
  );
});

describe('with the token', () => {
  it('the scheme may be written in any case', async () => {
    const api = harness();
    const headers = { authorization: `bearer ${TOKEN}` };

    expect((await api.request('GET', '/v1/clusters', { headers })).statusCode).toBe(200);
  });
});
