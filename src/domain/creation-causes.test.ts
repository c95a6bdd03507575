import { describe, expect, it } from 'vitest';
import { creationCause, fileSystemCause } from './creation-causes.ts';

describe('the reason of a failed creation', () => {
  it.each([
    [
      'HeadNode (AWS::EC2::Instance): We currently do not have sufficient c7a.48xlarge capacity in the Availability Zone you requested (us-east-1a). Our system will be working on provisioning additional capacity.',
      'InsufficientCapacity',
    ],
    [
      '(Service: AmazonEC2; Status Code: 500; Error Code: InsufficientInstanceCapacity)',
      'InsufficientCapacity',
    ],
    ['(Error Code: InsufficientHostCapacity)', 'InsufficientCapacity'],
    ['(Error Code: InsufficientReservedInstanceCapacity)', 'InsufficientCapacity'],
    ['(Code:ReservationCapacityExceeded)Failure when resuming nodes', 'InsufficientCapacity'],
    [
      'Unsupported: The requested configuration is currently not supported. Please check the documentation for supported configurations.',
      'UnsupportedInZone',
    ],
    [
      'HeadNode (AWS::EC2::Instance): Resource handler returned message: "Insufficient capacity. (Service: Ec2, Status Code: 500, Request ID: 0a1b)" (HandlerErrorCode: GeneralServiceException)',
      'InsufficientCapacity',
    ],
    [
      "We currently do not have sufficient capacity to launch all of the additional requested instances into Placement Group 'lab'. You may be able to satisfy your full cluster requirement by first terminating all of the existing instances.",
      'InsufficientCapacity',
    ],
    [
      'Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration. Please adjust your request and try again. Launching EC2 instance failed.',
      'InsufficientCapacity',
    ],
    [
      'You have requested more instances (20) than your current instance limit of 5 allows for the specified instance type.',
      'QuotaExceeded',
    ],
    ['Placing Spot instance request. Status Reason: Max spot instance count exceeded.', 'QuotaExceeded'],
    ['There is no Spot capacity available that matches your request.', 'InsufficientCapacity'],
    [
      'You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to. (Error Code: VcpuLimitExceeded)',
      'QuotaExceeded',
    ],
    [
      'Your requested instance type (hpc7a.96xlarge) is not supported in your requested Availability Zone (us-east-1a).',
      'UnsupportedInZone',
    ],
  ])('names its cause: %s', (reason, cause) => {
    expect(creationCause(reason)).toBe(cause);
  });

  it.each([
    'c1: HeadNodeBootstrapFailure (LogGroup: /aws/parallelcluster/c1)',
    'Bad Request: the subnet has no free address',
    'Cluster (Custom::PclusterCluster): the capacity reservation cr-1 is insufficient for c1',
    'You have requested more instances than the template allows',
    'Cluster (Custom::PclusterCluster): pcluster-insufficientcapacity-lab already exists',
    '',
  ])('is taken for nothing that it does not say: %s', (reason) => {
    expect(creationCause(reason)).toBeUndefined();
  });
});

describe('the reason of a file system that FSx could not make', () => {
  it.each([
    'Amazon FSx was unable to create the file system: insufficient capacity in the Availability Zone',
    'We currently do not have sufficient storage capacity in us-east-1a.',
    'There is no capacity.',
  ])('is a want of capacity: %s', (reason) => {
    expect(fileSystemCause(reason)).toBe('InsufficientCapacity');
  });

  it.each([
    'Invalid Lustre FS storage capacity: 3600. Must be 1200 or a multiple of 2400.',
    'The provided throughput does not meet the storage capacity requirement',
    'FSx gives no reason',
  ])('is another one: %s', (reason) => {
    expect(fileSystemCause(reason)).toBe('LustreCreateFailed');
  });
});
