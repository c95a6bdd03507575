import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { EC2Client } from '@aws-sdk/client-ec2';
import { billingTags, toTagList } from '../src/domain/resource-tags.ts';
import { emptyDefaultSecurityGroup } from './default-security-group.ts';
import { FoundationError } from './foundation-error.ts';
import { deployStack } from './stack-deployment.ts';
import { checkParameters, parametersOf, readTemplates } from './templates.ts';
import type { Values } from './templates.ts';

export interface FoundationOptions {
  readonly cloudFormation: CloudFormationClient;
  readonly ec2: EC2Client;
  /** First part of the names of all stacks, and so of buckets and roles. */
  readonly name: string;
  readonly parameters: Values;
  /** Shows what would change and changes nothing. Ends at the first stack that does not exist yet. */
  readonly planOnly?: boolean;
  readonly onProgress: (line: string) => void;
}

/**
 * The policies of ParallelCluster give its provider every right on buckets `parallelcluster-*`, and on stacks and
 * functions `pcluster-*`, which a foundation of that name would be.
 */
const NAME = /^(?!parallelcluster|pcluster|provisioner-pcluster)[a-z][a-z0-9-]{0,29}$/;

/**
 * Creates or updates all stacks of the foundation, one after the other.
 *
 * @returns their outputs; undefined if a plan ended before the last stack.
 * @throws FoundationError for wrong parameters and for what CloudFormation refuses.
 */
export async function deployFoundation(options: FoundationOptions): Promise<Values | undefined> {
  const { cloudFormation, ec2, name, parameters, planOnly = false, onProgress } = options;
  if (!NAME.test(name)) {
    throw new FoundationError(
      `${name} is no name for a foundation: 1 to 30 lower-case letters, digits and hyphens, not beginning with pcluster or parallelcluster, whose names ParallelCluster's own policies open to its provider.`,
    );
  }
  const templates = await readTemplates();
  checkParameters(templates, parameters);
  let outputs: Values = {};
  for (const template of templates) {
    const stackName = `${name}-${template.name}`;
    onProgress(stackName);
    const made = await deployStack(cloudFormation, {
      stackName,
      template: template.body,
      parameters: parametersOf(template, parameters, outputs),
      tags: toTagList(billingTags),
      planOnly,
      onChange: (change) => onProgress(`  ${change}`),
    });
    if (made === undefined) return undefined;
    outputs = { ...outputs, ...made };
    if (template.name === 'network' && !planOnly) await emptyDefaultSecurityGroup(ec2, made['VpcId'] ?? '');
  }
  return outputs;
}
