import {
  AccessPointAlreadyExists,
  type AccessPointDescription,
  CreateAccessPointCommand,
  DeleteAccessPointCommand,
  type EFSClient,
  paginateDescribeAccessPoints,
} from '@aws-sdk/client-efs';
import { type ResourceTags, tagKeys, tagValue, toTagList } from '../domain/resource-tags.ts';
import { isAccessPointNotFound } from './aws-errors.ts';

/** Access points of EFS file systems; every list is read to its end. */
export class EfsAccessPoints {
  readonly #efs: EFSClient;

  constructor(efs: EFSClient) {
    this.#efs = efs;
  }

  /** Those of a file system that carry the epoch's tag, whatever their state. */
  async ofEpoch(fileSystemId: string, epoch: string): Promise<AccessPointDescription[]> {
    const found: AccessPointDescription[] = [];
    const pages = paginateDescribeAccessPoints({ client: this.#efs }, { FileSystemId: fileSystemId });
    for await (const { AccessPoints = [] } of pages)
      found.push(...AccessPoints.filter(({ Tags }) => tagValue(Tags, tagKeys.epoch) === epoch));
    return found;
  }

  /** Makes one whose root is a folder that belongs to root, and is made with the first mount if it is not there. */
  async create(
    fileSystemId: string,
    path: string,
    { requestToken, tags }: { readonly requestToken: string; readonly tags: ResourceTags },
  ): Promise<string> {
    const command = new CreateAccessPointCommand({
      ClientToken: requestToken,
      FileSystemId: fileSystemId,
      RootDirectory: { Path: path, CreationInfo: { OwnerUid: 0, OwnerGid: 0, Permissions: '0755' } },
      Tags: toTagList(tags),
    });
    const { AccessPointId } = await this.#efs.send(command).catch((error: unknown) => {
      // EFS does not answer a repeated token with what it made, as other services do.
      if (error instanceof AccessPointAlreadyExists) return error;
      throw error;
    });
    if (AccessPointId === undefined) throw new Error('CreateAccessPoint answered without an id');
    return AccessPointId;
  }

  /** Takes the way in; what lies in the folder stays. */
  async delete(accessPointId: string): Promise<void> {
    try {
      await this.#efs.send(new DeleteAccessPointCommand({ AccessPointId: accessPointId }));
    } catch (error) {
      if (!isAccessPointNotFound(error)) throw error;
    }
  }
}
