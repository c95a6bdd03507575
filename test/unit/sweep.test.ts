import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { EFSClient } from '@aws-sdk/client-efs';
import { FSxClient } from '@aws-sdk/client-fsx';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { createSweepActivities } from '../../src/activities/sweep.ts';
import { clusterName, keyPairName, outerStackName } from '../../src/domain/cluster-name.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { clusterWorkflowId, newEpochId } from '../../src/domain/ids.ts';
import { priceTable } from '../../src/domain/prices.ts';
import { deploymentTags, keyTags, toTagList } from '../../src/domain/resource-tags.ts';
import { runActivity } from '../support/activity.ts';

/* What AWS can answer that emulators do not: refusals of one call, nested stacks, things that are just being deleted. */
const INSTALLATION = 'vpc-1/pool';
const tenant = { virtualLabId: 'lab', projectId: 'proj' };
const deployment = {
  ...tenant,
  clusterName: clusterName(tenant),
  epoch: newEpochId(Date.now() - 3_600_000, '0123456789abcdef'),
};
const Tags = toTagList(deploymentTags(deployment, INSTALLATION));

type Answers = Readonly<Record<string, unknown>>;

/** A client that answers by the name of the command, with nothing unless told; an error is thrown. */
function answering<Client extends object>(client: Client, answers: Answers): Client {
  const send = async (command: object): Promise<unknown> => {
    const answer = answers[command.constructor.name.replace(/Command$/, '')] ?? {};
    if (answer instanceof Error) throw answer;
    return typeof answer === 'function' ? answer(command) : answer;
  };
  return Object.assign(client, { send });
}

const denied = (call: string) => new KnownFailure('AwsAccessDenied', `${call} was denied`);
const passing = Object.assign(new Error('busy'), { name: 'ThrottlingException', $metadata: {} });

const sweep = (answers: Answers) => {
  const config = { region: 'us-east-1' };
  return createSweepActivities({
    cloudFormation: answering(new CloudFormationClient(config), answers),
    ec2: answering(new EC2Client(config), answers),
    efs: answering(new EFSClient(config), answers),
    fsx: answering(new FSxClient(config), answers),
    logs: answering(new CloudWatchLogsClient(config), answers),
    s3: answering(new S3Client(config), answers),
    secretsManager: answering(new SecretsManagerClient(config), answers),
    controlBucket: 'control',
    region: 'us-east-1',
    installation: INSTALLATION,
    currentPrices: async () => priceTable,
    costStore: { getDeployment: async () => undefined },
    deploymentStore: { isAbandoned: async () => false },
    describeWorkflow: async () => undefined,
    listLeases: async () => [
      {
        subnetId: 'subnet-1',
        epoch: deployment.epoch,
        holderWorkflowId: clusterWorkflowId(tenant),
        availabilityZone: 'us-east-1a',
        since: new Date().toISOString(),
      },
    ],
  });
};
const survey = async (answers: Answers) => runActivity(async () => sweep(answers).surveyOrphans(), undefined);
const kindsOf = async (answers: Answers) =>
  (await survey(answers)).orphans.flatMap(({ resources }) => resources.map(({ kind }) => kind));

const stack = {
  StackId: 'arn:stack',
  StackName: outerStackName(deployment.clusterName),
  StackStatus: 'CREATE_COMPLETE',
  Tags,
};
const link = { AssociationId: 'dra-1', FileSystemId: 'fs-1', Lifecycle: 'AVAILABLE', Tags };
const keyPair = {
  KeyPairId: 'key-1',
  KeyName: keyPairName(deployment, 'admin'),
  Tags: toTagList(keyTags(deployment, 'admin', INSTALLATION)),
};

describe('a sweep to which AWS refuses a list', () => {
  it.each<[string, string, readonly string[]]>([
    ['file systems', 'DescribeFileSystems', ['stack', 'key-pair']],
    ['access points', 'DescribeAccessPoints', ['subnet-lease', 'stack', 'key-pair']],
    ['network interfaces', 'DescribeNetworkInterfaces', ['stack', 'key-pair']],
    ['instances', 'DescribeInstances', ['stack', 'key-pair']],
    ['stacks', 'DescribeStacks', ['key-pair']],
    ['log groups', 'DescribeLogGroups', ['subnet-lease', 'stack', 'key-pair']],
    ['records', 'ListObjectsV2', ['subnet-lease', 'stack', 'key-pair']],
  ])('finds what does not depend on %s, and names the refusal', async (_what, call, kinds) => {
    const all = { DescribeStacks: { Stacks: [stack] }, DescribeKeyPairs: { KeyPairs: [keyPair] } };
    const { orphans, unlisted } = await survey({ ...all, [call]: denied(call) });
    expect(orphans.flatMap(({ resources }) => resources.map(({ kind }) => kind))).toEqual(kinds);
    expect(unlisted).toEqual([expect.objectContaining({ because: `${call} was denied` })]);
  });

  it('does not take a link for one without a file system', async () => {
    const links = { DescribeDataRepositoryAssociations: { Associations: [link] } };
    expect((await survey(links)).remnants).toHaveLength(1);
    const { remnants, lookAlikes } = await survey({ ...links, DescribeFileSystems: denied('it') });
    expect({ remnants, lookAlikes }).toEqual({ remnants: [], lookAlikes: [] });
  });

  it('is tried again as a whole for what passes', async () => {
    await expect(survey({ DescribeAccessPoints: passing })).rejects.toThrow('busy');
  });

  it('fails when it is not AWS that did not answer', async () => {
    await expect(survey({ DescribeAccessPoints: new Error('a defect') })).rejects.toThrow('a defect');
  });
});

describe('what a sweep leaves out', () => {
  it('is what goes with something else, or goes already', async () => {
    expect(await kindsOf({ DescribeStacks: { Stacks: [stack] } })).toContain('stack');
    expect(
      await kindsOf({ DescribeStacks: { Stacks: [{ ...stack, ParentId: 'arn:outer' }] } }),
    ).not.toContain('stack');
    const gone = { Stacks: [{ ...stack, StackStatus: 'DELETE_COMPLETE' }] };
    expect(await kindsOf({ DescribeStacks: gone })).not.toContain('stack');
    const going = { Associations: [{ ...link, Lifecycle: 'DELETING' }] };
    expect((await survey({ DescribeDataRepositoryAssociations: going })).remnants).toEqual([]);
  });

  it('is secrets that Secrets Manager is about to delete', async () => {
    const asked: unknown[] = [];
    const ListSecrets = ({ input }: { readonly input: unknown }) => {
      asked.push(input);
      return {};
    };
    await survey({ ListSecrets });
    expect(asked).toMatchObject([{ IncludePlannedDeletion: false }]);
  });

  it('is what there are too many of to remove at once', async () => {
    const Associations = Array.from({ length: 201 }, (_, index) => ({
      ...link,
      AssociationId: `dra-${index}`,
    }));
    expect((await survey({ DescribeDataRepositoryAssociations: { Associations } })).remnants).toHaveLength(
      200,
    );
  });
});

describe('a sweep that removes what is left over', () => {
  const remnants = ['dra-1', 'dra-2'].map((id) => ({
    kind: 'lustre-link' as const,
    id,
    because: 'fs-1 is gone.',
  }));
  const found = { DescribeDataRepositoryAssociations: { Associations: [link] } };

  it('goes on when one cannot be removed, and says why', async () => {
    let tries = 0;
    const DeleteDataRepositoryAssociation = () => {
      tries += 1;
      if (tries === 1)
        throw Object.assign(new Error('still CREATING'), { name: 'BadRequest', $metadata: {} });
      return {};
    };
    const outcomes = await runActivity(sweep({ ...found, DeleteDataRepositoryAssociation }).removeRemnants, {
      remnants,
    });
    expect(outcomes).toMatchObject([
      { id: 'dra-1', isRemoved: false, because: 'It could not be removed: still CREATING' },
      { id: 'dra-2', isRemoved: true },
    ]);
  });

  it('begins anew for what passes', async () => {
    const removing = runActivity(
      sweep({ ...found, DeleteDataRepositoryAssociation: passing }).removeRemnants,
      { remnants },
    );
    await expect(removing).rejects.toThrow('busy');
  });
});
