import { z } from 'zod';
import { sentenceSchema } from './lifetime.ts';
import { type SlurmJwk, TOKEN_LIFETIME_SECONDS } from './slurm-jwt.ts';

/** Keycloak makes a key the one that signs without notice: until the cluster has it, its tokens are refused. */
const KEYCLOAK_LOOK_SECONDS = 600;
/** After a step that did not succeed, whose activity has been retried for minutes before. */
const RETRY_SECONDS = 60;

/** Replaces the key that signs the service's tokens for a cluster's Slurm. */
export const keyRotationRequestSchema = z.strictObject({
  by: sentenceSchema.meta({ description: 'Who asks for it.' }),
  reason: sentenceSchema,
  /** Until tokens of the old key have expired by themselves, nobody notices. */
  overlapSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(TOKEN_LIFETIME_SECONDS)
    .meta({
      description:
        'How long Slurm accepts the old key beside the new one. 0 for a key that leaked: tokens that workers hold are ' +
        'then refused once and made anew.',
    }),
});

export type KeyRotationRequest = z.output<typeof keyRotationRequestSchema>;

/** A rotation that is under way. */
export interface KeyRotation {
  readonly id: string;
  /** ISO 8601, as all times here. */
  readonly requestedAt: string;
  readonly by: string;
  readonly reason: string;
  readonly overlapSeconds: number;
  /** Since when Slurm accepts both keys and the new one signs; absent before. */
  readonly bothSince?: string;
}

/** The keys whose tokens the Slurm of a deployment accepts, and what is being changed about them. */
export interface SlurmKeys {
  /** Of the epoch; the one that signs comes first. */
  readonly own: readonly SlurmJwk[];
  readonly keycloak: readonly SlurmJwk[];
  /** When Keycloak was last asked for its keys; absent where it is not trusted. */
  readonly keycloakAskedAt?: string;
  readonly rotation?: KeyRotation;
  /** Why a step did not succeed. It is tried again, and holds no other one up. */
  readonly problem?: { readonly at: string; readonly step: KeyStep; readonly message: string };
}

/** Everything that Slurm's JWKS holds. */
export function trustedKeys({ own, keycloak }: Pick<SlurmKeys, 'own' | 'keycloak'>): SlurmJwk[] {
  return [...own, ...keycloak];
}

export type KeyStep = 'add-key' | 'remove-old-keys' | 'refresh-keycloak';

interface PlannedStep {
  readonly step: KeyStep;
  /** Milliseconds since 1970. */
  readonly dueAtMs: number;
}

/** What is to be done next about the keys, and when; undefined: nothing, ever. A rotation never waits for Keycloak. */
export function nextKeyStep(keys: SlurmKeys, nowMs: number): PlannedStep | undefined {
  const planned = [...rotationStep(keys), ...keycloakStep(keys)].map((each) => afterPause(each, keys));
  return (
    planned.find(({ dueAtMs }) => dueAtMs <= nowMs) ?? planned.toSorted((a, b) => a.dueAtMs - b.dueAtMs)[0]
  );
}

function afterPause({ step, dueAtMs }: PlannedStep, { problem }: SlurmKeys): PlannedStep {
  if (problem?.step !== step) return { step, dueAtMs };
  return { step, dueAtMs: Math.max(dueAtMs, Date.parse(problem.at) + RETRY_SECONDS * 1000) };
}

function rotationStep({ rotation }: SlurmKeys): PlannedStep[] {
  if (rotation === undefined) return [];
  const { requestedAt, bothSince, overlapSeconds } = rotation;
  if (bothSince === undefined) return [{ step: 'add-key', dueAtMs: Date.parse(requestedAt) }];
  return [{ step: 'remove-old-keys', dueAtMs: Date.parse(bothSince) + overlapSeconds * 1000 }];
}

function keycloakStep({ keycloakAskedAt }: SlurmKeys): PlannedStep[] {
  if (keycloakAskedAt === undefined) return [];
  const dueAtMs = Date.parse(keycloakAskedAt) + KEYCLOAK_LOOK_SECONDS * 1000;
  return [{ step: 'refresh-keycloak', dueAtMs }];
}

/** When the old key ends; undefined before Slurm has the new one. */
function oldKeyEndsAt({ bothSince, overlapSeconds }: KeyRotation): string | undefined {
  return bothSince && new Date(Date.parse(bothSince) + overlapSeconds * 1000).toISOString();
}

/**
 * Begins a rotation. One that is under way is the same one for whoever repeats the request; it can only be made to end
 * sooner.
 */
export function withRotation(
  keys: SlurmKeys,
  request: KeyRotationRequest,
  { id, now }: { readonly id: string; readonly now: string },
): SlurmKeys {
  const { rotation } = keys;
  if (rotation === undefined) return { ...keys, rotation: { ...request, id, requestedAt: now } };
  const overlapSeconds = Math.min(rotation.overlapSeconds, request.overlapSeconds);
  return { ...keys, rotation: { ...rotation, overlapSeconds } };
}

/** What a cluster's view tells of its keys. */
export interface SlurmKeysView {
  /** Ids (`kid`) of the keys of the epoch that Slurm accepts, the one that signs first. */
  readonly ownKeyIds: readonly string[];
  readonly keycloakKeyIds: readonly string[];
  readonly rotation?: {
    readonly requestedAt: string;
    readonly by: string;
    readonly reason: string;
    /** Slurm accepts both keys until then; absent before it has the new one. */
    readonly oldKeyEndsAt?: string;
  };
  readonly problem?: string;
}

export function viewOfKeys(keys: SlurmKeys): SlurmKeysView {
  const { own, keycloak, rotation, problem } = keys;
  const endsAt = rotation && oldKeyEndsAt(rotation);
  return {
    ownKeyIds: own.map(({ kid }) => kid),
    keycloakKeyIds: keycloak.map(({ kid }) => kid),
    ...(rotation && {
      rotation: {
        requestedAt: rotation.requestedAt,
        by: rotation.by,
        reason: rotation.reason,
        ...(endsAt && { oldKeyEndsAt: endsAt }),
      },
    }),
    ...(problem && { problem: problem.message }),
  };
}
