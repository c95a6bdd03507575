import { describe, expect, it } from 'vitest';
import type { ProviderEvent } from './event.ts';
import { flatten, responseBody, truncatedReason } from './response.ts';

const event: ProviderEvent = {
  RequestType: 'Create',
  RequestId: 'abcdef01-2345',
  ResponseURL: 'http://127.0.0.1:1/response',
  StackId: 'arn:aws:cloudformation:us-east-1:123456789012:stack/outer/1-2',
  LogicalResourceId: 'Cluster',
  ResourceProperties: { ClusterName: 'c1', DeletionPolicy: 'Delete' },
};

describe("the provider's answer", () => {
  it('flattens nested attributes with dots and lists by index', () => {
    expect(
      flatten({ headNode: { state: 'running' }, failures: [{ failureCode: 'X' }], gone: undefined }),
    ).toEqual({
      'headNode.state': 'running',
      'failures.0.failureCode': 'X',
    });
  });

  it('keeps a reason of 256 characters whole and only the last 240 of a longer one', () => {
    expect(truncatedReason('x'.repeat(256))).toBe('x'.repeat(256));
    expect(truncatedReason(`head${'x'.repeat(252)}y`)).toBe(`ERROR: (truncated) ${'x'.repeat(239)}y`);
  });

  it('names the cluster on success and makes an id up for a create that failed', () => {
    const success = JSON.parse(responseBody(event, { ok: true, physicalResourceId: 'c1', data: { a: 'b' } }));
    expect(success).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: 'c1', Data: { a: 'b' } });
    const failure = JSON.parse(responseBody(event, { ok: false, reason: 'no' }));
    expect(failure).toMatchObject({
      Status: 'FAILED',
      Reason: 'no',
      PhysicalResourceId: 'outer_Cluster_ABCDEF01',
    });
  });

  it('fails when it is longer than CloudFormation accepts', () => {
    const data = { validationMessages: 'x'.repeat(4096) };
    expect(JSON.parse(responseBody(event, { ok: true, physicalResourceId: 'c1', data }))).toMatchObject({
      Status: 'FAILED',
      Reason: 'Response object is too long.',
    });
  });
});
