import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import type { Tag } from '@aws-sdk/client-cloudformation';
import { pino } from 'pino';
import { createDevAwsClients } from '../../src/dev/aws-clients.ts';
import type { DevAwsClients } from '../../src/dev/aws-clients.ts';
import { startAwsEmulators } from '../../src/dev/aws-emulators.ts';
import { Closers } from '../../src/dev/closers.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import type { HeadNodeSpec } from '../../src/dev/head-node/head-node-spec.ts';
import { Clusters } from '../../src/dev/provider/clusters.ts';
import type { HeadNodePort } from '../../src/dev/provider/clusters.ts';
import { ProviderStandIn } from '../../src/dev/provider/provider-stand-in.ts';
import {
  pclusterSchemaValidation,
  pclusterUpdatePolicies,
} from '../../src/dev/provider/schema-validation.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';
import { seedAws } from '../../src/dev/seed-aws.ts';
import type { SeededAws } from '../../src/dev/seed-aws.ts';

/** Head nodes that are only remembered. */
class FakeHeadNodes implements HeadNodePort {
  readonly running = new Map<string, HeadNodeSpec>();
  readonly stopped: string[] = [];
  failNextStart = false;
  failNextUpdate = false;

  async start(spec: HeadNodeSpec): Promise<{ address: string }> {
    if (this.failNextStart) {
      this.failNextStart = false;
      throw new Error('slurmctld did not answer');
    }
    this.running.set(spec.clusterName, spec);
    return { address: '127.0.1.1' };
  }

  async update(spec: HeadNodeSpec): Promise<void> {
    if (this.failNextUpdate) {
      this.failNextUpdate = false;
      throw new Error('slurmctld did not answer');
    }
    this.running.set(spec.clusterName, spec);
  }

  async stop(clusterName: string): Promise<void> {
    this.stopped.push(clusterName);
    this.running.delete(clusterName);
  }
}

/** The provider on real emulators, with fake head nodes. */
export class ProviderRig {
  readonly clients: DevAwsClients;
  readonly seeded: SeededAws;
  readonly provider: ProviderStandIn;
  readonly clusters: Clusters;
  readonly headNodes: FakeHeadNodes;
  readonly #closers: Closers;

  private constructor(
    parts: Pick<ProviderRig, 'clients' | 'seeded' | 'provider' | 'clusters' | 'headNodes'>,
    closers: Closers,
  ) {
    this.clients = parts.clients;
    this.seeded = parts.seeded;
    this.provider = parts.provider;
    this.clusters = parts.clusters;
    this.headNodes = parts.headNodes;
    this.#closers = closers;
  }

  static async start(): Promise<ProviderRig> {
    const closers = new Closers();
    const environment = readDevEnvironment();
    const { cacheDirectory, python } = environment;
    const directory = await mkdtemp(join(tmpdir(), 'provider-contract-'));
    closers.add(async () => rm(directory, { recursive: true }));
    const onProgress = (): void => {};
    const options = { logDirectory: directory, temporaryDirectory: join(directory, 'tmp'), onProgress };
    const emulators = await startAwsEmulators({ environment, ...options });
    closers.add(async () => emulators.close());
    const venv = await ensureVenv({ name: 'parallelcluster', cacheDirectory, python, onProgress });
    const logger = pino({ level: 'silent' });
    const clients = createDevAwsClients(emulators.env);
    const provider = await ProviderStandIn.listen(logger);
    closers.add(async () => provider.close());
    const validate = pclusterSchemaValidation(venv);
    const headNodes = new FakeHeadNodes();
    const clusters = new Clusters({
      clients,
      headNodes,
      storage: {
        lustreDirectory: (fileSystemId) => emulators.fsx.directoryOf(fileSystemId),
        efsDirectory: join(directory, 'efs'),
      },
      validate,
      judgeUpdate: pclusterUpdatePolicies(venv),
      logger,
      logFile: 'provider.log',
    });
    provider.serve(clusters);
    const poolTag = { key: 'pool', value: 'contract' };
    const seeded = await seedAws({ clients, subnetCount: 1, poolTag, providerUrl: provider.url });
    return new ProviderRig({ clients, seeded, provider, clusters, headNodes }, closers);
  }

  async close(): Promise<void> {
    await this.#closers.close();
  }

  /** Asks for an outer stack with one cluster in it. */
  async create(
    stack: string,
    clusterConfiguration: object,
    clusterName: string,
    tags: Tag[] = [],
  ): Promise<void> {
    const TemplateBody = outerTemplate(this.seeded.providerArn, clusterConfiguration, clusterName);
    await this.clients.cloudFormation.send(
      new CreateStackCommand({ StackName: stack, TemplateBody, Tags: tags }),
    );
  }

  async update(stack: string, clusterConfiguration: object, clusterName: string): Promise<void> {
    const TemplateBody = outerTemplate(this.seeded.providerArn, clusterConfiguration, clusterName);
    await this.clients.cloudFormation.send(new UpdateStackCommand({ StackName: stack, TemplateBody }));
  }

  async requestDelete(stack: string): Promise<void> {
    await this.clients.cloudFormation.send(new DeleteStackCommand({ StackName: stack }));
  }

  /** Deletes and waits until the stack is gone. */
  async delete(stack: string): Promise<void> {
    await this.requestDelete(stack);
    const state = await this.settled(stack);
    if (state !== undefined) throw new Error(`${stack} is ${state} after its deletion`);
  }

  /** The state that nothing is in progress in; undefined when the stack is gone. */
  async settled(stack: string): Promise<string | undefined> {
    for (let attempt = 0; attempt < 300; attempt += 1) {
      const found = await this.stack(stack);
      if (found?.status.endsWith('_IN_PROGRESS') !== true) return found?.status;
      await sleep(100);
    }
    throw new Error(`${stack} is still in progress after 30 s`);
  }

  /** A stack as it is now; undefined when there is none of that name. */
  async stack(
    name: string,
  ): Promise<{ status: string; tags: Record<string, string>; outputs: Record<string, string> } | undefined> {
    const described = await this.clients.cloudFormation
      .send(new DescribeStacksCommand({ StackName: name }))
      .catch((error: unknown) => {
        if (error instanceof Error && error.message.includes('does not exist')) return undefined;
        throw error;
      });
    const stack = described?.Stacks?.[0];
    if (stack?.StackStatus === undefined || stack.StackStatus === 'DELETE_COMPLETE') return undefined;
    return {
      status: stack.StackStatus,
      tags: Object.fromEntries((stack.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value])),
      outputs: Object.fromEntries(
        (stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
      ),
    };
  }

  /** ARNs of the policies of the account. There is no client of IAM here: the product has none. */
  async policyArns(): Promise<string[]> {
    const endpoint = await this.clients.cloudFormation.config.endpoint?.();
    if (!endpoint) throw new Error('there is no emulator');
    const credential = 'AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request';
    const response = await fetch(`http://${endpoint.hostname}:${endpoint.port}/`, {
      method: 'POST',
      headers: { authorization: `${credential}, SignedHeaders=host, Signature=x` },
      body: new URLSearchParams({ Action: 'ListPolicies', Version: '2010-05-08', Scope: 'Local' }),
    });
    return [...(await response.text()).matchAll(/<Arn>([^<]+)<\/Arn>/g)].map(([, arn = '']) => arn);
  }

  /** Why the cluster in a stack failed, from the stack's events, newest first. */
  async failureReason(stack: string): Promise<string | undefined> {
    const events = await this.clients.cloudFormation.send(
      new DescribeStackEventsCommand({ StackName: stack }),
    );
    return events.StackEvents?.find(
      ({ LogicalResourceId, ResourceStatus }) =>
        LogicalResourceId === 'Cluster' && ResourceStatus?.endsWith('_FAILED'),
    )?.ResourceStatusReason;
  }
}

/** An outer stack around one cluster. */
export function outerTemplate(
  serviceToken: string,
  clusterConfiguration: object,
  clusterName: string,
): string {
  const attribute = (name: string): object => ({ Value: { 'Fn::GetAtt': ['Cluster', name] } });
  return JSON.stringify({
    Resources: {
      Cluster: {
        Type: 'Custom::PclusterCluster',
        Properties: {
          ServiceToken: serviceToken,
          ClusterName: clusterName,
          ClusterConfiguration: clusterConfiguration,
          DeletionPolicy: 'Delete',
        },
      },
    },
    Outputs: {
      ClusterName: { Value: { Ref: 'Cluster' } },
      Address: attribute('headNode.privateIpAddress'),
      ClusterStatus: attribute('clusterStatus'),
      ClusterStackArn: attribute('cloudformationStackArn'),
      ValidationMessages: attribute('validationMessages'),
    },
  });
}

/** A configuration that ParallelCluster's schema accepts. */
export function configuration(
  change: { queues?: readonly string[]; maxCount?: number; onNodeConfigured?: object } = {},
): object {
  const { queues = ['debug'], maxCount = 8, onNodeConfigured } = change;
  return {
    Region: 'us-east-1',
    Image: { Os: 'alinux2023' },
    HeadNode: {
      InstanceType: 't3.medium',
      Networking: { SubnetId: 'subnet-12345678' },
      Ssh: { KeyName: 'admin' },
      Imds: { Secured: true },
      ...(onNodeConfigured && { CustomActions: { OnNodeConfigured: onNodeConfigured } }),
    },
    Scheduling: {
      Scheduler: 'slurm',
      SlurmQueues: queues.map((Name) => ({
        Name,
        CustomSlurmSettings: { MaxTime: '1-00:00:00' },
        ComputeResources: [{ Name: 't3', InstanceType: 't3.micro', MinCount: 0, MaxCount: maxCount }],
        Networking: { SubnetIds: ['subnet-12345678'] },
      })),
    },
  };
}
