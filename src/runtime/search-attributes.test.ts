import { describe, expect, it } from 'vitest';
import { searchAttributes } from '../workflows/search-attributes.ts';
import { registerSearchAttributes } from './search-attributes.ts';

/** Names and types by which operators and the API search; Temporal's numbers of `IndexedValueType`. */
const registered = {
  VirtualLabId: 2,
  ProjectId: 2,
  ClusterState: 2,
  ClusterTier: 2,
  CampaignState: 2,
  FailureType: 2,
  HourlyCostUsd: 4,
  TeardownAt: 6,
  ActiveJobs: 3,
};

const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

/** Temporal's operator service, as far as search attributes go. New ones are visible after `delay` more looks. */
class FakeOperatorService {
  readonly requests: Record<string, number>[] = [];
  readonly known: Record<string, number>;
  refusal: Error | undefined;
  private delay: number;

  constructor(known: Record<string, number> = {}, delay = 0) {
    this.known = { ...known };
    this.delay = delay;
  }

  async addSearchAttributes(request: { namespace: string; searchAttributes: Record<string, number> }) {
    if (request.namespace !== 'lab') throw grpcError(NOT_FOUND);
    this.requests.push(request.searchAttributes);
    if (this.refusal) throw this.refusal;
    if (Object.keys(request.searchAttributes).some((name) => Object.hasOwn(this.known, name)))
      throw grpcError(ALREADY_EXISTS);
    Object.assign(this.known, request.searchAttributes);
    return Promise.resolve({});
  }

  async listSearchAttributes() {
    const isVisible = this.requests.length === 0 || this.delay-- <= 0;
    return Promise.resolve({ customAttributes: isVisible ? { ...this.known } : {} });
  }
}

function grpcError(code: number): Error {
  return Object.assign(new Error(`grpc ${code}`), { code, details: '', metadata: {} });
}

async function register(operatorService: FakeOperatorService): Promise<void> {
  await registerSearchAttributes({ operatorService }, 'lab');
}

describe('the search attributes', () => {
  it('are these, and fit into the ten Keyword and three Double ones of SQLite', () => {
    const types = Object.fromEntries(Object.values(searchAttributes).map(({ name, type }) => [name, type]));
    expect(types).toEqual({
      VirtualLabId: 'KEYWORD',
      ProjectId: 'KEYWORD',
      ClusterState: 'KEYWORD',
      ClusterTier: 'KEYWORD',
      CampaignState: 'KEYWORD',
      FailureType: 'KEYWORD',
      HourlyCostUsd: 'DOUBLE',
      TeardownAt: 'DATETIME',
      ActiveJobs: 'INT',
    });
  });

  it('are registered with their types in an empty namespace', async () => {
    const service = new FakeOperatorService();
    await register(service);
    expect(service.requests).toEqual([registered]);
  });

  it('are left alone where they are registered', async () => {
    const service = new FakeOperatorService(registered);
    await register(service);
    expect(service.requests).toEqual([]);
  });

  it('are completed where an earlier release registered some', async () => {
    const { ActiveJobs: _, ...earlier } = registered;
    const service = new FakeOperatorService({ ...earlier, TheirOwn: 2 });
    await register(service);
    expect(service.requests).toEqual([{ ActiveJobs: registered.ActiveJobs }]);
    expect(service.known).toEqual({ ...registered, TheirOwn: 2 });
  });

  it('are waited for until they are visible, also when another worker adds them meanwhile', async () => {
    const service = new FakeOperatorService({}, 2);
    await register(service);
    expect(service.known).toEqual(registered);
  });

  it('end the start with Temporal’s own error when they are refused', async () => {
    const service = new FakeOperatorService();
    service.refusal = grpcError(7);
    await expect(register(service)).rejects.toThrow('grpc 7');
  });
});
