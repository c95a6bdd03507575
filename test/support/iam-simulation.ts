import { runSimulation } from '@cloud-copilot/iam-simulate';
import { ACCOUNT } from './cloudformation.ts';

export interface IamRequest {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
  /** A role of the foundation's account unless another is named: an ARN, or the name of a service of AWS. */
  readonly principal?: string;
  /** Account that the resource is of, if not the foundation's. */
  readonly resourceAccount?: string;
}

export interface PoliciesInForce {
  /** Of the principal. */
  readonly identity?: readonly unknown[];
  readonly boundary?: unknown;
  /** Of the resource itself, e.g. a bucket or a key; the trust of a role. */
  readonly resource?: unknown;
  /** Of the endpoint that the request passes. */
  readonly endpoint?: unknown;
}

/** Whatever IAM knows, on everything. */
export const anything = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
};

/** Whether IAM lets a request pass under these policies. */
export async function isAllowed(
  { action, resource, context = {}, principal, resourceAccount = ACCOUNT }: IamRequest,
  policies: PoliciesInForce,
): Promise<boolean> {
  const outcome = await runSimulation(
    {
      request: {
        principal: principal ?? `arn:aws:iam::${ACCOUNT}:role/some-role`,
        action,
        resource: { resource, accountId: resourceAccount },
        contextVariables: { 'aws:RequestedRegion': 'us-east-1', ...context },
      },
      identityPolicies: (policies.identity ?? []).map((policy, index) => ({
        name: `policy-${index}`,
        policy,
      })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(policies.boundary !== undefined && {
        permissionBoundaryPolicies: [{ name: 'boundary', policy: policies.boundary }],
      }),
      ...(policies.resource !== undefined && { resourcePolicy: policies.resource }),
      ...(policies.endpoint !== undefined && {
        vpcEndpointPolicies: [{ name: 'endpoint', policy: policies.endpoint }],
      }),
    },
    {},
  );
  if (outcome.resultType === 'error') throw new Error(JSON.stringify(outcome.errors));
  return outcome.overallResult === 'Allowed';
}
