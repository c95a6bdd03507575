import { expect, it } from 'vitest';
import { clusterName } from '../../src/domain/cluster-name.ts';
import type { PreflightCheck } from '../../src/domain/preflight.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const failed = (name: PreflightCheck['name']): PreflightCheck => ({
  name,
  outcome: 'failed',
  cause: `planted ${name}`,
  nextStep: `mend ${name}`,
});
const unknown: PreflightCheck = { name: 'image', outcome: 'unknown', cause: 'planted silence' };

it('a cluster that cannot come up fails with all that is wrong before anything but its lease is made', async () => {
  await run({}, async (rig) => {
    const tenant = rig.tenant('refused');
    rig.world.preflightChecks = [failed('vcpu-quota'), unknown, failed('endpoints')];
    await rig.ensure(tenant);
    const { failure } = await rig.until(tenant, 'failed');
    expect(failure).toMatchObject({
      type: 'PreflightFailed',
      message:
        'vcpu-quota: planted vcpu-quota. mend vcpu-quota. · endpoints: planted endpoints. mend endpoints.',
    });
    expect(rig.world.effects).toEqual(['leaseSubnet', 'releaseSubnet']);
    expect(await rig.leases()).toEqual([]);
  });
});

it('a cluster that was refused is made when it is asked for again and the cause is mended', async () => {
  await run({}, async (rig) => {
    const tenant = rig.tenant('mended');
    rig.world.preflightChecks = [failed('names')];
    await rig.ensure(tenant);
    await rig.until(tenant, 'failed');
    rig.world.preflightChecks = [unknown];
    await rig.ensure(tenant);
    const view = await rig.until(tenant, 'ready');
    expect(view.failure).toBeUndefined();
  });
});

it('a dry run answers what was found and makes nothing', async () => {
  await run({}, async (rig) => {
    const tenant = rig.tenant('dry');
    rig.world.preflightChecks = [failed('names')];
    const report = await rig.dryRun({ ...tenant, clusterName: clusterName(tenant), spec: rig.spec() });
    expect(report.checks).toEqual([failed('names')]);
    expect(rig.world.effects).toEqual([]);
    expect(await rig.leases()).toEqual([]);
  });
});
