import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { ClusterConfigurationInput } from './cluster-configuration-input.ts';
import type { CustomAction as AskedAction } from './custom-actions.ts';
import { tenantPrefix, writablePaths } from './lustre.ts';
import type { CustomAction, HeadNode, NodeIam, SlurmQueue } from './pcluster-document.ts';
import { SLURM_API_PORT } from './slurm-api.ts';

/** The user that every job runs as, without any right to administer the cluster. */
export const JOB_USER = 'sim';
/** One number on all nodes and in all epochs, because files in shared storage are owned by numbers. */
const JOB_USER_ID = 2000;

/**
 * What head nodes run: they install for all nodes what they share. Keys for the REST API are there before slurmctld
 * starts, which ends without them; the API is served once all daemons run, and what operators add comes last.
 */
export function headNodeSetUp(input: ClusterConfigurationInput): Pick<HeadNode, 'CustomActions' | 'Iam'> {
  const { settings, lustre, slurmApi, spec } = input;
  const configured = [
    createJobUser(input),
    { Script: settings.jobEnvironmentScriptUri, Args: ['install'] },
    ...(lustre ? [{ Script: lustre.scriptUri, Args: [JOB_USER, ...writablePaths] }] : []),
    ...mountS3(input),
    ...(slurmApi ? [{ Script: slurmApi.scriptUri, Args: ['serve', String(SLURM_API_PORT)] }] : []),
    ...operatorActions(spec.customActions, 'head-node'),
  ];
  const started = slurmApi && {
    Script: slurmApi.scriptUri,
    Args: ['trust', bytesToBase64(utf8ToBytes(slurmApi.jwks))],
  };
  return {
    CustomActions: { ...(started && { OnNodeStart: started }), OnNodeConfigured: { Sequence: configured } },
    Iam: nodeIam(input),
  };
}

/** What nodes of queues run. */
export function computeNodeSetUp(
  input: ClusterConfigurationInput,
): Pick<SlurmQueue, 'CustomActions' | 'Iam'> {
  const added = [...mountS3(input), ...operatorActions(input.spec.customActions, 'compute-nodes')];
  const first = createJobUser(input);
  return {
    CustomActions: { OnNodeConfigured: added.length === 0 ? first : { Sequence: [first, ...added] } },
    Iam: nodeIam(input),
  };
}

function createJobUser({ settings, jobUserPublicKey }: ClusterConfigurationInput): CustomAction {
  return {
    Script: settings.jobUserScriptUri,
    Args: [JOB_USER, String(JOB_USER_ID), withoutComment(jobUserPublicKey)],
  };
}

function mountS3({ s3Mounts, settings, deployment }: ClusterConfigurationInput): CustomAction[] {
  if (!s3Mounts) return [];
  const { scriptUri, projectPublic, projectPrivate } = s3Mounts;
  const Args = [JOB_USER, settings.region, projectPublic, projectPrivate, tenantPrefix(deployment)];
  return [{ Script: scriptUri, Args }];
}

function operatorActions(
  actions: readonly AskedAction[] = [],
  on: 'head-node' | 'compute-nodes',
): CustomAction[] {
  return actions
    .filter(({ nodes }) => nodes === on || nodes === 'all-nodes')
    .map(({ script, args = [] }) => ({ Script: script, Args: args }));
}

function nodeIam({ nodePolicy }: ClusterConfigurationInput): NodeIam {
  return { AdditionalIamPolicies: [{ Policy: nodePolicy }] };
}

/** Without Node's Buffer: the domain is bundled into workflows. */
function bytesToBase64(bytes: Uint8Array): string {
  return btoa(String.fromCodePoint(...bytes));
}

/** EC2 adds the name of the key pair to a public key; fifty queues would repeat it. */
function withoutComment(publicKey: string): string {
  return publicKey.trim().split(/\s+/).slice(0, 2).join(' ');
}
