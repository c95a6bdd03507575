import { type CloudFormationClient, paginateDescribeStacks } from '@aws-sdk/client-cloudformation';
import { DescribeKeyPairsCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { type EFSClient, paginateDescribeAccessPoints } from '@aws-sdk/client-efs';
import { type FSxClient, paginateDescribeFileSystems } from '@aws-sdk/client-fsx';
import { paginateListSecrets, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { z } from 'zod';
import { CLUSTER_VIEW_MEMO } from '../domain/cluster-view.ts';
import type { Deployment } from '../domain/deployment.ts';
import { clusterWorkflowId, reaperWorkflowId } from '../domain/ids.ts';
import { deploymentsOf, findOrphans, type TaggedResource } from '../domain/orphans.ts';
import { tagKeys } from '../domain/resource-tags.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';

export interface SweepDeps {
  readonly cloudFormation: CloudFormationClient;
  readonly ec2: EC2Client;
  readonly efs: EFSClient;
  readonly fsx: FSxClient;
  /** Whose access points are looked at. */
  readonly efsFileSystemId: string | undefined;
  readonly secretsManager: SecretsManagerClient;
  /** Whether a workflow runs, and the view in its memo. */
  readonly describeWorkflow: (
    workflowId: string,
  ) => Promise<{ readonly isRunning: boolean; readonly view?: unknown } | undefined>;
}

type TagList =
  readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined;

/** Looks at everything in the account that carries the tag of an epoch, and at the workflows that could look after it. */
export function createSweepActivities(deps: SweepDeps): Pick<Activities, 'surveyOrphans'> {
  return {
    async surveyOrphans() {
      return withHeartbeat(async ({ report }) => {
        const lists = [stacks, fileSystems, accessPoints, keyPairs, secrets];
        const resources: TaggedResource[] = [];
        for (const list of lists) {
          for await (const resource of list(deps)) if (resource.tags[tagKeys.epoch]) resources.push(resource);
          report({ resources: resources.length });
        }
        const attended = new Set<string>();
        for (const deployment of deploymentsOf(resources))
          if (await isAttended(deps, deployment)) attended.add(keyOf(deployment));
        return findOrphans(resources, (deployment) => attended.has(keyOf(deployment)), Date.now() / 1000);
      });
    },
  };
}

const keyOf = ({ virtualLabId, projectId, epoch }: Deployment) => `${virtualLabId}/${projectId}/${epoch}`;

/**
 * Whether a workflow looks after a deployment, or somebody has taken it over with the answer `abandon`. An answer of
 * Temporal that is missing is thrown, never taken for no.
 */
async function isAttended(deps: SweepDeps, deployment: Deployment): Promise<boolean> {
  const { epoch } = deployment;
  const [entity, reaper] = await Promise.all([
    describe(deps, clusterWorkflowId(deployment)),
    describe(deps, reaperWorkflowId(deployment)),
  ]);
  if (entity.abandonedEpochs.includes(epoch) || reaper.abandonedEpochs.includes(epoch)) return true;
  return reaper.isRunning || (entity.isRunning && entity.epoch === epoch);
}

const viewSchema = z.object({
  epoch: z.string().optional(),
  abandonedEpochs: z.array(z.string()).default([]),
});

async function describe({ describeWorkflow }: SweepDeps, workflowId: string) {
  const found = await describeWorkflow(workflowId);
  return { isRunning: found?.isRunning ?? false, ...viewSchema.parse(found?.view ?? {}) };
}

/** How workflows are looked at: undefined for one that there is not, and every other failure is thrown. */
export function describeIn(client: Client): SweepDeps['describeWorkflow'] {
  return async (workflowId) => {
    try {
      const { status, memo } = await client.workflow.getHandle(workflowId).describe();
      return { isRunning: status.name === 'RUNNING', view: memo?.[CLUSTER_VIEW_MEMO] };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  };
}

async function* stacks({ cloudFormation }: SweepDeps): AsyncGenerator<TaggedResource> {
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: cloudFormation }, {})) {
    for (const { StackId = '', StackName = '', StackStatus, Tags, ParentId } of Stacks) {
      if (StackStatus === 'DELETE_COMPLETE' || ParentId !== undefined) continue;
      yield { kind: 'stack', id: StackId, name: StackName, tags: tagsOf(Tags) };
    }
  }
}

async function* fileSystems({ fsx }: SweepDeps): AsyncGenerator<TaggedResource> {
  for await (const { FileSystems = [] } of paginateDescribeFileSystems({ client: fsx }, {})) {
    for (const { FileSystemId = '', FileSystemType, Tags } of FileSystems)
      if (FileSystemType === 'LUSTRE')
        yield { kind: 'lustre', id: FileSystemId, name: FileSystemId, tags: tagsOf(Tags) };
  }
}

async function* accessPoints({ efs, efsFileSystemId }: SweepDeps): AsyncGenerator<TaggedResource> {
  if (efsFileSystemId === undefined) return;
  const pages = paginateDescribeAccessPoints({ client: efs }, { FileSystemId: efsFileSystemId });
  for await (const { AccessPoints = [] } of pages) {
    for (const { AccessPointId = '', Tags } of AccessPoints)
      yield { kind: 'access-point', id: AccessPointId, name: AccessPointId, tags: tagsOf(Tags) };
  }
}

async function* keyPairs({ ec2 }: SweepDeps): AsyncGenerator<TaggedResource> {
  // The one list of EC2 that has no pages.
  const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand({}));
  for (const { KeyPairId = '', KeyName = '', Tags } of KeyPairs)
    yield { kind: 'key-pair', id: KeyPairId, name: KeyName, tags: tagsOf(Tags) };
}

async function* secrets({ secretsManager }: SweepDeps): AsyncGenerator<TaggedResource> {
  const pages = paginateListSecrets({ client: secretsManager }, { IncludePlannedDeletion: false });
  for await (const { SecretList = [] } of pages)
    for (const { ARN = '', Name = '', Tags } of SecretList)
      yield { kind: 'secret', id: ARN, name: Name, tags: tagsOf(Tags) };
}

function tagsOf(tags: TagList): Record<string, string> {
  return Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}
