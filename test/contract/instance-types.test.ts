import { expect, test } from 'vitest';
import { readInstanceTypes } from '../../scripts/instance-types.ts';
import { instanceTypes } from '../../src/domain/instance-types.ts';
import { plannedInstanceTypes } from '../../scripts/planned-instance-types.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();

test('the data of the release are what EC2 says, of every type with a price or in a tier', async () => {
  expect(await readInstanceTypes(aws().clients.ec2, plannedInstanceTypes())).toEqual(instanceTypes);
});

test('a type that EC2 does not know is named', async () => {
  await expect(readInstanceTypes(aws().clients.ec2, ['c7a.large', 'c99.large'])).rejects.toThrow(
    'EC2 does not know c99.large',
  );
});
