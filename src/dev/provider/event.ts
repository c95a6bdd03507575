import { z } from 'zod';

/**
 * What CloudFormation sends to a custom resource, with the properties of `Custom::PclusterCluster`. CloudFormation
 * hands every number and boolean over as a string, so the configuration is checked by ParallelCluster's schema,
 * which takes both, and not here.
 *
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
 */
export const providerEventSchema = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  RequestId: z.string(),
  ResponseURL: z.url(),
  StackId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().optional(),
  ResourceProperties: z.object({
    ClusterName: z.string().optional(),
    ClusterConfiguration: z.record(z.string(), z.unknown()).optional(),
    DeletionPolicy: z.string().default('Delete'),
  }),
});

export type ProviderEvent = z.infer<typeof providerEventSchema>;
export type RequestType = ProviderEvent['RequestType'];
