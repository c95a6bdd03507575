import type { Tenant } from './ids.ts';

/** A tenant's own access point to an EFS file system. There is no way to mount the root, which all tenants share. */
export interface EfsHome {
  readonly fileSystemId: string;
  readonly accessPointId: string;
}

/** The folder of a tenant's homes in the shared file system: of two ids, so that none contains another. */
export function homePath({ virtualLabId, projectId }: Tenant): string {
  return `/homes/${virtualLabId}/${projectId}`;
}
