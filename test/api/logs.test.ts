import { describe, expect, it } from 'vitest';
import { campaignIdFor } from '../../src/api/campaign-id.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { clusterUrl, clusterView, jobView, other, tenant } from './fakes.ts';
import { type Harness, harness, expectProblem } from './support.ts';

const KEY = 'campaign';
const id = campaignIdFor(tenant, KEY);
const url = `${clusterUrl()}/campaigns`;

describe('GET log', () => {
  const location = { logGroupName: '/pcp/lab-1', epoch: 'e1' };
  const bytes = (text: string) => new TextEncoder().encode(text);

  async function withJob(job: Parameters<typeof jobView>[0]): Promise<Harness> {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
    await api.request('POST', url, {
      body: { jobs: [{ key: 'sim-1', command: ['/bin/true'] }] },
      headers: { 'idempotency-key': KEY },
    });
    const campaign = api.campaigns.at(tenant, id);
    campaign.view = { ...campaign.view, logs: location };
    campaign.jobs = [jobView(job)];
    return api;
  }

  const running = { key: 'sim-1', state: 'running', slurmJobId: '7' } as const;

  it.each(['info', 'environment', 'script', 'stdout', 'stderr'])('reads %s as text', async (kind) => {
    const api = await withJob(running);
    api.logs.page = { content: bytes('größe\n'), nextPageToken: 'f/2', atEnd: true };
    const response = await api.request('GET', `${url}/${id}/jobs/sim-1/logs/${kind}?pageToken=f%2F1`);

    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(response.body).toBe('größe\n');
    expect(response.headers['log-end']).toBe('true');
    expect(response.headers.link).toBe(`<${url}/${id}/jobs/sim-1/logs/${kind}?pageToken=f%2F2>; rel="next"`);
    expect(api.logs.asked).toEqual([{ location, campaignId: id, jobKey: 'sim-1', kind, pageToken: 'f/1' }]);
  });

  it('leads no further when everything is there', async () => {
    const api = await withJob({ ...running, state: 'succeeded', logsComplete: true });
    api.logs.page = { content: bytes('end'), nextPageToken: 'f', atEnd: true };
    const response = await api.request('GET', `${url}/${id}/jobs/sim-1/logs/stdout`);

    expect(response.headers.link).toBeUndefined();
  });

  it('sends what is not UTF-8 as bytes, unchanged', async () => {
    const api = await withJob(running);
    const content = new Uint8Array([0xff, 0x00, 0xfe]);
    api.logs.page = { content, nextPageToken: 'f', atEnd: false };
    const response = await api.request('GET', `${url}/${id}/jobs/sim-1/logs/stdout`);

    expect(response.headers['content-type']).toBe('application/octet-stream');
    expect(new Uint8Array(response.rawPayload)).toEqual(content);
    expect(response.headers['log-end']).toBe('false');
  });

  it('tells an unknown job, one not submitted and one that wrote nothing apart', async () => {
    const waiting = await withJob({ key: 'sim-1' });
    const silent = await withJob(running);
    const log = (key: string) => `${url}/${id}/jobs/${key}/logs/stdout`;

    expectProblem(await waiting.request('GET', log('sim-9')), 404, 'NotFound');
    expect(expectProblem(await waiting.request('GET', log('sim-1')), 404, 'JobNotSubmitted')).toMatchObject({
      state: 'waiting',
    });
    expect(expectProblem(await silent.request('GET', log('sim-1')), 404, 'LogNotWritten')).toMatchObject({
      state: 'running',
      logsComplete: false,
    });
  });

  it('has five kinds, and one tenant', async () => {
    const api = await withJob(running);
    const path = `/campaigns/${id}/jobs/sim-1/logs`;

    expectProblem(await api.request('GET', `${clusterUrl()}${path}/passwd`), 400, 'InvalidRequest');
    expectProblem(await api.request('GET', `${clusterUrl(other)}${path}/stdout`), 404, 'NotFound');
    expect(api.logs.asked).toEqual([]);
  });
});
