import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSigningKeyActivities } from '../../src/activities/signing-key.ts';
import { createTrustedKeysActivities } from '../../src/activities/trusted-keys.ts';
import { createKeycloakJwksReader } from '../../src/clients/keycloak-jwks.ts';
import { PinnedHttps } from '../../src/clients/pinned-https.ts';
import { readPrivateKey } from '../../src/clients/secrets.ts';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { SlurmRest } from '../../src/clients/slurm-rest.ts';
import { publicHalfOf } from '../../src/clients/slurm-tokens.ts';
import type { Deployment, SigningKey } from '../../src/domain/deployment.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import type { SlurmJwk } from '../../src/domain/slurm-jwt.ts';
import { runActivity } from '../support/activity.ts';
import { useEmulatedAws } from '../support/aws.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newSigningKey, tokenWith } from '../support/slurm-rest.ts';
import { withRestAccess } from '../support/slurm-rigs.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

/* Signing keys in an emulated Secrets Manager, Keycloak's in a file, and real daemons that go by them. */
const aws = useEmulatedAws();
const trust = 'epoch-key-and-keycloak';

let deployment: Deployment;
let cluster: SlurmCluster;
let head: HeadNode;
let signingKey: SigningKey;
let keys: ReturnType<typeof createSigningKeyActivities>;
let trusted: ReturnType<typeof createTrustedKeysActivities>;
let keycloakFile: string;
let https: PinnedHttps;
const gateways: SlurmRest[] = [];

beforeAll(async () => {
  const { secretsManager } = aws().clients;
  const control = {
    replaceJwks: async (...args: Parameters<typeof cluster.gateway.replaceJwks>) =>
      cluster.gateway.replaceJwks(...args),
  };
  keycloakFile = join(await mkdtemp(join(tmpdir(), 'key-rotation-')), 'jwks.json');
  keys = createSigningKeyActivities({ secretsManager, control });
  trusted = createTrustedKeysActivities({
    control,
    readKeycloakJwks: createKeycloakJwksReader(pathToFileURL(keycloakFile)),
  });
  deployment = { virtualLabId: 'lab', projectId: 'keys', clusterName: 'pcluster-lab-keys', epoch: 'rotated' };
  signingKey = await keys.ensureSigningKey(deployment);
  const pem = await readPrivateKey(secretsManager, signingKey.privateKeySecretArn);
  cluster = await startSlurmCluster({ restApi: { trust, signingKeys: [pem] } });
  const { epoch, access } = await withRestAccess(cluster, trust);
  const { slurmApi } = access;
  if (slurmApi === undefined) throw new Error('the cluster has no REST API');
  const signingKeySecretArn = signingKey.privateKeySecretArn;
  head = { epoch, access: { ...access, slurmApi: { ...slurmApi, signingKeySecretArn } } };
  https = new PinnedHttps({ address: access.address, ...slurmApi });
});
afterAll(async () => {
  https?.close();
  for (const gateway of gateways) gateway.close();
  await cluster?.close();
  if (keycloakFile) await rm(join(keycloakFile, '..'), { recursive: true });
});

/** As another worker, which holds no tokens yet. */
function newWorker(): SlurmRest {
  const loadSigningKey = async (arn: string) => readPrivateKey(aws().clients.secretsManager, arn);
  const gateway = new SlurmRest({ loadSigningKey, overSsh: cluster.gateway });
  gateways.push(gateway);
  return gateway;
}

const asAdmin = () => ({ ...head.access, user: 'ec2-user' });
const rotate = async (rotationId: string, own: readonly SlurmJwk[]) =>
  runActivity(keys.rotateSigningKey, { ...deployment, adminAccess: asAdmin(), trusted: own, rotationId });
const goBy = async (all: readonly SlurmJwk[]) =>
  runActivity(trusted.replaceTrustedKeys, { ...deployment, adminAccess: asAdmin(), trusted: all });

describe('the signing key of a cluster', () => {
  it('is replaced while jobs run, and no worker is refused before the old key ends', async () => {
    const [early, late] = [newWorker(), newWorker()];
    const spec = jobSpecSchema.parse({ key: 'runs-on', command: ['sleep', '300'] });
    const submission = { campaignId: newCampaignId(), jobs: [{ spec }], defaultQueue: 'debug' };
    const [job] = await early.submit(head, submission);
    await expect
      .poll(async () => (await early.observe(head, {})).facts, { timeout: 30_000 })
      .toMatchObject([{ state: 'RUNNING' }]);
    const rotationId = randomUUID();

    const next = await rotate(rotationId, [signingKey.jwk]);
    // The one with a token of the old key, the other one with its first token.
    await expect(early.observe(head, {})).resolves.toBeDefined();
    await expect(late.observe(head, {})).resolves.toBeDefined();
    expect(await rotate(rotationId, [signingKey.jwk])).toEqual(next);

    await goBy([next.jwk]);
    await expect(late.observe(head, {})).resolves.toBeDefined();
    // Refused once, and by name; what it makes then is signed with the new key.
    await expect(early.observe(head, {})).rejects.toMatchObject({ type: 'SlurmTokenRefused' });
    const { facts } = await early.observe(head, {});
    expect(facts).toMatchObject([{ jobId: job && 'jobId' in job && job.jobId, state: 'RUNNING' }]);
    expect(await early.submit(head, submission)).toMatchObject([{ status: 'adopted' }]);
    signingKey = next;
  });
});

describe('Keycloak’s keys on a cluster', () => {
  async function statusFor(key: string): Promise<number> {
    const exp = Math.floor(Date.now() / 1000) + 300;
    const token = tokenWith(key, {
      exp,
      preferred_username: 'sim',
      iss: 'https://keycloak.example/realms/obi',
    });
    const headers = { 'x-slurm-user-name': 'sim', 'x-slurm-user-token': token };
    const path = '/slurm/v0.0.42/partitions/';
    return (await https.call({ method: 'GET', path, headers, timeoutSeconds: 30 })).status;
  }

  it('follow those of its realm, beside the service’s own', async () => {
    const [first, second] = [newSigningKey(), newSigningKey()];
    const encryption = { ...publicHalfOf(newSigningKey()), use: 'enc', alg: 'RSA-OAEP' };
    const realmHas = async (key: string) =>
      writeFile(keycloakFile, JSON.stringify({ keys: [encryption, publicHalfOf(key)] }));
    const worker = newWorker();

    await realmHas(first);
    expect(await statusFor(first)).not.toBe(200);
    await goBy([signingKey.jwk, ...(await trusted.readKeycloakKeys())]);
    expect(await statusFor(first)).toBe(200);

    await realmHas(second);
    await goBy([signingKey.jwk, ...(await trusted.readKeycloakKeys())]);
    expect(await statusFor(second)).toBe(200);
    expect(await statusFor(first)).not.toBe(200);
    await expect(worker.ping(head)).resolves.toBeDefined();
  });
});
