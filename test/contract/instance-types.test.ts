import { expect, test } from 'vitest';
import { readInstanceTypes } from '../../scripts/instance-types.ts';
import { instanceTypes } from '../../src/domain/instance-types.ts';
import { plannedInstanceTypes } from '../../src/domain/planned-instance-types.ts';
import { priceTable } from '../../src/domain/prices.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();

test('the data of the release are what EC2 says of all its types', async () => {
  const types = await readInstanceTypes(aws().clients.ec2);
  expect(types).toEqual(instanceTypes);
  expect(Object.keys(types)).toEqual(expect.arrayContaining([...plannedInstanceTypes(priceTable)]));
});
