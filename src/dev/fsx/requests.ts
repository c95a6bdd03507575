import { z } from 'zod';

/*
 * The requests that the stand-in takes, as FSx's API has them (2018-03-01). Unknown members are refused, so that a
 * request which FSx would refuse does not pass here.
 */

const token = z.string().max(63).optional();
const tags = z.array(z.strictObject({ Key: z.string(), Value: z.string() })).default([]);
const eventTypes = z.array(z.enum(['NEW', 'CHANGED', 'DELETED'])).max(3);
const s3Configuration = z.strictObject({
  AutoImportPolicy: z.strictObject({ Events: eventTypes.default([]) }).optional(),
  AutoExportPolicy: z.strictObject({ Events: eventTypes.default([]) }).optional(),
});
const page = { MaxResults: z.int().min(1).optional(), NextToken: z.string().optional() };

export const createFileSystem = z.strictObject({
  ClientRequestToken: token,
  FileSystemType: z.literal('LUSTRE'),
  FileSystemTypeVersion: z.enum(['2.10', '2.12', '2.15']).optional(),
  StorageCapacity: z.int(),
  StorageType: z.literal('SSD'),
  SubnetIds: z.array(z.string()).length(1),
  SecurityGroupIds: z.array(z.string()).max(50).default([]),
  KmsKeyId: z.string().optional(),
  Tags: tags,
  LustreConfiguration: z.strictObject({
    DeploymentType: z.literal('PERSISTENT_2'),
    PerUnitStorageThroughput: z.union([z.literal(125), z.literal(250), z.literal(500), z.literal(1000)]),
    DataCompressionType: z.enum(['NONE', 'LZ4']).default('NONE'),
  }),
});
export type CreateFileSystem = z.output<typeof createFileSystem>;

export const describeFileSystems = z.strictObject({ FileSystemIds: z.array(z.string()).optional(), ...page });

export const deleteFileSystem = z.strictObject({
  FileSystemId: z.string(),
  ClientRequestToken: token,
  LustreConfiguration: z.strictObject({ SkipFinalBackup: z.boolean().optional() }).optional(),
});

export const createAssociation = z.strictObject({
  ClientRequestToken: token,
  FileSystemId: z.string(),
  FileSystemPath: z.string().startsWith('/'),
  DataRepositoryPath: z.string().regex(/^s3:\/\/[^/]+(\/.*)?$/),
  BatchImportMetaDataOnCreate: z.boolean().default(false),
  S3: s3Configuration.default({}),
  Tags: tags,
});
export type CreateAssociation = z.output<typeof createAssociation>;

export const updateAssociation = z.strictObject({
  ClientRequestToken: token,
  AssociationId: z.string(),
  S3: s3Configuration.default({}),
});

export const deleteAssociation = z.strictObject({
  ClientRequestToken: token,
  AssociationId: z.string(),
  DeleteDataInFileSystem: z.boolean().default(false),
});

const filters = z
  .array(z.strictObject({ Name: z.literal('file-system-id'), Values: z.array(z.string()) }))
  .default([]);

export const describeAssociations = z.strictObject({
  AssociationIds: z.array(z.string()).optional(),
  Filters: filters,
  ...page,
});

export const createTask = z.strictObject({
  ClientRequestToken: token,
  Type: z.literal('EXPORT_TO_REPOSITORY'),
  FileSystemId: z.string(),
  Paths: z.array(z.string()).max(100).default([]),
  Report: z.strictObject({
    Enabled: z.boolean(),
    Path: z.string().optional(),
    Format: z.literal('REPORT_CSV_20191124').optional(),
    Scope: z.literal('FAILED_FILES_ONLY').optional(),
  }),
  Tags: tags,
});
export type CreateTask = z.output<typeof createTask>;

export const describeTasks = z.strictObject({
  TaskIds: z.array(z.string()).optional(),
  Filters: filters,
  ...page,
});
