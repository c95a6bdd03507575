import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { validateClusterConfigurations, type Verdict } from '../../src/dev/pcluster-validator.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';
import type { CampaignNeeds } from '../../src/domain/campaign-needs.ts';
import type { ClusterOptions } from '../../src/domain/cluster-options.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec-input.ts';
import { queueSchema } from '../../src/domain/queue.ts';
import { planCampaign } from '../../src/domain/planner.ts';
import { planningGround } from '../../src/domain/planning-ground.ts';
import { toYaml } from '../../src/domain/pcluster-config.ts';
import { ofFallbackTier } from '../../src/domain/fallback-tiers.ts';
import { tierNames } from '../../src/domain/tiers.ts';
import { instanceTypes } from '../../src/domain/instance-types.ts';
import { attachableFileSystems, configurationOf } from '../support/cluster-configuration.ts';
import { specInputsOf } from '../support/properties.ts';
import { atScale } from '../support/scale.ts';

const node = (name: string, instanceType: string, maxCount = 4) => ({ name, instanceType, maxCount });

/** What CloudFormation makes of numbers and booleans in the properties of a custom resource. */
function withScalarsAsStrings(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withScalarsAsStrings);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withScalarsAsStrings(inner)]));
}

/** Given for each instance type that has EFA and is not asked to use it: prod-batch does not want it. */
function isAdviceToUseEfa({ level, type }: Verdict['findings'][number]): boolean {
  return level === 'WARNING' && type === 'EfaValidator';
}

const lustre = {
  fileSystemId: 'fs-0a1b2c3d4e5f60718',
  scriptUri: 's3://provisioner-control/assets/storage-folders.sh',
};

const tiers = Object.fromEntries(
  tierNames.flatMap((tier) => [
    [`tier ${tier}`, toYaml(configurationOf({ tier }))],
    [`tier ${tier} with Lustre`, toYaml(configurationOf({ tier, lustre: {} }, { lustre }))],
  ]),
);

/** The nodes of each tier in the queue of another one that limits its jobs. */
const fallbacks = Object.fromEntries(
  tierNames.map((tier) => {
    const asked = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'prod-batch' }));
    const configuration = configurationOf({ tier: 'prod-batch' }, { spec: ofFallbackTier(asked, tier) });
    return [`fallback tier ${tier}`, toYaml(configuration)];
  }),
);

const slurmApi = {
  trust: 'epoch-key',
  scriptUri: 's3://provisioner-control/assets/slurm-rest-api.sh',
  // Two keys while one takes the other's place, and two of an identity provider.
  jwks: JSON.stringify({
    keys: Array.from({ length: 4 }, () => ({ kty: 'RSA', kid: 'k'.repeat(64), n: 'n'.repeat(342) })),
  }),
} as const;

const explicit = {
  'a spot queue beside an on-demand one with a node that is always on': toYaml(
    configurationOf({
      queues: [
        { name: 'cheap', capacityType: 'SPOT', computeResources: [node('c7a', 'c7a.48xlarge')] },
        {
          name: 'steady',
          maxTimeSeconds: 60,
          maxNodesPerJob: 1,
          computeResources: [{ ...node('m5', 'm5.large'), minCount: 1 }],
        },
      ],
    }),
  ),
  'fifty queues': toYaml(
    configurationOf({
      queues: Array.from({ length: 50 }, (_, index) => ({
        name: `queue-${index}`,
        computeResources: [node('m5', 'm5.large', 20)],
      })),
    }),
  ),
  'as many nodes as a medium head node can manage': toYaml(
    configurationOf({ queues: [{ name: 'q', computeResources: [node('m5', 'm5.large', 85)] }] }),
  ),
  'as many nodes as a large head node can manage': toYaml(
    configurationOf({ queues: [{ name: 'q', computeResources: [node('m5', 'm5.large', 185)] }] }),
  ),
  'an own image, own security groups, accounting and homes on EFS': toYaml(
    configurationOf(
      { tier: 'debug' },
      {
        home: { fileSystemId: 'fs-0123456789abcdef0', accessPointId: 'fsap-0123456789abcdef0' },
        settings: {
          customAmi: 'ami-0123456789abcdef0',
          slurmDatabase: {
            uri: 'slurm.example.org:3306',
            userName: 'slurm',
            passwordSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:slurm-a1b2c3',
          },
          additionalSecurityGroupIds: ['sg-0123456789abcdef0', 'sg-0fedcba9876543210'],
          headNodeSecurityGroupIds: ['sg-00000000000000001'],
          permissionsBoundaryArn: 'arn:aws:iam::123456789012:policy/hpc-foundation-boundary',
          logRetentionDays: 365,
        },
      },
    ),
  ),
  'Lustre of the cluster’s own beside homes on EFS': toYaml(
    configurationOf(
      { tier: 'prod-mpi', lustre: { sizeGibibytes: 4800 } },
      {
        home: { fileSystemId: 'fs-0123456789abcdef0', accessPointId: 'fsap-0123456789abcdef0' },
        lustre,
      },
    ),
  ),
  'Slurm’s REST API for tokens of its own key': toYaml(configurationOf({ tier: 'debug' }, { slurmApi })),
  'Slurm’s REST API for Keycloak’s tokens as well': toYaml(
    configurationOf({ tier: 'debug' }, { slurmApi: { ...slurmApi, trust: 'epoch-key-and-keycloak' } }),
  ),
  'a tier whose numbers and booleans CloudFormation has made strings': JSON.stringify(
    withScalarsAsStrings(configurationOf({ tier: 'prod-mpi-mem' })),
  ),
};

/** What is planned for needs in us-east-1, from types of these families alone. */
function plannedFor(needs: CampaignNeeds, family: RegExp): string {
  const ground = planningGround({ region: 'us-east-1', hasLustre: true });
  const types = Object.entries(ground.instanceTypes).filter(([name]) => family.test(name));
  const times = { idleTimeoutSeconds: 1800, maxLifetimeSeconds: 7 * 86_400 };
  const plan = planCampaign(needs, times, { ...ground, instanceTypes: Object.fromEntries(types) });
  if (plan.outcome === 'infeasible') throw new Error(plan.message);
  const made = plan.spec.lustre ? { lustre } : {};
  return toYaml(configurationOf(plan.spec, { ...made, settings: { region: 'us-east-1' } }));
}

const sweep = { tasks: 1000, memoryMebibytesPerTask: 4000, expectedSecondsPerJob: 3600, budgetUsd: 1000 };
const parallel = { ...sweep, tasks: 4000, tasksPerJob: 400, mpi: true, memoryMebibytesPerTask: 500 };

const planned = {
  'a plan for single jobs': plannedFor(sweep, /./),
  'a plan for single jobs on spot instances with two threads a core': plannedFor(
    { ...sweep, capacityType: 'SPOT' },
    /^c6i/,
  ),
  'a plan for jobs on several nodes': plannedFor(parallel, /./),
  'a plan for jobs on several nodes with two threads a core': plannedFor(parallel, /^c7i/),
};

const oneQueue = { name: 'q', computeResources: [node('m5', 'm5.large')] };
const efs = 'fs-0aaaaaaaaaaaaaaaa';
const cr = { id: 'cr-0123456789abcdef0' };
const reservationGroup = 'arn:aws:resource-groups:us-east-2:123456789012:group/reserved';
const scripts: ClusterOptions['customActions'] = [
  { nodes: 'all-nodes', script: 's3://operators-scripts/trust-our-ca.sh' },
  { nodes: 'head-node', script: 's3://operators-scripts/licences.sh', args: ['port=27000', 'verbose'] },
];

const chosen = {
  // Of some systems with each; generated specifications have them all.
  ...Object.fromEntries(
    (['rhel8', 'rocky8', 'rocky9'] as const).map((os) => [
      `${os} with an image of the tenant’s own`,
      toYaml(configurationOf({ queues: [oneQueue], os, customAmi: 'ami-0123456789abcdef0' })),
    ]),
  ),
  ...Object.fromEntries(
    (['ubuntu2204', 'ubuntu2404', 'rhel9'] as const).map((os) => [
      `${os} as ParallelCluster has it`,
      toYaml(configurationOf({ queues: [oneQueue], os })),
    ]),
  ),
  'nodes of arm64, with Lustre': toYaml(
    configurationOf(
      {
        queues: [
          {
            name: 'q',
            placementGroup: true,
            computeResources: [{ ...node('g', 'hpc7g.16xlarge'), efa: true }],
          },
        ],
        lustre: {},
      },
      { lustre, settings: { region: 'us-east-1' } },
    ),
  ),
  'a head node of one’s own with a larger disk': toYaml(
    configurationOf({ tier: 'debug', headNode: { instanceType: 'm5.xlarge', rootVolumeGibibytes: 500 } }),
  ),
  'reserved capacity, by id and by group': toYaml(
    configurationOf({
      queues: [
        {
          name: 'q',
          computeResources: [
            { ...node('one', 'c7a.48xlarge', 2), capacityReservation: cr },
            {
              ...node('two', 'c7a.48xlarge', 2),
              capacityReservation: { resourceGroupArn: reservationGroup },
            },
          ],
        },
      ],
    }),
  ),
  'settings of Slurm': toYaml(
    configurationOf({
      queues: [
        {
          name: 'q',
          computeResources: [node('m5', 'm5.large')],
          defaultTimeSeconds: 600,
          exclusiveNodes: true,
        },
      ],
      slurmSettings: {
        memoryBasedScheduling: false,
        killWaitSeconds: 120,
        overTimeLimitSeconds: 60,
        completeWaitSeconds: 10,
        maxStepCount: 1000,
        schedulerParameters: { bf_continue: 1, bf_window: 2880 },
      },
    }),
  ),
  'logs for a month and no dashboard': toYaml(
    configurationOf({ tier: 'debug', cloudWatch: { retentionDays: 30, dashboard: false } }),
  ),
  'buckets mounted on all nodes, without Lustre': toYaml(
    configurationOf({ tier: 'prod-batch', s3Mounts: true, customActions: scripts }),
  ),
  'existing file systems of all types, beside its own': toYaml(
    configurationOf(
      {
        tier: 'prod-batch',
        lustre: {},
        fileSystems: Object.keys(attachableFileSystems).map((id, index) => ({
          id,
          mountDirectory: `/opt/shared-${index}`,
        })),
      },
      { lustre, home: { fileSystemId: 'fs-0123456789abcdef0', accessPointId: 'fsap-0123456789abcdef0' } },
    ),
  ),
  'scripts of operators': toYaml(configurationOf({ tier: 'prod-batch', customActions: scripts })),
};

/** What the API never lets through, rendered all the same. */
function unchecked(queues: unknown[], options: ClusterOptions = {}, region = 'us-east-2'): string {
  const spec = { ...resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' })), ...options };
  return toYaml(
    configurationOf(
      { tier: 'debug' },
      { spec: { ...spec, queues: z.array(queueSchema).parse(queues) }, settings: { region } },
    ),
  );
}

/** What our own rules say of it, and ParallelCluster's; by the validator that refuses it. */
const wrong: Record<string, [queues: unknown[], options?: ClusterOptions]> = {
  EfaValidator: [[{ name: 'q', computeResources: [{ ...node('m5', 'm5.large'), efa: true }] }]],
  InstanceTypePlacementGroupValidator: [
    [{ name: 'q', placementGroup: true, computeResources: [node('t3', 't3.micro')] }],
  ],
  CapacityTypeValidator: [
    [{ name: 'q', capacityType: 'SPOT', computeResources: [node('hpc', 'hpc7a.96xlarge')] }],
  ],
  InstanceArchitectureCompatibilityValidator: [
    [{ name: 'q', computeResources: [node('x', 'c7a.large'), node('g', 'c7g.large')] }],
  ],
  HeadNodeMemorySizeValidator: [
    [{ name: 'q', computeResources: [node('m5', 'm5.large', 100)] }],
    { headNode: { instanceType: 't3.medium' } },
  ],
  // Looking for an image that is not there ends the validation before `OsCustomAmiValidator` is heard.
  ConfigValidationError: [[oneQueue], { os: 'rocky9' }],
  InstanceTypeBaseAMICompatibleValidator: [[{ name: 'q', computeResources: [node('gpu', 'p3dn.24xlarge')] }]],
  CapacityReservationValidator: [
    [
      {
        name: 'q',
        computeResources: [
          { ...node('one', 'c7a.large'), capacityReservation: cr },
          { ...node('two', 'm5.large'), capacityReservation: cr },
        ],
      },
    ],
  ],
  ComputeResourceSizeValidator: [
    [{ name: 'q', computeResources: [{ ...node('m5', 'm5.large'), minCount: 5 }] }],
  ],
  SharedStorageMountDirValidator: [[oneQueue], { fileSystems: [{ id: efs, mountDirectory: '/usr' }] }],
  DuplicateMountDirValidator: [
    [oneQueue],
    {
      fileSystems: [
        { id: efs, mountDirectory: '/shared' },
        { id: 'fsvol-0cccccccccccccccc', mountDirectory: '/shared' },
      ],
    },
  ],
  DuplicateNameValidator: [
    [{ name: 'q', computeResources: [node('m5', 'm5.large'), node('m5', 'm5.large')] }],
  ],
  MaxCountValidator: [
    Array.from({ length: 17 }, (_, index) => ({
      name: `q${index}`,
      computeResources: ['a', 'b', 'c'].map((name) => node(name, 'm5.large')),
    })),
  ],
};

const alsoRefused = {
  'an instance type that the Region does not have': toYaml(
    configurationOf({ tier: 'prod-mpi-hpc' }, { settings: { region: 'us-east-1' } }),
  ),
  'a key that ParallelCluster does not know': JSON.stringify({
    ...configurationOf({ tier: 'debug' }),
    HeadNodes: {},
  }),
};

const right = { ...tiers, ...fallbacks, ...explicit, ...planned, ...chosen };
const documents: Readonly<Record<string, string>> = {
  ...right,
  ...Object.fromEntries(Object.entries(wrong).map(([validator, args]) => [validator, unchecked(...args)])),
  ...alsoRefused,
};

/** Types that the emulator, which has AWS's own list, offers in the zone that everything is seeded in. */
async function typesOfferedIn(of: string, zone: string): Promise<readonly string[]> {
  const file = `ec2/resources/instance_type_offerings/availability-zone/${zone.slice(0, -1)}.json.gz`;
  for await (const path of glob(join(of, 'lib/python3*/site-packages/moto', file))) {
    const offerings = z
      .array(z.object({ InstanceType: z.string(), Location: z.string() }))
      .parse(JSON.parse(gunzipSync(await readFile(path)).toString()));
    return offerings
      .filter(({ InstanceType, Location }) => Location === zone && Object.hasOwn(instanceTypes, InstanceType))
      .map(({ InstanceType }) => InstanceType);
  }
  throw new Error(`moto has no ${file}`);
}

/** All documents in one process, because starting Python costs more than judging. */
async function judge(venv: string, mode: 'schema' | 'full'): Promise<Map<string, Verdict>> {
  const verdicts = await validateClusterConfigurations(Object.values(documents), { venv, mode });
  return new Map(Object.keys(documents).map((name, index) => [name, verdicts[index]!]));
}

/** Configurations for one process, which has two minutes. */
const BATCH = 50;

let venv: string;
let offeredTypes: readonly string[];
let bySchema: Map<string, Verdict>;
let byAll: Map<string, Verdict>;

beforeAll(async () => {
  const { cacheDirectory, python } = readDevEnvironment();
  venv = await ensureVenv({ name: 'parallelcluster', cacheDirectory, python, onProgress: () => {} });
  offeredTypes = await typesOfferedIn(venv, 'us-east-2b');
  bySchema = await judge(venv, 'schema');
  byAll = await judge(venv, 'full');
});

describe('the real ParallelCluster', () => {
  test.each(Object.keys(right))('accepts %s', (name) => {
    expect(bySchema.get(name)?.findings).toEqual([]);
    expect(byAll.get(name)?.findings.filter((finding) => !isAdviceToUseEfa(finding))).toEqual([]);
  });

  test.each(Object.entries(wrong))(
    'refuses what we refuse before: %s',
    (validator, [queues, options = {}]) => {
      expect(clusterSpecInputSchema.safeParse({ queues, ...options }).success).toBe(false);
      expect(byAll.get(validator)?.valid).toBe(false);
      expect(byAll.get(validator)?.findings).toContainEqual(
        expect.objectContaining({ level: 'ERROR', type: validator }),
      );
    },
  );

  test('refuses an instance type that the Region does not have', () => {
    const verdict = byAll.get('an instance type that the Region does not have');
    expect(verdict?.valid).toBe(false);
    expect(JSON.stringify(verdict?.findings)).toContain('hpc7a.96xlarge');
  });

  test('refuses a key that it does not know, already by its schema', () => {
    expect(bySchema.get('a key that ParallelCluster does not know')?.findings).toEqual([
      expect.objectContaining({
        type: 'ConfigSchemaValidator',
        message: expect.stringContaining('HeadNodes'),
      }),
    ]);
  });

  test('looked with its validators and not only with its schema', () => {
    const validators = new Set([...byAll.values()].flatMap((verdict) => verdict.validators));
    expect([...validators]).toEqual(
      expect.arrayContaining([
        'EfaValidator',
        'QueueSubnetsValidator',
        'InstanceTypeValidator',
        'UrlValidator',
      ]),
    );
    expect(validators.size).toBeGreaterThan(60);
  });
});

describe('whatever the API accepts', () => {
  const numRuns = atScale(6, 300);

  test(`ParallelCluster accepts, ${numRuns} times`, { timeout: 900_000 }, async () => {
    const inputs = fc.sample(specInputsOf(offeredTypes), { numRuns, seed: 20_261_126 });
    const configurations = inputs.map((input) =>
      toYaml(configurationOf(input, input.lustre ? { lustre } : {})),
    );
    for (let first = 0; first < numRuns; first += BATCH) {
      const verdicts = await validateClusterConfigurations(configurations.slice(first, first + BATCH), {
        venv,
        mode: 'full',
      });
      for (const [index, { findings }] of verdicts.entries()) {
        const errors = findings.filter(({ level }) => level === 'ERROR');
        expect(errors, JSON.stringify(inputs[first + index])).toEqual([]);
      }
    }
  });
});
