/** One subnet of the pool as EC2 and CloudFormation show it now. */
export interface PoolSubnet {
  readonly subnetId: string;
  readonly availabilityZone: string;
  readonly availableAddresses: number;
  /** Epochs of our stacks whose tags say that they live in this subnet. */
  readonly usedByEpochs: readonly string[];
}
