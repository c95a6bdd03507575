import type { ProviderEvent } from './event.ts';

/** How a request ended: with the attributes for `Fn::GetAtt`, or with a reason. */
export type Outcome =
  | {
      readonly ok: true;
      readonly physicalResourceId: string;
      readonly data: Readonly<Record<string, string>>;
    }
  | { readonly ok: false; readonly reason: string };

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html */
const MAX_RESPONSE_BYTES = 4096;
/** crhelper's `_send`, as aws-parallelcluster ships it. */
const MAX_REASON_LENGTH = 256;
const KEPT_REASON_LENGTH = 240;

/** The body that the official provider would PUT to the event's ResponseURL. */
export function responseBody(event: ProviderEvent, outcome: Outcome): string {
  const body = JSON.stringify({ ...answerTo(event), ...statusOf(event, outcome) });
  if (Buffer.byteLength(body) <= MAX_RESPONSE_BYTES) return body;
  // CloudFormation itself refuses a longer one, in these words.
  const tooLong: Outcome = { ok: false, reason: 'Response object is too long.' };
  return JSON.stringify({ ...answerTo(event), ...statusOf(event, tooLong) });
}

function answerTo(event: ProviderEvent): object {
  const { StackId, RequestId, LogicalResourceId } = event;
  return { StackId, RequestId, LogicalResourceId };
}

function statusOf(event: ProviderEvent, outcome: Outcome): object {
  if (outcome.ok) {
    const { physicalResourceId, data } = outcome;
    return { Status: 'SUCCESS', Reason: '', PhysicalResourceId: physicalResourceId, Data: data };
  }
  return {
    Status: 'FAILED',
    Reason: truncatedReason(outcome.reason),
    PhysicalResourceId: event.PhysicalResourceId ?? generatedPhysicalId(event),
    Data: {},
  };
}

/** Only the end of a long reason survives in the official provider. */
export function truncatedReason(reason: string): string {
  return reason.length > MAX_REASON_LENGTH
    ? `ERROR: (truncated) ${reason.slice(-KEPT_REASON_LENGTH)}`
    : reason;
}

/** A create that failed has no cluster name as its id: crhelper makes one up from stack and resource. */
function generatedPhysicalId(event: ProviderEvent): string {
  const stackName = event.StackId.split('/')[1] ?? event.StackId;
  return `${stackName}_${event.LogicalResourceId}_${event.RequestId.slice(0, 8).toUpperCase()}`;
}

/** A value as JSON has it; what is undefined is left out. */
export type Nested = string | number | undefined | readonly Nested[] | { readonly [key: string]: Nested };

/** Nested values with dotted keys, lists by index, as the official provider flattens them. */
export function flatten(
  value: readonly Nested[] | { readonly [key: string]: Nested },
  path = '',
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]: [string, Nested]): [string, string][] => {
      if (each === undefined) return [];
      if (typeof each === 'object') return Object.entries(flatten(each, `${path}${key}.`));
      return [[`${path}${key}`, String(each)]];
    }),
  );
}
