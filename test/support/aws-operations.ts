/*
 * What an HTTP request asks of AWS, and how each service words its refusals: read from the wire, as AWS does, so that
 * nothing has to be known of the client. Sources: the services' API references ("Common errors"), and the protocols of
 * https://smithy.io/2.0/aws/protocols/.
 */

export interface HttpRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** `ec2:DescribeSubnets`: the signing name of a service and the name that its API reference has for the call. */
export type Operation = `${string}:${string}`;

/** The operation of a request; null for what is not signed, and so no call to AWS. */
export function operationOf(request: HttpRequest): Operation | null {
  const service = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(text(request.headers['authorization']))?.[1];
  if (service === undefined) return null;
  const target = text(request.headers['x-amz-target']).split('.').at(-1);
  if (target) return `${service}:${target}`;
  if (text(request.headers['content-type']).includes('x-www-form-urlencoded'))
    return `${service}:${new URLSearchParams(request.body.toString()).get('Action') ?? 'unknown'}`;
  return `${service}:${service === 's3' ? s3Operation(request) : restOperation(request)}`;
}

const text = (value: string | string[] | undefined): string => String(value ?? '');

function s3Operation({ method, path }: HttpRequest): string {
  const { pathname, searchParams } = new URL(path, 'http://s3');
  // The SDK says itself what it calls, wherever a key is part of the path.
  const named = searchParams.get('x-id');
  if (named !== null) return named;
  if (searchParams.has('list-type')) return 'ListObjectsV2';
  const isObject = pathname.split('/').length > 2;
  return `${method[0]}${method.slice(1).toLowerCase()}${isObject ? 'Object' : 'Bucket'}`;
}

/** EFS is the only service that is used here and names its operations by method and path. */
function restOperation({ method, path }: HttpRequest): string {
  const verb = { GET: 'Describe', POST: 'Create', DELETE: 'Delete', PUT: 'Put' }[method] ?? method;
  const resource = /^\/\d{4}-\d{2}-\d{2}\/([\w-]+)/.exec(path)?.[1] ?? 'unknown';
  const words = resource.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return verb + words.join('');
}

/** Operations that only read; all others change something. */
export function isRead(operation: Operation): boolean {
  return /:(?:Describe|Get|List|Head)/.test(operation);
}

/** `throttled`: too many requests at a time. `failed`: an error within AWS. */
export type Refusal = 'throttled' | 'failed';

interface Words {
  readonly code: string;
  readonly status: number;
}

const refusals: Readonly<Record<string, Readonly<Record<Refusal, Words>>>> = {
  ec2: {
    throttled: { code: 'RequestLimitExceeded', status: 503 },
    failed: { code: 'InternalError', status: 500 },
  },
  cloudformation: {
    throttled: { code: 'Throttling', status: 400 },
    failed: { code: 'InternalFailure', status: 500 },
  },
  s3: { throttled: { code: 'SlowDown', status: 503 }, failed: { code: 'InternalError', status: 500 } },
  elasticfilesystem: {
    throttled: { code: 'ThrottlingException', status: 429 },
    failed: { code: 'InternalServerError', status: 500 },
  },
  secretsmanager: {
    throttled: { code: 'ThrottlingException', status: 400 },
    failed: { code: 'InternalServiceError', status: 500 },
  },
  logs: {
    throttled: { code: 'ThrottlingException', status: 400 },
    failed: { code: 'ServiceUnavailableException', status: 500 },
  },
};
const usual: Readonly<Record<Refusal, Words>> = {
  throttled: { code: 'ThrottlingException', status: 400 },
  failed: { code: 'InternalServerError', status: 500 },
};

/** How the operation's service refuses it. */
export function refusalOf(operation: Operation, kind: Refusal): HttpAnswer {
  const [service = ''] = operation.split(':');
  const { code, status } = (refusals[service] ?? usual)[kind];
  const message = kind === 'throttled' ? 'Rate exceeded' : 'An internal error occurred';
  const error = `<Code>${code}</Code><Message>${message}</Message>`;
  const xml: Readonly<Record<string, string>> = {
    ec2: `<Response><Errors><Error>${error}</Error></Errors><RequestID>fault</RequestID></Response>`,
    cloudformation: `<ErrorResponse><Error><Type>Sender</Type>${error}</Error><RequestId>fault</RequestId></ErrorResponse>`,
    s3: `<Error>${error}<RequestId>fault</RequestId></Error>`,
  };
  const body = xml[service] ?? JSON.stringify({ __type: code, message });
  return {
    status,
    headers: {
      'content-type': xml[service] === undefined ? 'application/x-amz-json-1.1' : 'text/xml',
      'x-amzn-errortype': code,
    },
    body: Buffer.from(body),
  };
}
