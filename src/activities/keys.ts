import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyPair, KeyRole } from '../domain/deployment.ts';
import { KnownFailure } from '../domain/failures.ts';
import { withHeartbeat } from './heartbeat.ts';
import { KeyResources } from './key-resources.ts';
import type { KeyResourcesDeps, PrivateHalf, PublicHalf } from './key-resources.ts';
import { takeAway } from './poll.ts';
import type { Activities } from './port.ts';

export interface KeyDeps extends KeyResourcesDeps {
  /**
   * How long a half-made pair is left to whoever may just be making the other half, before it is taken for a wreck.
   * 5 s by default: making both halves takes less than one.
   */
  readonly halfMadeGraceSeconds?: number;
}

const DEFAULT_GRACE_SECONDS = 5;
const LOOK_INTERVAL_SECONDS = 0.25;
/** Each repair loses only to another attempt that makes the same pair, and there are never many of these. */
const MAX_REPAIRS = 5;

/** Key pairs of a deployment. The private half goes from EC2 to Secrets Manager and nowhere else. */
export function createKeyActivities(deps: KeyDeps): Pick<Activities, 'ensureKeyPair' | 'deleteKeyPair'> {
  const graceSeconds = deps.halfMadeGraceSeconds ?? DEFAULT_GRACE_SECONDS;
  return {
    async ensureKeyPair({ role, ...deployment }) {
      const resources = new KeyResources(deps, deployment, role);
      for (let repairs = 0; repairs <= MAX_REPAIRS; repairs++) {
        const halves = await lookUntilSettled(resources, graceSeconds);
        const whole = wholePair(resources, role, halves);
        if (whole) {
          // An attempt that died may have left it without.
          await resources.protectSecret();
          return whole;
        }
        await makeAnew(resources, halves);
      }
      throw new KnownFailure(
        'KeyPairConflict',
        `The key pair ${resources.keyName} and the secret ${resources.secretName} never matched: something else changes them`,
        { resource: resources.keyName },
      );
    },

    async deleteKeyPair({ role, askedSecondsAgo, ...deployment }) {
      const resources = new KeyResources(deps, deployment, role);
      const seen = { publicHalf: false, privateHalf: false };
      const take = async () => {
        // The pair first: while the secret is there, a deletion that was interrupted can be seen.
        if (await unlessForeign(async () => resources.findPublicHalf())) {
          seen.publicHalf = true;
          await resources.deletePublicHalf();
        }
        if (await unlessForeign(async () => resources.findPrivateHalf())) {
          seen.privateHalf = true;
          await resources.deletePrivateHalf();
        }
        return seen.publicHalf && seen.privateHalf;
      };
      await withHeartbeat(async ({ signal }) => takeAway(take, { askedSecondsAgo, signal }));
    },
  };
}

interface Halves {
  readonly publicHalf: PublicHalf | undefined;
  readonly privateHalf: PrivateHalf | undefined;
}

/**
 * The pair, if both halves are there and belong together. What the secret holds decides, not what a tag says: value
 * and tags of a secret cannot be changed in one call, so that a tag could survive the value that it spoke of.
 */
function wholePair(
  { keyName }: KeyResources,
  role: KeyRole,
  { publicHalf, privateHalf }: Halves,
): KeyPair | undefined {
  if (!publicHalf || publicHalf.publicKey !== privateHalf?.publicKey) return undefined;
  return { role, keyName, privateKeySecretArn: privateHalf.arn, publicKey: publicHalf.publicKey };
}

/**
 * The two halves once nothing more is to be expected: both absent, or whole, or unchanged in their disagreement for
 * the time of grace. Without it, two attempts at a time would each delete what the other had just begun.
 */
async function lookUntilSettled(resources: KeyResources, graceSeconds: number): Promise<Halves> {
  for (let waitedSeconds = 0; ; waitedSeconds += LOOK_INTERVAL_SECONDS) {
    const [publicHalf, privateHalf] = await Promise.all([
      resources.findPublicHalf(),
      resources.findPrivateHalf(),
    ]);
    const isWhole = publicHalf !== undefined && publicHalf.publicKey === privateHalf?.publicKey;
    if (isWhole || !publicHalf || waitedSeconds >= graceSeconds) return { publicHalf, privateHalf };
    await sleep(LOOK_INTERVAL_SECONDS * 1000);
  }
}

/**
 * Makes both halves anew. EC2 hands out the private half only once, so a pair whose secret is missing or holds
 * another key is of no use to anybody. Its name carries the epoch: no instance can have been started with it,
 * because the stack that would is created only after this activity.
 */
async function makeAnew(resources: KeyResources, { publicHalf, privateHalf }: Halves): Promise<void> {
  if (publicHalf) await resources.deletePublicHalf();
  // First, so that a key is never there without its policy, and half a pair for no longer than one call takes.
  await resources.prepareSecret(privateHalf);
  const privateKey = await resources.createPair();
  if (privateKey !== undefined) await resources.storePrivateKey(privateKey);
}

/** What `find` finds; a foreign thing of that name counts as none, because it stays. */
async function unlessForeign<T>(find: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof KnownFailure && error.type === 'KeyPairConflict') return undefined;
    throw error;
  }
}
