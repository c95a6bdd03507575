import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { defaultClusterPolicy } from '../domain/cluster-snapshot.ts';
import { ConfigError, readApiConfig, readWorkerConfig } from './config.ts';

const token = 'k3'.repeat(20);
const apiEnvironment = { AWS_REGION: 'us-east-1', CONTROL_BUCKET: 'control', API_TOKEN: token };
const workerEnvironment = {
  AWS_REGION: 'us-east-1',
  CONTROL_BUCKET: 'control',
  PCLUSTER_PROVIDER_ARN: 'arn:aws:lambda:us-east-1:123456789012:function:provider',
  VPC_ID: 'vpc-0a1b2c',
  SSH_ALLOWED_CIDR: '10.0.0.0/16',
};

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return expect.unreachable('the environment should have been refused');
}

describe('readApiConfig', () => {
  it('asks only for region, bucket and token, and listens on loopback by default', () => {
    const config = readApiConfig(apiEnvironment);

    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      temporal: { address: '127.0.0.1:7233', namespace: 'default', tls: false },
      aws: { region: 'us-east-1', forcePathStyle: false },
      controlBucket: { bucket: 'control' },
      logLevel: 'info',
    });
    expect(config.token.reveal()).toBe(token);
  });

  it('has the pace that the domain documents as its defaults', () => {
    expect(readApiConfig(apiEnvironment).policy).toEqual(defaultClusterPolicy);
  });

  it('reports every problem at once, with the variable, the reason and what to set', () => {
    const problems = problemsOf(() =>
      readApiConfig({ API_TOKEN: 'short', API_PORT: '80a', BUSY_TICK_SECONDS: '0', LOG_LEVEL: 'loud' }),
    );

    expect(problems).toEqual([
      expect.stringMatching(/^AWS_REGION is missing\. Set it: AWS region/),
      expect.stringMatching(/^CONTROL_BUCKET is missing\. Set it: /),
      expect.stringMatching(/^LOG_LEVEL is none of fatal, .* Set it: /),
      expect.stringMatching(/^BUSY_TICK_SECONDS is not between 1 and 86400\. Set it: .*seconds/),
      expect.stringMatching(/^API_PORT is not a whole number\. Set it: Port/),
      expect.stringMatching(/^API_TOKEN is shorter than 32 characters\. Set it: .*openssl rand/),
    ]);
  });

  it('never shows a secret, not even a wrong one', () => {
    const wrong = 'wrong token with spaces in it, long enough otherwise';
    const config = readApiConfig({ ...apiEnvironment, TEMPORAL_API_KEY: 'temporal-key' });

    expect(`${inspect(config, { depth: 9 })}${JSON.stringify(config)}${String(config.token)}`).not.toMatch(
      /k3k3|temporal-key/,
    );
    expect(JSON.stringify(config)).toContain('[redacted]');
    expect(problemsOf(() => readApiConfig({ ...apiEnvironment, API_TOKEN: wrong })).join()).not.toContain(
      wrong,
    );
  });

  it('takes an empty variable for an absent one', () => {
    expect(readApiConfig({ ...apiEnvironment, API_PORT: '', LOG_LEVEL: ' ' })).toMatchObject({
      port: 8080,
      logLevel: 'info',
    });
  });

  it.each([
    ['TEMPORAL_ADDRESS', 'http://localhost'],
    ['TEMPORAL_TLS', 'yes'],
    ['AWS_REGION', 'Frankfurt'],
    ['CONTROL_BUCKET', 's3://bucket'],
    ['API_PORT', '65536'],
    ['KEYCLOAK_JWKS_URL', 'keycloak.example.org/certs'],
    ['KEYCLOAK_JWKS_URL', 'http://keycloak.example.org/certs'],
    ['KEYCLOAK_JWKS_URL', 'https://user:password@keycloak.example.org/certs'],
    ['HISTORY_EVENT_LIMIT', '51200'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf(() => readApiConfig({ ...apiEnvironment, [name]: value }))).toEqual([
      expect.stringContaining(name),
    ]);
  });
});

it.each([
  'https://keycloak.example.org/realms/obi/protocol/openid-connect/certs',
  'file:///etc/keycloak/jwks.json',
  'http://127.0.0.1:8180/realms/obi/protocol/openid-connect/certs',
])('both processes take Keycloak’s keys from %s', (url) => {
  const variable = { KEYCLOAK_JWKS_URL: url };
  expect(readApiConfig({ ...apiEnvironment, ...variable }).keycloakJwksUrl?.href).toBe(url);
  expect(readWorkerConfig({ ...workerEnvironment, ...variable }).keycloakJwksUrl?.href).toBe(url);
});

describe('readWorkerConfig', () => {
  it('reads what a worker needs, and no token', () => {
    const config = readWorkerConfig({
      ...workerEnvironment,
      ADDITIONAL_SECURITY_GROUP_IDS: 'sg-0a, sg-0b',
      HEAD_NODE_SECURITY_GROUP_IDS: 'sg-0d',
      PERMISSIONS_BOUNDARY_ARN: 'arn:aws:iam::123456789012:policy/boundary',
      CUSTOM_AMI: 'ami-0c',
      LOG_RETENTION_DAYS: '30',
    });

    expect(config).toMatchObject({
      vpcId: 'vpc-0a1b2c',
      subnetPool: 'default',
      logRetentionDays: 30,
      stackPollSeconds: 15,
      settings: {
        region: 'us-east-1',
        sshAllowedCidr: '10.0.0.0/16',
        additionalSecurityGroupIds: ['sg-0a', 'sg-0b'],
        headNodeSecurityGroupIds: ['sg-0d'],
        permissionsBoundaryArn: 'arn:aws:iam::123456789012:policy/boundary',
        customAmi: 'ami-0c',
        logRetentionDays: 30,
      },
    });
  });

  it('takes the database of Slurm whole or not at all', () => {
    const database = {
      SLURM_DATABASE_URI: 'db.example.org:3306',
      SLURM_DATABASE_USER: 'slurm',
      SLURM_DATABASE_PASSWORD_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:slurm-a1b2c3',
    };
    expect(readWorkerConfig({ ...workerEnvironment, ...database }).settings.slurmDatabase).toEqual({
      uri: 'db.example.org:3306',
      userName: 'slurm',
      passwordSecretArn: database.SLURM_DATABASE_PASSWORD_SECRET_ARN,
    });
    expect(
      problemsOf(() => readWorkerConfig({ ...workerEnvironment, SLURM_DATABASE_USER: 'slurm' })),
    ).toEqual([expect.stringContaining('Set all three, or none')]);
  });

  it('takes the role of the Workflow Service only beside its own, which would be shut out otherwise', () => {
    const roles = {
      PROVISIONER_ROLE_ARN: 'arn:aws:iam::123456789012:role/platform/provisioner',
      WORKFLOW_SERVICE_ROLE_ARN: 'arn:aws:iam::123456789012:role/workflow-service',
    };
    expect(readWorkerConfig(workerEnvironment).keyReaders).toBeUndefined();
    expect(readWorkerConfig({ ...workerEnvironment, ...roles }).keyReaders).toEqual({
      provisionerRoleArn: roles.PROVISIONER_ROLE_ARN,
      workflowServiceRoleArn: roles.WORKFLOW_SERVICE_ROLE_ARN,
    });
    expect(
      problemsOf(() => readWorkerConfig({ ...workerEnvironment, ...roles, PROVISIONER_ROLE_ARN: '' })),
    ).toEqual([expect.stringContaining('needs PROVISIONER_ROLE_ARN')]);
  });

  it('takes an account for each database, but never half of one', () => {
    const database = {
      SLURM_DATABASE_URI: 'db.example.org:3306',
      SLURM_DATABASE_USER: '{database}',
      SLURM_DATABASE_PASSWORD_SECRET_ARN:
        'arn:aws:secretsmanager:us-east-1:123456789012:secret:slurm-database/{database}',
    };
    expect(readWorkerConfig({ ...workerEnvironment, ...database }).settings.slurmDatabase).toMatchObject({
      userName: '{database}',
    });
    const half = { ...workerEnvironment, ...database, SLURM_DATABASE_USER: 'slurm' };
    expect(problemsOf(() => readWorkerConfig(half))).toEqual([expect.stringContaining('or in neither')]);
  });

  it.each([
    ['PROVISIONER_ROLE_ARN', 'arn:aws:sts::123456789012:assumed-role/provisioner/session'],
    ['PROVISIONER_ROLE_ARN', 'arn:aws:iam::123456789012:role/*'],
    ['PCLUSTER_PROVIDER_ARN', 'provider'],
    ['VPC_ID', 'my-vpc'],
    ['SSH_ALLOWED_CIDR', '10.0.0.0'],
    ['ADDITIONAL_SECURITY_GROUP_IDS', 'sg-0a,,sg-0b'],
    ['HEAD_NODE_SECURITY_GROUP_IDS', 'default'],
    ['PERMISSIONS_BOUNDARY_ARN', 'arn:aws:iam::123456789012:role/boundary'],
    ['CUSTOM_AMI', 'latest'],
    ['ATTACHABLE_FILE_SYSTEMS', 'fs-0aaaaaaaaaaaaaaaa'],
    ['ATTACHABLE_FILE_SYSTEMS', 'Efs:fsvol-0cccccccccccccccc'],
    ['ATTACHABLE_FILE_SYSTEMS', 'FsxOpenZfs:fs-0aaaaaaaaaaaaaaaa'],
    ['ATTACHABLE_FILE_SYSTEMS', 'Efs:fs-0aaaaaaaaaaaaaaaa,'],
    ['LOG_RETENTION_DAYS', '42'],
    ['LOG_RETENTION_DAYS', '0'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf(() => readWorkerConfig({ ...workerEnvironment, [name]: value }))).toEqual([
      expect.stringContaining(name),
    ]);
  });

  it('reads which file systems clusters may mount, never that of all homes', () => {
    const ATTACHABLE_FILE_SYSTEMS = 'Efs:fs-0aaaaaaaaaaaaaaaa, FsxOntap:fsvol-0dddddddddddddddd';
    const attachable = { 'fs-0aaaaaaaaaaaaaaaa': 'Efs', 'fsvol-0dddddddddddddddd': 'FsxOntap' };
    const read = readWorkerConfig({ ...workerEnvironment, ATTACHABLE_FILE_SYSTEMS });
    expect([read.attachableFileSystems, read.settings.attachableFileSystems]).toEqual([
      attachable,
      attachable,
    ]);
    const EFS_FILE_SYSTEM_ID = 'fs-0aaaaaaaaaaaaaaaa';
    expect(
      problemsOf(() =>
        readWorkerConfig({ ...workerEnvironment, ATTACHABLE_FILE_SYSTEMS, EFS_FILE_SYSTEM_ID }),
      ),
    ).toEqual([expect.stringContaining('holds all homes')]);
  });
});
