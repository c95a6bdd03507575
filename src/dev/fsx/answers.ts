import { EMULATED_ACCOUNT_ID, EMULATED_REGION } from '../emulated-account.ts';
import type { Association, LustreFileSystem, Task } from './file-system.ts';
import type { CreateFileSystem } from './requests.ts';

/** AWS's JSON writes times as seconds since 1970. */
const seconds = (milliseconds: number) => milliseconds / 1000;
const arn = (kind: string, id: string) =>
  `arn:aws:fsx:${EMULATED_REGION}:${EMULATED_ACCOUNT_ID}:${kind}/${id}`;

/** A file system and what it was asked for with. */
export interface Created {
  readonly fileSystem: LustreFileSystem;
  readonly request: CreateFileSystem;
  readonly vpcId: string;
  readonly networkInterfaceId: string;
  failure?: string;
}

export function fileSystemAnswer({ fileSystem, request, vpcId, networkInterfaceId, failure }: Created) {
  const { id, lifecycle, createdAt } = fileSystem;
  return {
    OwnerId: EMULATED_ACCOUNT_ID,
    CreationTime: seconds(createdAt),
    FileSystemId: id,
    FileSystemType: 'LUSTRE',
    FileSystemTypeVersion: request.FileSystemTypeVersion ?? '2.15',
    Lifecycle: lifecycle,
    ...(failure !== undefined && { FailureDetails: { Message: failure } }),
    StorageCapacity: request.StorageCapacity,
    StorageType: request.StorageType,
    VpcId: vpcId,
    SubnetIds: request.SubnetIds,
    NetworkInterfaceIds: [networkInterfaceId],
    DNSName: `${id}.fsx.${EMULATED_REGION}.amazonaws.com`,
    ResourceARN: arn('file-system', id),
    Tags: request.Tags,
    LustreConfiguration: {
      DeploymentType: request.LustreConfiguration.DeploymentType,
      PerUnitStorageThroughput: request.LustreConfiguration.PerUnitStorageThroughput,
      MountName: 'fsx',
      DataCompressionType: request.LustreConfiguration.DataCompressionType,
      CopyTagsToBackups: false,
      AutomaticBackupRetentionDays: 0,
      WeeklyMaintenanceStartTime: '1:05:00',
    },
  };
}

export function associationAnswer(association: Association) {
  const { id, fileSystemId, fileSystemPath, dataRepositoryPath, lifecycle, failure } = association;
  return {
    AssociationId: id,
    ResourceARN: arn('association', `${fileSystemId}/${id}`),
    FileSystemId: fileSystemId,
    Lifecycle: lifecycle,
    ...(failure !== undefined && { FailureDetails: { Message: failure } }),
    FileSystemPath: fileSystemPath,
    DataRepositoryPath: dataRepositoryPath,
    BatchImportMetaDataOnCreate: true,
    ImportedFileChunkSize: 1024,
    S3: {
      ...(association.importEvents.length > 0 && { AutoImportPolicy: { Events: association.importEvents } }),
      ...(association.exportEvents.length > 0 && { AutoExportPolicy: { Events: association.exportEvents } }),
    },
    Tags: association.tags,
    CreationTime: seconds(association.createdAt),
  };
}

export function taskAnswer(task: Task) {
  const { id, fileSystemId, lifecycle, startedAt, endedAt, failure, reportPath } = task;
  return {
    TaskId: id,
    Lifecycle: lifecycle,
    Type: task.type,
    CreationTime: seconds(task.createdAt),
    ...(startedAt !== undefined && { StartTime: seconds(startedAt) }),
    ...(endedAt !== undefined && { EndTime: seconds(endedAt) }),
    ResourceARN: arn('task', id),
    Tags: task.tags,
    FileSystemId: fileSystemId,
    Paths: task.paths,
    ...(failure !== undefined && { FailureDetails: { Message: failure } }),
    Status: {
      TotalCount: task.total,
      SucceededCount: task.succeeded,
      FailedCount: task.failed,
      LastUpdatedTime: seconds(endedAt ?? Date.now()),
    },
    Report:
      reportPath === undefined
        ? { Enabled: false }
        : { Enabled: true, Path: reportPath, Format: 'REPORT_CSV_20191124', Scope: 'FAILED_FILES_ONLY' },
  };
}
