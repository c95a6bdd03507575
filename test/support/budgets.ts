import type { CostRates } from '../../src/domain/cost-rates.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import { changeSpec, type ChangeAnswer, setBudget } from '../../src/workflows/messages.ts';
import type { WorkflowRig } from './workflow-rig.ts';

/** 36 USD an hour: a cent a second. */
export const rates: CostRates = {
  version: 1,
  region: 'us-east-1',
  pricesAsOf: '2026-01-01',
  headNodeUsdPerHour: 36,
  rootVolumeUsdPerHour: 0,
  computeResources: [],
  endpointsUsdPerHour: 0,
};

/** What {@link ready} asks for; it stays although nothing runs. */
const patient = { idleTimeoutSeconds: 80_000, maxLifetimeSeconds: 86_400 };

/** A cluster that costs what {@link rates} say, and others in their place. */
export async function ready(
  rig: WorkflowRig,
  name: string,
  own: Partial<CostRates> = {},
  values: Record<string, unknown> = {},
): Promise<Tenant> {
  const tenant = rig.tenant(name);
  await rig.ensure(tenant, rig.spec({ ...patient, ...values }), { rates: { ...rates, ...own } });
  await rig.until(tenant, 'ready');
  return tenant;
}

export async function budget(rig: WorkflowRig, tenant: Tenant, limitUsd: number, hardLimitUsd?: number) {
  return rig.cluster(tenant).executeUpdate(setBudget, {
    args: [{ limitUsd, ...(hardLimitUsd && { hardLimitUsd }), by: 'Ada', reason: 'tested' }],
  });
}

/** A queue more. */
export const larger = {
  tier: undefined,
  queues: [{ name: 'more', computeResources: [{ name: 'nodes', instanceType: 'm5.large', maxCount: 2 }] }],
};

/** Changes the cluster of {@link ready}, beside whose queues others may stand. */
export async function change(
  rig: WorkflowRig,
  tenant: Tenant,
  values: Record<string, unknown>,
  notes: { readonly rates: CostRates } | undefined = { rates },
): Promise<ChangeAnswer> {
  return ask(rig, tenant, values, { notes });
}

/** The same as an operator does it who does not know what it costs. */
export async function changeWithoutNotes(
  rig: WorkflowRig,
  tenant: Tenant,
  values: Record<string, unknown>,
): Promise<ChangeAnswer> {
  return ask(rig, tenant, values, {});
}

async function ask(
  rig: WorkflowRig,
  tenant: Tenant,
  values: Record<string, unknown>,
  notes: { readonly notes?: { readonly rates: CostRates } },
): Promise<ChangeAnswer> {
  const { spec } = await rig.view(tenant);
  if (!spec) throw new Error('no specification');
  const changed = rig.spec({ ...patient, ...values });
  const queues = values['queues'] ? [...spec.queues, ...changed.queues] : spec.queues;
  const asked = { ...changed, tier: spec.tier, queues };
  return rig.cluster(tenant).executeUpdate(changeSpec, { args: [{ spec: asked, ...notes, reason: 'x' }] });
}
