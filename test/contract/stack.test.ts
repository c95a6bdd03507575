import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  GetTemplateCommand,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation';
import {
  CreateKeyPairCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DeletionRequest, StackRequest } from '../../src/activities/port.ts';
import { createStackUpdateActivities } from '../../src/activities/stack-update.ts';
import { createStackActivities } from '../../src/activities/stack.ts';
import { outerStackName } from '../../src/domain/cluster-name.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec-input.ts';
import { slurmDatabaseName } from '../../src/domain/pcluster-slurm-settings.ts';
import { priceTable } from '../../src/domain/prices.ts';
import {
  deploymentTags,
  type ResourceTags,
  stackTags,
  tagKeys,
  toTagList,
} from '../../src/domain/resource-tags.ts';
import { activityContext, runActivity } from '../support/activity.ts';
import { lagBehind, noteCalls } from '../support/aws.ts';
import { ProviderRig } from './provider-rig.ts';

const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' }));
const trivialTemplate = JSON.stringify({
  Resources: { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
});

let rig: ProviderRig;
let activities: ReturnType<typeof createStackActivities> & ReturnType<typeof createStackUpdateActivities>;

beforeAll(async () => {
  rig = await ProviderRig.start();
  const { logs, cloudFormation, s3, ec2, secretsManager } = rig.clients;
  await ec2.send(new CreateKeyPairCommand({ KeyName: 'admin', KeyType: 'ed25519' }));
  const settings = { region: 'us-east-1', sshAllowedCidr: '10.0.0.0/16' };
  activities = {
    ...createStackActivities({
      cloudFormation,
      ec2,
      logs,
      s3,
      secretsManager,
      controlBucket: rig.seeded.controlBucket,
      providerArn: rig.seeded.providerArn,
      settings,
      storageBuckets: rig.seeded.storageBuckets,
      stackPollSeconds: 0.1,
    }),
    ...createStackUpdateActivities({
      cloudFormation,
      settings,
      stackPollSeconds: 0.1,
      currentPrices: async () => priceTable,
    }),
  };
});

afterEach(() => {
  const left = [...rig.headNodes.running.keys()];
  if (left.length > 0) throw new Error(`head nodes left by the test: ${left.join(', ')}`);
});

afterAll(async () => rig?.close());

let requestCount = 0;
/** A deployment of a cluster that no other test has. */
function freshRequest(): StackRequest {
  requestCount += 1;
  return {
    virtualLabId: 'lab',
    projectId: `p${requestCount}`,
    clusterName: `pcluster-lab-p${requestCount}`,
    epoch: `1k2m9x0aab12c${requestCount}`,
    spec,
    lease: { subnetId: rig.seeded.subnetIds[0] ?? '', availabilityZone: 'us-east-1a' },
    adminKeyName: 'admin',
    jobUserPublicKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9MQ2CIVhPKL+th9B66fylbZL0GMaEs4s8Sts6chz0N',
  };
}

async function createStack(request: StackRequest, environment = activityContext()) {
  return runActivity(activities.createStack, request, environment);
}

async function deleteStack(request: DeletionRequest, environment = activityContext()): Promise<void> {
  await runActivity(activities.deleteStack, request, environment);
}

/** A stack that the activities did not make. */
async function createTrivialStack(name: string, tags: { Key: string; Value: string }[] = []): Promise<void> {
  await rig.clients.cloudFormation.send(
    new CreateStackCommand({ StackName: name, TemplateBody: trivialTemplate, Tags: tags }),
  );
  expect(await rig.settled(name)).toBe('CREATE_COMPLETE');
}

async function stackId(name: string): Promise<string | undefined> {
  const { Stacks = [] } = await rig.clients.cloudFormation.send(
    new DescribeStacksCommand({ StackName: name }),
  );
  return Stacks[0]?.StackId;
}

async function statesOf({ clusterName }: StackRequest): Promise<(string | undefined)[]> {
  const stacks = await Promise.all([rig.stack(outerStackName(clusterName)), rig.stack(clusterName)]);
  return stacks.map((stack) => stack?.status);
}

describe('createStack', () => {
  test('creates the cluster and answers with the address of its head node', async () => {
    const request = freshRequest();
    const created = await createStack(request);
    const name = outerStackName(request.clusterName);
    expect(created).toEqual({ stackId: await stackId(name), headNodeAddress: '127.0.1.1' });
    expect((await rig.stack(name))?.tags).toEqual(
      Object.fromEntries(
        toTagList(stackTags(request, request.lease.subnetId)).map(({ Key, Value }) => [Key, Value]),
      ),
    );
    const headNode = rig.headNodes.running.get(request.clusterName);
    expect(headNode?.onNodeConfigured[0]?.args).toEqual(['sim', '2000', request.jobUserPublicKey]);
    await deleteStack(request);
  });

  test('gives the head node the keys that Slurm is to trust, where the specification asks for its REST API', async () => {
    const input = clusterSpecInputSchema.parse({ tier: 'debug', slurmApi: {} });
    const key = { kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'k1', n: 'n', e: 'AQAB' } as const;
    const request = { ...freshRequest(), spec: resolveClusterSpec(input), trusted: [key] };
    await createStack(request);
    const headNode = rig.headNodes.running.get(request.clusterName);
    const [trust] = headNode?.onNodeStart ?? [];
    expect(trust?.args[0]).toBe('trust');
    expect(JSON.parse(Buffer.from(trust?.args[1] ?? '', 'base64').toString())).toEqual({ keys: [key] });
    expect(headNode?.onNodeConfigured.map(({ args }) => args[0])).toEqual(['sim', 'install', 'serve']);
    expect(headNode?.customSlurmSettings).toMatchObject({ AuthAltTypes: 'auth/jwt' });
    await deleteStack(request);
  });

  test('lets its nodes use the tenant’s own data in S3 by a policy that is there before it and goes after it', async () => {
    const request = freshRequest();
    await createStack(request);
    const arns = await rig.policyArns();
    const { TemplateBody = '' } = await rig.clients.cloudFormation.send(
      new GetTemplateCommand({ StackName: outerStackName(request.clusterName) }),
    );
    await deleteStack(request);

    // ParallelCluster's provider may give roles no others. Its own schema refuses a reference that nobody replaced.
    expect(arns).toEqual([expect.stringMatching(/:policy\/parallelcluster/)]);
    expect(TemplateBody).toContain(`${rig.seeded.storageBuckets.scratch}/lab/${request.projectId}/*`);
    await expect(rig.policyArns()).resolves.toEqual([]);
  });

  test('hands the account of the cluster’s own accounting database to the cluster', async () => {
    const request = freshRequest();
    const { cloudFormation, s3, secretsManager } = rig.clients;
    const Name = `slurm-database/${slurmDatabaseName(request.clusterName)}`;
    const { ARN = '' } = await secretsManager.send(new CreateSecretCommand({ Name, SecretString: 'x' }));
    const slurmDatabase = {
      uri: 'db.example.org:3306',
      userName: 'slurm_{database}',
      passwordSecretArn: ARN.replace(/secret:.*$/, 'secret:slurm-database/{database}'),
    };
    const withDatabase = createStackActivities({
      cloudFormation,
      ec2: rig.clients.ec2,
      logs: rig.clients.logs,
      s3,
      secretsManager,
      controlBucket: rig.seeded.controlBucket,
      providerArn: rig.seeded.providerArn,
      settings: { region: 'us-east-1', sshAllowedCidr: '10.0.0.0/16', slurmDatabase },
      storageBuckets: undefined,
      stackPollSeconds: 0.1,
    });
    await runActivity(withDatabase.createStack, request);
    const { TemplateBody = '' } = await cloudFormation.send(
      new GetTemplateCommand({ StackName: outerStackName(request.clusterName) }),
    );
    await deleteStack(request);
    expect(TemplateBody).toContain(`slurm_${slurmDatabaseName(request.clusterName)}`);
    expect(TemplateBody).toContain(ARN);
  });

  test('waits for a stack that CloudFormation does not show yet', async () => {
    const request = freshRequest();
    const stop = lagBehind(rig.clients.cloudFormation, {
      change: 'CreateStack',
      read: 'DescribeStacks',
      times: 2,
    });
    await expect(createStack(request)).resolves.toMatchObject({
      headNodeAddress: expect.any(String) as unknown,
    });
    expect(stop()).toBeGreaterThanOrEqual(2);
    await deleteStack(request);
  });

  test('repeated and concurrent calls of a deployment share one stack', async () => {
    const request = freshRequest();
    const [first, second] = await Promise.all([createStack(request), createStack(request)]);
    expect(second).toEqual(first);
    expect(await createStack(request)).toEqual(first);
    await deleteStack(request);
  });

  test('an attempt that is cancelled ends at once, and the next one goes on waiting for the same stack', async () => {
    const request = freshRequest();
    const release = rig.provider.faults.hold('Create');
    const environment = activityContext();
    const states: unknown[] = [];
    environment.on('heartbeat', (progress) => states.push(progress));
    const attempt = createStack(request, environment);
    await expect.poll(() => states.at(-1)).toMatchObject({ status: 'CREATE_IN_PROGRESS' });
    environment.cancel('WORKER_SHUTDOWN');
    await expect(attempt).rejects.toMatchObject({ name: 'CancelledFailure' });

    const id = await stackId(outerStackName(request.clusterName));
    const next = createStack(request);
    release();
    expect(await next).toMatchObject({ stackId: id });
    await deleteStack(request);
  });

  test('a foreign stack of the outer name is a failure and stays as it is', async () => {
    const request = freshRequest();
    const name = outerStackName(request.clusterName);
    await createTrivialStack(name, [{ Key: 'owner', Value: 'somebody' }]);
    const creating = createStack(request);
    await expect(creating).rejects.toMatchObject({ type: 'StackNameTaken' });
    await expect(creating).rejects.toThrow(name);
    await deleteStack(request);
    expect(await statesOf(request)).toEqual(['CREATE_COMPLETE', undefined]);
  });

  test('a foreign cluster of the same name is a failure, stays as it is, and no outer stack is made', async () => {
    const request = freshRequest();
    await createTrivialStack(request.clusterName);
    await expect(createStack(request)).rejects.toMatchObject({ type: 'StackNameTaken' });
    await deleteStack(request);
    expect(await statesOf(request)).toEqual([undefined, 'CREATE_COMPLETE']);
  });

  test('the stack of an earlier epoch is as foreign as any other', async () => {
    const request = freshRequest();
    await createStack(request);
    const later = { ...request, epoch: '1k2m9x0zzzzzz' };
    await expect(createStack(later)).rejects.toMatchObject({ type: 'StackNameTaken' });
    await deleteStack(later);
    expect(await statesOf(request)).toEqual(['CREATE_COMPLETE', 'CREATE_COMPLETE']);
    await deleteStack(request);
  });

  test('a failure carries the reason from the events, and what is left can be deleted', async () => {
    const request = freshRequest();
    rig.provider.faults.failNext('Create', 'Bad Request: the subnet has no free address');
    const creating = createStack(request);
    await expect(creating).rejects.toMatchObject({ type: 'StackCreateFailed' });
    await expect(creating).rejects.toThrow(
      /Cluster \(Custom::PclusterCluster\).*the subnet has no free address/,
    );
    expect(await statesOf(request)).toEqual(['CREATE_FAILED', undefined]);
    await expect(createStack(request)).rejects.toThrow('the subnet has no free address');
    await deleteStack(request);
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });

  test('a failure for want of capacity has a type of its own', async () => {
    const request = freshRequest();
    const reason =
      'We currently do not have sufficient t3.medium capacity in the Availability Zone you requested';
    rig.provider.faults.failNext('Create', reason);
    await expect(createStack(request)).rejects.toMatchObject({ type: 'InsufficientCapacity' });
    await deleteStack(request);
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });

  test('why nodes that never power down did not start is in the head node’s logs alone', async () => {
    const request = freshRequest();
    const logGroupName = `/aws/parallelcluster/${request.clusterName}-202611261015`;
    const logStreamName = 'ip-10-0-0-4.i-0123456789abcdef0.clustermgtd';
    const { logs } = rig.clients;
    await logs.send(new CreateLogGroupCommand({ logGroupName }));
    await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
    const line =
      'ERROR - Encountered exception when launching instances: An error occurred (InsufficientInstanceCapacity)';
    const logEvents = [line, 'INFO - Waiting for static fleet'].map((message) => ({
      timestamp: Date.now(),
      message,
    }));
    await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }));
    const reason = 'WaitCondition timed out. Received 0 conditions when expecting 1';
    rig.provider.faults.failNext('Create', reason);
    const creating = createStack(request);
    await expect(creating).rejects.toMatchObject({ type: 'InsufficientCapacity' });
    await expect(creating).rejects.toThrow(
      /Received 0 conditions.*In the head node's log: .*InsufficientInstanceCapacity/s,
    );
    await deleteStack(request);
  });
});

describe('deleteStack', () => {
  test('returns when the stack and the cluster are gone; repeating it is harmless', async () => {
    const request = freshRequest();
    await createStack(request);
    await Promise.all([deleteStack(request), deleteStack(request)]);
    expect(await statesOf(request)).toEqual([undefined, undefined]);
    await expect(deleteStack(request)).resolves.toBeUndefined();
  });

  test('a stack that never was is no failure', async () => {
    await expect(deleteStack(freshRequest())).resolves.toBeUndefined();
  });

  test('deletes a stack that is still being created', async () => {
    const request = freshRequest();
    const release = rig.provider.faults.hold('Create');
    const outcome = createStack(request).then(
      () => 'created',
      (error: unknown) => error,
    );
    await expect.poll(async () => (await statesOf(request))[0]).toBe('CREATE_IN_PROGRESS');
    await deleteStack(request);
    release();
    expect(await outcome).toMatchObject({ type: 'StackCreateFailed' });
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });

  test('deletes a stack whose creation was given up before CloudFormation showed it', async () => {
    const request = freshRequest();
    const release = rig.provider.faults.hold('Create');
    const always = { change: 'CreateStack', read: 'DescribeStacks', times: Number.POSITIVE_INFINITY };
    const noted = noteCalls(rig.clients.cloudFormation);
    const { calls } = noted;
    const show = lagBehind(rig.clients.cloudFormation, always);
    const environment = activityContext();
    const creating = createStack(request, environment);
    await expect.poll(() => calls.length, { timeout: 10_000 }).toBeGreaterThan(6);
    expect(calls).toContain('CreateStack');
    environment.cancel();
    await expect(creating).rejects.toThrow(/cancel/i);
    const deleting = deleteStack({ ...request, askedSecondsAgo: 10 });
    const looks = calls.length;
    await expect.poll(() => calls.length, { timeout: 5000 }).toBeGreaterThan(looks + 3);
    noted.stop();
    show();
    await deleting;
    release();
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });

  test('a deletion that is under way is only waited for', async () => {
    const request = freshRequest();
    await createStack(request);
    const release = rig.provider.faults.hold('Delete');
    await rig.clients.cloudFormation.send(
      new DeleteStackCommand({ StackName: outerStackName(request.clusterName) }),
    );
    const environment = activityContext();
    const states: unknown[] = [];
    environment.on('heartbeat', (progress) => states.push(progress));
    const deleting = deleteStack(request, environment);
    await expect.poll(() => states.at(-1)).toMatchObject({ status: 'DELETE_IN_PROGRESS' });
    release();
    await deleting;
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });

  test('a failed deletion names its reason, and the next attempt deletes again', async () => {
    const request = freshRequest();
    await createStack(request);
    rig.provider.faults.failNext('Delete', 'network interface eni-1 is in use');
    rig.provider.faults.failNext('Delete', 'network interface eni-2 is in use');
    await expect(deleteStack(request)).rejects.toMatchObject({
      type: 'StackDeleteFailed',
      details: { stackId: await stackId(outerStackName(request.clusterName)) },
    });
    // The reason is that of the latest deletion, not of the first.
    await expect(deleteStack(request)).rejects.toThrow('eni-2 is in use');
    await deleteStack(request);
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });

  test('a stack that CloudFormation will not delete is named', async () => {
    const request = freshRequest();
    const StackName = outerStackName(request.clusterName);
    await createStack(request);
    const protect = async (EnableTerminationProtection: boolean) =>
      rig.clients.cloudFormation.send(
        new UpdateTerminationProtectionCommand({ StackName, EnableTerminationProtection }),
      );
    await protect(true);
    const deleting = deleteStack(request);
    await expect(deleting).rejects.toMatchObject({ type: 'StackDeleteFailed' });
    await expect(deleting).rejects.toThrow('TerminationProtection');
    await protect(false);
    await deleteStack(request);
  });

  test('a stack of ours is kept while deleting it would delete a foreign cluster', async () => {
    const request = freshRequest();
    rig.provider.faults.failNext('Create', `Bad Request: Cluster ${request.clusterName} already exists.`);
    await expect(createStack(request)).rejects.toThrow('already exists');
    await createTrivialStack(request.clusterName, [{ Key: tagKeys.epoch, Value: 'another' }]);
    const deleting = deleteStack(request);
    await expect(deleting).rejects.toMatchObject({ type: 'StackDeleteFailed' });
    await expect(deleting).rejects.toThrow(`${request.clusterName} (CREATE_COMPLETE) is not ours`);
    expect(await statesOf(request)).toEqual(['CREATE_FAILED', 'CREATE_COMPLETE']);
  });

  test('a cluster that the provider left behind goes as well', async () => {
    const request = freshRequest();
    await createTrivialStack(request.clusterName, toTagList(stackTags(request, request.lease.subnetId)));
    await deleteStack(request);
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });
});

describe('instances that outlived the stack', () => {
  const launch = async (tags: ResourceTags) => {
    const { ec2 } = rig.clients;
    const { Images: [image] = [] } = await ec2.send(new DescribeImagesCommand({}));
    const TagSpecifications = [{ ResourceType: 'instance' as const, Tags: toTagList(tags) }];
    const one = { ImageId: image?.ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 } as const;
    const { Instances } = await ec2.send(new RunInstancesCommand({ ...one, TagSpecifications }));
    return Instances?.[0]?.InstanceId ?? '';
  };

  test('end with it, and those of another deployment do not', async () => {
    const request = freshRequest();
    const own = await launch(deploymentTags(request));
    const other = await launch(deploymentTags({ ...request, epoch: '1k2m9x0aab12zz' }));
    await deleteStack(request);
    const InstanceIds = [own, other];
    const { Reservations = [] } = await rig.clients.ec2.send(new DescribeInstancesCommand({ InstanceIds }));
    const states = Reservations.flatMap(({ Instances = [] }) => Instances).map(
      ({ InstanceId = '', State }) => [InstanceId, State?.Name],
    );
    expect(Object.fromEntries(states)).toEqual({ [own]: 'terminated', [other]: 'running' });
  });

  test('end also where EC2 does not show them yet, nor CloudFormation the stack', async () => {
    const request = freshRequest();
    const lag = { change: 'RunInstances', read: 'DescribeInstances', times: 1 };
    const stop = lagBehind(rig.clients.ec2, lag);
    await deleteStack(request);
    const InstanceIds = [await launch(deploymentTags(request))];
    await deleteStack({ ...request, askedSecondsAgo: 26 });
    expect(stop()).toBe(1);
    const { Reservations = [] } = await rig.clients.ec2.send(new DescribeInstancesCommand({ InstanceIds }));
    expect(Reservations[0]?.Instances?.[0]?.State?.Name).toBe('terminated');
  });

  test('are named when EC2 keeps them', async () => {
    const request = freshRequest();
    const InstanceId = await launch(deploymentTags(request));
    const protect = async (Value: boolean) =>
      rig.clients.ec2.send(
        new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value } }),
      );
    await protect(true);
    await expect(deleteStack(request)).rejects.toMatchObject({
      type: 'StackDeleteFailed',
      message: expect.stringContaining(`EC2 does not terminate ${InstanceId}`) as unknown,
    });
    await protect(false);
    await deleteStack(request);
  });
});

describe('updateStack', () => {
  const queue = (name: string, maxCount = 4) => ({
    name,
    computeResources: [{ name: 'nodes', instanceType: 't3.micro', maxCount }],
  });
  const specOf = (...queues: readonly ReturnType<typeof queue>[]) =>
    resolveClusterSpec(clusterSpecInputSchema.parse({ queues: [...queues] }));
  const update = async (request: StackRequest, updateId: string, to: typeof spec) =>
    runActivity(activities.updateStack, { ...request, updateId, spec: to });
  const queuesOf = ({ clusterName }: StackRequest) =>
    rig.headNodes.running.get(clusterName)?.queues.map(({ name }) => name);

  test('puts further queues into force while the head node runs, once', async () => {
    const request = { ...freshRequest(), spec: specOf(queue('a')) };
    await createStack(request);
    const larger = specOf(queue('a', 8), queue('b'));
    expect((await update(request, 'u1', larger)).estimate).toMatchObject({ region: 'us-east-1' });
    expect(queuesOf(request)).toEqual(['a', 'b']);
    // A repeated attempt, or one that was never told of its success.
    await update(request, 'u1', larger);
    expect((await statesOf(request))[0]).toBe('UPDATE_COMPLETE');
    expect(rig.headNodes.stopped).not.toContain(request.clusterName);
    await deleteStack(request);
  });

  test('says what ParallelCluster has against it, and leaves the cluster as it is', async () => {
    const request = { ...freshRequest(), spec: specOf(queue('a')) };
    await createStack(request);
    await expect(update(request, 'u1', specOf(queue('a', 2)))).rejects.toMatchObject({
      type: 'StackUpdateFailed',
      message: expect.stringContaining('All compute nodes must be stopped'),
    });
    rig.headNodes.failNextUpdate = true;
    await expect(update(request, 'u2', specOf(queue('a', 8)))).rejects.toMatchObject({
      type: 'StackUpdateFailed',
      message: expect.stringContaining('slurmctld did not answer'),
    });
    await update(request, 'u3', specOf(queue('a', 8)));
    await deleteStack(request);
  });

  test('touches no stack of another deployment', async () => {
    const request = { ...freshRequest(), spec: specOf(queue('a')) };
    await createStack(request);
    const other = { ...request, epoch: 'other' };
    await expect(update(other, 'u1', specOf(queue('b')))).rejects.toMatchObject({
      type: 'StackUpdateFailed',
    });
    expect(queuesOf(request)).toEqual(['a']);
    await deleteStack(request);
  });

  test('is waited for by a deletion', async () => {
    const request = { ...freshRequest(), spec: specOf(queue('a')) };
    await createStack(request);
    const release = rig.provider.faults.hold('Update');
    // Which of the two looks first when the update is done is a matter of milliseconds.
    const updating = update(request, 'u1', specOf(queue('a', 8))).catch(() => undefined);
    await expect.poll(async () => (await statesOf(request))[0]).toBe('UPDATE_IN_PROGRESS');
    const deleting = deleteStack(request);
    release();
    await Promise.all([updating, deleting]);
    expect(await statesOf(request)).toEqual([undefined, undefined]);
  });
});
