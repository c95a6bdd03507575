import { existsSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import {
  apiVariables,
  commonVariables,
  policyVariables,
  temporalVariables,
  workerVariables,
} from '../../src/runtime/variables.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

const serviceSchema = z.looseObject({
  image: z.string(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
  restart: z.string(),
});
const document: unknown = parse(read('docker-compose.yml'), { merge: true });
const { services } = z.looseObject({ services: z.record(z.string(), serviceSchema) }).parse(document);

/** What the AWS SDK reads by itself (`.env.example`, first lines). */
const sdkVariables = new Set(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']);
const shared = { ...temporalVariables, ...commonVariables };
const variables = {
  api: { ...shared, ...policyVariables, ...apiVariables },
  worker: { ...shared, ...workerVariables },
} as const;
const product = ['api', 'worker'] as const;

/** The names whose absence the processes refuse. */
function requiredOf(shape: z.ZodRawShape): string[] {
  return Object.keys(shape).filter(
    (name) => !z.object({ [name]: shape[name] ?? z.any() }).safeParse({}).success,
  );
}

/**
 * The Compose specification's own schema, as the linter dclint ships it. It names its draft, 7, by an address that ajv
 * does not know; 7 is what ajv takes without one.
 */
const composeSchemaUrl = new URL('schemas/compose.schema.json', import.meta.resolve('dclint/package.json'));
const { $schema: _draft, ...composeSchema } = z
  .looseObject({ $schema: z.literal('https://json-schema.org/draft-07/schema') })
  .parse(JSON.parse(readFileSync(composeSchemaUrl, 'utf8')));
const conforms = new Ajv({ strict: false, validateFormats: false }).compile(composeSchema);

describe('docker-compose.yml', () => {
  it('conforms to the Compose specification', () => {
    conforms(document);

    expect(conforms.errors).toBeNull();
  });

  it('would be refused with a key that the specification does not know', () => {
    expect(conforms({ services: { api: { image: 'x', port: ['8080'] } } })).toBe(false);
  });

  it('publishes every port on the loopback of the host alone', () => {
    const published = Object.values(services).flatMap(({ ports }) => ports);

    expect(published.length).toBeGreaterThan(0);
    expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('pins the version of every image', () => {
    const images = Object.values(services).map(({ image }) => image);

    expect(images.filter((image) => !/:\d[\w.-]*$/.test(image))).toEqual([]);
  });

  it('names the image of the product after the version that package.json has', () => {
    const image = `parallelcluster-provisioner:${packageJson.version}`;

    expect(product.map((name) => services[name]?.image)).toEqual([image, image]);
  });

  it('checks the health of everything that stays up, except the UI, whose image has no program for it', () => {
    const staying = Object.entries(services).filter(([, { restart }]) => restart === 'unless-stopped');
    const unchecked = staying.flatMap(([name, { healthcheck }]) => (healthcheck ? [] : [name]));

    expect(unchecked).toEqual(['temporal-ui']);
  });

  it('mounts only files of the repository that exist', () => {
    const sources = Object.values(services)
      .flatMap(({ volumes }) => volumes.map((volume) => volume.split(':')[0] ?? ''))
      .filter((source) => source.startsWith('.'));

    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((source) => !existsSync(new URL(source, root)))).toEqual([]);
  });

  it('holds no value of a secret', () => {
    const secrets = Object.values(services).flatMap(({ environment }) =>
      Object.entries(environment).filter(([name]) => /PASSWORD|PWD|TOKEN|SECRET/.test(name)),
    );

    expect(secrets.length).toBeGreaterThan(0);
    expect(secrets.filter(([, value]) => !/^\$\{\w+:[?-][^}]*\}$/.test(value))).toEqual([]);
  });
});

describe.each(product)('the service %s', (name) => {
  const { environment, ...service } = services[name] ?? serviceSchema.parse({});

  it('is given no variable that it does not read', () => {
    const unknown = Object.keys(environment).filter(
      (each) => !Object.hasOwn(variables[name], each) && !sdkVariables.has(each),
    );

    expect(unknown).toEqual([]);
  });

  it('is given every variable that it reads, except those for a Temporal that wants credentials', () => {
    const missing = Object.keys(variables[name]).filter((each) => !Object.hasOwn(environment, each));

    expect(missing).toEqual(['TEMPORAL_TLS', 'TEMPORAL_API_KEY']);
  });

  it('refuses to start without what is required, and lets everything else be absent', () => {
    const insisted = Object.entries(environment).flatMap(([each, value]) =>
      value.includes(':?') ? [each] : [],
    );

    expect(insisted.toSorted()).toEqual(requiredOf(variables[name]).toSorted());
  });

  it('has no rights that it does not need', () => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      command: [name],
    });
  });
});

describe('Dockerfile', () => {
  const text = read('Dockerfile');

  it('runs on the Node version that the project pins, as an account without rights', () => {
    const pinned = z
      .object({ devDependencies: z.object({ node: z.string() }) })
      .parse(JSON.parse(read('package.json')));
    const bases = [...text.matchAll(/^FROM node:([\d.]+)-/gm)].map(([, version]) => version);

    expect(bases).toEqual([pinned.devDependencies.node, pinned.devDependencies.node]);
    expect(text).toMatch(/^USER 1000:1000$/m);
  });

  it('copies only what exists and what .dockerignore lets in', () => {
    const allowed = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path]) => path);
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    );

    expect(new Set(copied)).toEqual(new Set(allowed));
    expect(copied.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });
});
