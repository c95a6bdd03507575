import { FoundationError } from './foundation-error.ts';
import type { Values } from './templates.ts';

/** Variables of worker and API (`.env.example`) and the output that each gets. */
export const variableOutputs = {
  CONTROL_BUCKET: 'ControlBucket',
  CONTROL_KMS_KEY_ID: 'ControlKeyArn',
  SCRATCH_BUCKET: 'ScratchBucket',
  PROJECT_PUBLIC_BUCKET: 'PublicAssetsBucket',
  PROJECT_PRIVATE_BUCKET: 'PrivateAssetsBucket',
  PCLUSTER_PROVIDER_ARN: 'ProviderArn',
  VPC_ID: 'VpcId',
  SUBNET_POOL: 'SubnetPool',
  SSH_ALLOWED_CIDR: 'SshAllowedCidr',
  ADDITIONAL_SECURITY_GROUP_IDS: 'NodeSecurityGroupId',
  EFS_FILE_SYSTEM_ID: 'HomeFileSystemId',
  LUSTRE_SECURITY_GROUP_IDS: 'LustreSecurityGroupId',
  LUSTRE_KMS_KEY_ID: 'DataKeyArn',
  HEAD_NODE_SECURITY_GROUP_IDS: 'HeadNodeSecurityGroupId',
  PERMISSIONS_BOUNDARY_ARN: 'ClusterBoundaryArn',
  SLURM_DATABASE_URI: 'SlurmDatabaseUri',
  SLURM_DATABASE_USER: 'SlurmDatabaseUser',
  SLURM_DATABASE_PASSWORD_SECRET_ARN: 'SlurmDatabasePasswordSecretArn',
  BUDGET_ALARM_TOPIC_ARN: 'BudgetAlarmsTopicArn',
  PROVISIONER_ROLE_ARN: 'WorkerRoleArn',
  WORKFLOW_SERVICE_ROLE_ARN: 'WorkflowServiceRoleArn',
} as const;

/** The one output that is there only if the parameter of the same name was given. */
const OPTIONAL = 'WorkflowServiceRoleArn';

/**
 * The lines of `.env` that the foundation gives, and the rest of its outputs as comments.
 *
 * @throws FoundationError when a stack lacks an output.
 */
export function environmentLines(region: string, outputs: Values): string[] {
  const variables = Object.entries(variableOutputs).flatMap(([variable, output]) => {
    const value = outputs[output];
    if (value !== undefined) return [`${variable}=${value}`];
    if (output === OPTIONAL) return [];
    throw new FoundationError(
      `No stack has the output ${output}. Deploy again with the templates as they are here.`,
    );
  });
  const used = new Set<string>(Object.values(variableOutputs));
  const others = Object.entries(outputs).flatMap(([name, value]) =>
    used.has(name) ? [] : [`# ${name}: ${value}`],
  );
  return [`AWS_REGION=${region}`, ...variables, ...others];
}
