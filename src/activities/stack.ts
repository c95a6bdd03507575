import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { isAlreadyExists, isInvalidStackRequest, isProtectedFromTermination } from '../clients/aws-errors.ts';
import { instancesOf, terminateInstances } from '../clients/instances.ts';
import { createStacks } from '../clients/stacks.ts';
import type { ExistingStack, Stacks } from '../clients/stacks.ts';
import { outerStackName } from '../domain/cluster-name.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import { foreignAction } from '../domain/custom-actions.ts';
import { foreignFileSystem } from '../domain/file-systems.ts';
import type { CreatedStack, Deployment } from '../domain/deployment.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { StorageBuckets } from '../domain/lustre.ts';
import { nodePolicyReference, outerStackOutputs, renderOuterStack } from '../domain/outer-stack.ts';
import { renderClusterConfiguration } from '../domain/pcluster-config.ts';
import type { DeploymentSettings, S3Mounts, SlurmApi } from '../domain/cluster-configuration-input.ts';
import { stackTags, toTagList } from '../domain/resource-tags.ts';
import { renderJwks } from '../domain/slurm-jwt.ts';
import { uploadScript } from './bootstrap-assets.ts';
import { databaseAccountOf } from './database-account.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Heartbeat } from './heartbeat.ts';
import { pause, pollUntil, settling, takeAway } from './poll.ts';
import { createFailure } from './stack-failure.ts';
import type { Activities, StackRequest } from './port.ts';

export interface StackDeps {
  readonly cloudFormation: CloudFormationClient;
  readonly ec2: EC2Client;
  /** Where nodes write why they did not start. */
  readonly logs: CloudWatchLogsClient;
  readonly s3: S3Client;
  readonly secretsManager: SecretsManagerClient;
  /** Where the scripts that nodes run at their start are put. */
  readonly controlBucket: string;
  /** ARN of the Lambda function that serves `Custom::PclusterCluster`. */
  readonly providerArn: string;
  readonly settings: Omit<DeploymentSettings, 'jobUserScriptUri' | 'jobEnvironmentScriptUri'>;
  /** Nodes may use the tenant's part of them; without such buckets nothing of S3 but their scripts. */
  readonly storageBuckets: StorageBuckets | undefined;
  /** Whose everything is that is made: see `installationName`. */
  readonly installation?: string;
  /** Between two looks at a stack that is under way. */
  readonly stackPollSeconds: number;
}

/**
 * The outer stack of a deployment, and through it the cluster's own stack. Both are known by the epoch in their
 * tags; a stack without it is never changed. Heartbeats tell an operator who looks at the pending activity which stack
 * is in which state; a next attempt finds the stack by itself.
 *
 * Creation uses `OnFailure: DO_NOTHING`. A rollback would at once send the provider a Delete, and the provider deletes
 * whatever cluster has the name, even one that made our create fail because it was there before. With nothing done,
 * {@link deleteStack} can look whose cluster it is first.
 */
export function createStackActivities(deps: StackDeps): Pick<Activities, 'createStack' | 'deleteStack'> {
  const stacks = createStacks(deps.cloudFormation);
  return {
    async createStack(request) {
      return withHeartbeat(async (beat) => {
        const found = await findOwn(stacks, request);
        const stackId = found ?? (await create(deps, stacks, request));
        const mayBeUnseen = found === undefined ? settling() : () => false;
        return waitUntilCreated(deps, stacks, { ...request, stackId, mayBeUnseen }, beat);
      });
    },

    async deleteStack({ askedSecondsAgo, ...deployment }) {
      await withHeartbeat(async (beat) => {
        const { signal } = beat;
        await takeAway(
          async () => {
            const wasSeen = await deleteBoth(deps, stacks, deployment, beat);
            await terminateWhatIsLeft(deps, deployment, beat);
            return wasSeen;
          },
          { askedSecondsAgo, signal },
        );
      });
    },
  };
}

async function findBoth(
  stacks: Stacks,
  { clusterName }: Deployment,
): Promise<readonly [outer: ExistingStack | undefined, cluster: ExistingStack | undefined]> {
  return Promise.all([stacks.find(outerStackName(clusterName)), stacks.find(clusterName)]);
}

/** Whether the outer stack was there. */
async function deleteBoth(
  deps: StackDeps,
  stacks: Stacks,
  deployment: Deployment,
  beat: Heartbeat,
): Promise<boolean> {
  const { epoch, clusterName } = deployment;
  const [outer, cluster] = await findBoth(stacks, deployment);
  const isOwn = outer?.epoch === epoch;
  if (isOwn) {
    if (cluster && cluster.epoch !== epoch) throw foreignCluster(outer, cluster);
    await deleteOne(deps, stacks, outer, beat);
  }
  // Usually gone with the outer stack. What a provider that died left behind still costs money.
  const left = await stacks.find(clusterName);
  if (left?.epoch === epoch) await deleteOne(deps, stacks, left, beat);
  return isOwn;
}

/** The id of the deployment's outer stack; undefined if both names are free. StackNameTaken otherwise. */
async function findOwn(stacks: Stacks, deployment: Deployment): Promise<string | undefined> {
  const [outer, cluster] = await findBoth(stacks, deployment);
  if (outer?.epoch === deployment.epoch) return outer.stackId;
  const taken = outer ?? cluster;
  if (!taken) return undefined;
  throw new KnownFailure(
    'StackNameTaken',
    `The stack ${taken.name} exists (${taken.status}) and is not of deployment ${deployment.epoch}`,
    { stackId: taken.stackId },
  );
}

/** The API refuses it; an operator may have asked in the Temporal UI. */
function refuseWhatIsForeign(
  { customActions, fileSystems = [] }: ClusterSpec,
  { customActionsBucket, attachableFileSystems }: StackDeps['settings'],
) {
  const unknown = foreignFileSystem(fileSystems, attachableFileSystems);
  if (unknown !== undefined)
    throw new KnownFailure(
      'StackCreateFailed',
      `fileSystems.${unknown}.id: ${fileSystems[unknown]?.id} is not among ATTACHABLE_FILE_SYSTEMS`,
    );
  const foreign = foreignAction(customActions, customActionsBucket);
  if (foreign === undefined) return;
  throw new KnownFailure(
    'StackCreateFailed',
    `customActions.${foreign}.script does not lie in ${customActionsBucket ?? 'a CUSTOM_ACTIONS_BUCKET, which is not set'}`,
  );
}

async function create(deps: StackDeps, stacks: Stacks, request: StackRequest): Promise<string> {
  refuseWhatIsForeign(request.spec, deps.settings);
  const s3Mounts = await s3MountsOf(deps, request.spec);
  const [jobUserScriptUri, jobEnvironmentScriptUri] = await Promise.all([
    uploadScript(deps.s3, deps.controlBucket, 'create-job-user'),
    uploadScript(deps.s3, deps.controlBucket, 'job-environment'),
  ]);
  const { spec, lease, adminKeyName, jobUserPublicKey, trusted, home, lustre, ...deployment } = request;
  const slurmApi = await slurmApiOf(deps, spec, trusted);
  const { slurmDatabase } = deps.settings;
  const account =
    slurmDatabase && (await databaseAccountOf(deps.secretsManager, slurmDatabase, request.clusterName));
  const configuration = renderClusterConfiguration({
    spec,
    deployment,
    settings: {
      ...deps.settings,
      jobUserScriptUri,
      jobEnvironmentScriptUri,
      ...(account && { slurmDatabase: account }),
    },
    subnetId: lease.subnetId,
    nodePolicy: nodePolicyReference,
    adminKeyName,
    jobUserPublicKey,
    ...(slurmApi && { slurmApi }),
    ...(s3Mounts && { s3Mounts }),
    ...(home && { home }),
    ...(lustre && {
      lustre: { ...lustre, scriptUri: await uploadScript(deps.s3, deps.controlBucket, 'storage-folders') },
    }),
  });
  const name = outerStackName(request.clusterName);
  try {
    return await stacks.create({
      name,
      template: JSON.stringify(
        renderOuterStack(deployment, deps.providerArn, configuration, deps.storageBuckets),
      ),
      tags: toTagList(stackTags(deployment, lease.subnetId, deps.installation)),
      requestToken: `create-${request.epoch}`,
    });
  } catch (error) {
    if (isAlreadyExists(error)) {
      // Another attempt, or somebody else, was faster by a moment.
      const stackId = await findOwn(stacks, request);
      if (stackId) return stackId;
    }
    if (!(error instanceof Error) || !isInvalidStackRequest(error)) throw error;
    throw new KnownFailure('StackCreateFailed', `CloudFormation refused ${name}: ${error.message}`);
  }
}

/** Without buckets the API refuses it; an operator may have asked in the Temporal UI. */
async function s3MountsOf(
  { s3, controlBucket, storageBuckets }: StackDeps,
  spec: ClusterSpec,
): Promise<S3Mounts | undefined> {
  if (!spec.s3Mounts) return undefined;
  if (!storageBuckets)
    throw new KnownFailure('StackCreateFailed', 's3Mounts: this installation has no SCRATCH_BUCKET');
  const { projectPublic, projectPrivate } = storageBuckets;
  return { projectPublic, projectPrivate, scriptUri: await uploadScript(s3, controlBucket, 's3-mounts') };
}

async function slurmApiOf(
  { s3, controlBucket }: StackDeps,
  spec: ClusterSpec,
  trusted: StackRequest['trusted'],
): Promise<SlurmApi | undefined> {
  if (spec.slurmApi === undefined || trusted === undefined) return undefined;
  const scriptUri = await uploadScript(s3, controlBucket, 'slurm-rest-api');
  return { trust: spec.slurmApi.trust, scriptUri, jwks: renderJwks(trusted) };
}

async function waitUntilCreated(
  { logs, stackPollSeconds }: StackDeps,
  stacks: Stacks,
  created: Deployment & { readonly stackId: string; readonly mayBeUnseen: () => boolean },
  { signal, report }: Heartbeat,
): Promise<CreatedStack> {
  const { stackId, mayBeUnseen } = created;
  let wasSeen = false;
  const look = async (): Promise<CreatedStack | undefined> => {
    const stack = await stacks.find(stackId);
    wasSeen ||= stack !== undefined;
    // One that was seen and is no longer there was deleted.
    if (!wasSeen && mayBeUnseen()) return undefined;
    const status = stack?.status ?? 'DELETED';
    report({ stackId, status });
    if (status === 'CREATE_IN_PROGRESS') return undefined;
    const headNodeAddress = stack?.outputs[outerStackOutputs.headNodeAddress];
    if (status === 'CREATE_COMPLETE' && headNodeAddress) return { stackId, headNodeAddress };
    throw await createFailure({ stacks, logs }, created, stackId, status);
  };
  return pollUntil(look, { intervalSeconds: stackPollSeconds, signal });
}

/** CloudFormation deletes no stack while it updates it: what it does is waited for. */
const UPDATING = /^UPDATE_(?:.*_)?IN_PROGRESS$/;

async function deleteOne(
  { stackPollSeconds }: StackDeps,
  stacks: Stacks,
  { stackId, name, status: seen }: ExistingStack,
  { signal, report }: Heartbeat,
): Promise<void> {
  const status = await pollUntil(
    async () => {
      const now = UPDATING.test(seen) ? ((await stacks.find(stackId))?.status ?? 'DELETE_COMPLETE') : seen;
      report({ stackId, status: now });
      return UPDATING.test(now) ? undefined : now;
    },
    { intervalSeconds: stackPollSeconds, signal },
  );
  if (status !== 'DELETE_IN_PROGRESS') await requestDeletion(stacks, stackId, name);
  // The failure of an earlier deletion must not be taken for one of this.
  if (status === 'DELETE_FAILED') await pause(stackPollSeconds, signal);
  const look = async (): Promise<true | undefined> => {
    const stack = await stacks.find(stackId);
    report({ stackId, status: stack?.status ?? 'DELETE_COMPLETE' });
    if (stack?.status !== 'DELETE_FAILED') return stack ? undefined : true;
    const reason = (await stacks.firstFailure(stackId, 'DELETE')) ?? 'the events give no reason';
    throw new KnownFailure('StackDeleteFailed', `The stack ${name} could not be deleted: ${reason}`, {
      stackId,
    });
  };
  await pollUntil(look, { intervalSeconds: stackPollSeconds, signal });
}

/** CloudFormation refuses some deletions at once, that of a stack with termination protection for example. */
async function requestDeletion(stacks: Stacks, stackId: string, name: string): Promise<void> {
  try {
    await stacks.delete(stackId);
  } catch (error) {
    if (!(error instanceof Error) || !isInvalidStackRequest(error)) throw error;
    throw new KnownFailure('StackDeleteFailed', `The stack ${name} cannot be deleted: ${error.message}`, {
      stackId,
    });
  }
}

/**
 * Head nodes start compute nodes by themselves, outside of any stack. ParallelCluster ends them when it deletes a cluster; one
 * that it missed would cost money, and live in a subnet that somebody else gets next.
 */
async function terminateWhatIsLeft(
  { ec2, stackPollSeconds }: StackDeps,
  deployment: Deployment,
  { signal, report }: Heartbeat,
): Promise<void> {
  const look = async (): Promise<true | undefined> => {
    const instances = await instancesOf(ec2, deployment);
    if (instances.length === 0) return true;
    report({ terminating: instances });
    await terminate(ec2, instances);
    return undefined;
  };
  await pollUntil(look, { intervalSeconds: stackPollSeconds, signal });
}

async function terminate(ec2: EC2Client, instances: readonly string[]): Promise<void> {
  try {
    await terminateInstances(ec2, instances);
  } catch (error) {
    if (!isProtectedFromTermination(error)) throw error;
    throw new KnownFailure(
      'StackDeleteFailed',
      `EC2 does not terminate ${instances.join(', ')}: ${error.message}`,
      {
        instances: instances.join(', '),
      },
    );
  }
}

function foreignCluster(outer: ExistingStack, cluster: ExistingStack): KnownFailure {
  return new KnownFailure(
    'StackDeleteFailed',
    `The stack ${cluster.name} (${cluster.status}) is not ours, and deleting ${outer.name} would delete it as well: ` +
      `move or delete it, or delete ${outer.name} by hand and retain its resource`,
    { stackId: outer.stackId, foreignStackId: cluster.stackId },
  );
}
