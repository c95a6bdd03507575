import {
  type AutoImportPolicy,
  CreateDataRepositoryAssociationCommand,
  CreateDataRepositoryTaskCommand,
  CreateFileSystemCommand,
  type DataRepositoryAssociation,
  type DataRepositoryTask,
  DeleteDataRepositoryAssociationCommand,
  DeleteFileSystemCommand,
  type EventType,
  type FileSystem,
  type FSxClient,
  paginateDescribeDataRepositoryAssociations,
  paginateDescribeDataRepositoryTasks,
  paginateDescribeFileSystems,
  UpdateDataRepositoryAssociationCommand,
} from '@aws-sdk/client-fsx';
import type { DataRepository, LustreSpec } from '../domain/lustre.ts';
import { tagKeys, tagValue, toTagList } from '../domain/resource-tags.ts';
import type { ResourceTags } from '../domain/resource-tags.ts';
import { isFileSystemNotFound, isLinkNotFound } from './aws-errors.ts';

const ALL_CHANGES: EventType[] = ['NEW', 'CHANGED', 'DELETED'];

/** What a file system is made with. */
export interface NewLustre {
  /** Makes a repeated call answer the file system that the first one made. At most 63 characters. */
  readonly requestToken: string;
  readonly lustre: LustreSpec;
  readonly subnetId: string;
  readonly securityGroupIds: readonly string[];
  /** FSx's own key if none is given. */
  readonly kmsKeyId?: string;
  readonly tags: ResourceTags;
}

/** Where a task is to export from, and where it reports what it could not write. */
export interface NewExport {
  readonly requestToken: string;
  readonly fileSystemId: string;
  /** From the root of the file system on, with a leading slash. */
  readonly paths: readonly string[];
  readonly reportPath: `s3://${string}`;
}

/** FSx for Lustre as far as it is used here; every list is read to its end. */
export class LustreFileSystems {
  readonly #fsx: FSxClient;

  constructor(fsx: FSxClient) {
    this.#fsx = fsx;
  }

  /** All that carry the epoch's tag, whatever their state: one that is being deleted is still there. */
  async ofEpoch(epoch: string): Promise<FileSystem[]> {
    const found: FileSystem[] = [];
    for await (const { FileSystems = [] } of paginateDescribeFileSystems({ client: this.#fsx }, {})) {
      found.push(...FileSystems.filter(({ Tags }) => tagValue(Tags, tagKeys.epoch) === epoch));
    }
    return found;
  }

  async find(fileSystemId: string): Promise<FileSystem | undefined> {
    try {
      for await (const { FileSystems = [] } of paginateDescribeFileSystems(
        { client: this.#fsx },
        { FileSystemIds: [fileSystemId] },
      )) {
        if (FileSystems[0]) return FileSystems[0];
      }
      return undefined;
    } catch (error) {
      if (isFileSystemNotFound(error)) return undefined;
      throw error;
    }
  }

  async create({
    requestToken,
    lustre,
    subnetId,
    securityGroupIds,
    kmsKeyId,
    tags,
  }: NewLustre): Promise<string> {
    const { FileSystem: created } = await this.#fsx.send(
      new CreateFileSystemCommand({
        ClientRequestToken: requestToken,
        FileSystemType: 'LUSTRE',
        // The first that takes data repository associations on PERSISTENT_2 and the clients of alinux2023.
        FileSystemTypeVersion: '2.15',
        StorageCapacity: lustre.sizeGibibytes,
        StorageType: 'SSD',
        SubnetIds: [subnetId],
        SecurityGroupIds: [...securityGroupIds],
        ...(kmsKeyId && { KmsKeyId: kmsKeyId }),
        Tags: toTagList(tags),
        LustreConfiguration: {
          DeploymentType: 'PERSISTENT_2',
          PerUnitStorageThroughput: lustre.throughputMegabytesPerSecondPerTebibyte,
          DataCompressionType: 'LZ4',
        },
      }),
    );
    return present(created?.FileSystemId, 'CreateFileSystem');
  }

  /** Takes the file system with everything in it; its links go with it, what they wrote to S3 stays. */
  async delete(fileSystemId: string): Promise<void> {
    try {
      await this.#fsx.send(
        new DeleteFileSystemCommand({
          FileSystemId: fileSystemId,
          // Linked file systems have no backups.
          LustreConfiguration: { SkipFinalBackup: true },
        }),
      );
    } catch (error) {
      if (!isFileSystemNotFound(error)) throw error;
    }
  }

  async links(fileSystemId: string): Promise<DataRepositoryAssociation[]> {
    const found: DataRepositoryAssociation[] = [];
    const Filters = [{ Name: 'file-system-id' as const, Values: [fileSystemId] }];
    for await (const page of paginateDescribeDataRepositoryAssociations({ client: this.#fsx }, { Filters })) {
      found.push(...(page.Associations ?? []));
    }
    return found;
  }

  async findLink(associationId: string): Promise<DataRepositoryAssociation | undefined> {
    try {
      for await (const { Associations = [] } of paginateDescribeDataRepositoryAssociations(
        { client: this.#fsx },
        { AssociationIds: [associationId] },
      )) {
        if (Associations[0]) return Associations[0];
      }
      return undefined;
    } catch (error) {
      if (isLinkNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Takes a link away, and nothing that lies in the file system or in S3. */
  async unlink(associationId: string): Promise<void> {
    try {
      await this.#fsx.send(
        new DeleteDataRepositoryAssociationCommand({
          AssociationId: associationId,
          DeleteDataInFileSystem: false,
        }),
      );
    } catch (error) {
      if (!isLinkNotFound(error)) throw error;
    }
  }

  /** Links a path with S3. What is in S3 appears at once, as names without contents. */
  async link(
    fileSystemId: string,
    { name, fileSystemPath, dataRepositoryPath, isExported }: DataRepository,
    { requestToken, tags }: { readonly requestToken: string; readonly tags: ResourceTags },
  ): Promise<void> {
    await this.#fsx.send(
      new CreateDataRepositoryAssociationCommand({
        ClientRequestToken: `${requestToken}-${name}`,
        FileSystemId: fileSystemId,
        FileSystemPath: fileSystemPath,
        DataRepositoryPath: dataRepositoryPath,
        BatchImportMetaDataOnCreate: true,
        S3: {
          AutoImportPolicy: { Events: ALL_CHANGES },
          ...(isExported && { AutoExportPolicy: { Events: ALL_CHANGES } }),
        },
        Tags: toTagList(tags),
      }),
    );
  }

  /** Switches automatic export of one link on or off. */
  async setAutomaticExport(
    { AssociationId = '', S3 }: DataRepositoryAssociation,
    isOn: boolean,
  ): Promise<void> {
    const AutoImport: { AutoImportPolicy?: AutoImportPolicy } = S3?.AutoImportPolicy
      ? { AutoImportPolicy: S3.AutoImportPolicy }
      : {};
    await this.#fsx.send(
      new UpdateDataRepositoryAssociationCommand({
        AssociationId,
        S3: { ...AutoImport, AutoExportPolicy: { Events: isOn ? ALL_CHANGES : [] } },
      }),
    );
  }

  async tasks(fileSystemId: string): Promise<DataRepositoryTask[]> {
    const found: DataRepositoryTask[] = [];
    const Filters = [{ Name: 'file-system-id' as const, Values: [fileSystemId] }];
    for await (const page of paginateDescribeDataRepositoryTasks({ client: this.#fsx }, { Filters })) {
      found.push(...(page.DataRepositoryTasks ?? []));
    }
    return found;
  }

  /** Begins to write everything to S3 that is not there as it is here. FSx runs one task at a time. */
  async startExport({ requestToken, fileSystemId, paths, reportPath }: NewExport): Promise<string> {
    const { DataRepositoryTask: task } = await this.#fsx.send(
      new CreateDataRepositoryTaskCommand({
        ClientRequestToken: requestToken,
        Type: 'EXPORT_TO_REPOSITORY',
        FileSystemId: fileSystemId,
        Paths: paths.map((path) => path.replace(/^\//, '')),
        Report: {
          Enabled: true,
          Path: reportPath,
          Format: 'REPORT_CSV_20191124',
          Scope: 'FAILED_FILES_ONLY',
        },
      }),
    );
    return present(task?.TaskId, 'CreateDataRepositoryTask');
  }
}

/** Whether automatic export of a link is on. */
export function isAutomaticallyExported({ S3 }: DataRepositoryAssociation): boolean {
  return (S3?.AutoExportPolicy?.Events ?? []).length > 0;
}

/** FSx may write a slash behind a path. */
export function withoutSlash(path: string | undefined): string {
  return (path ?? '').replace(/(?<=.)\/$/, '');
}

function present(value: string | undefined, operation: string): string {
  if (value === undefined) throw new Error(`${operation} answered without what was asked for`);
  return value;
}
