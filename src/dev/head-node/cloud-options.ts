/** How the EC2 of a head node behaves, which starts compute nodes as processes of this machine. */
export interface CloudOptions {
  /** From the launch of a node until its `slurmd` starts. */
  bootSeconds: number;
  /** Nodes of a cluster that run at once; for more there is no capacity, as EC2 says. */
  maxInstances: number;
  /** How long a minute is where ParallelCluster counts in minutes: until idle or failed nodes are powered down. */
  minuteSeconds: number;
}

/** Quick, and with room for the twenty nodes of the largest compute resource of a tier. */
export const defaultCloudOptions: CloudOptions = { bootSeconds: 1, maxInstances: 24, minuteSeconds: 60 };
