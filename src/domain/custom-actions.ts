import { z } from 'zod';
import { parseS3ObjectUri } from './s3-uri.ts';

/** No wildcard of IAM, which gives nodes exactly this object to read. */
const SCRIPT_URI = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/[\w./=+-]{1,512}$/;

/** Nothing that a shell or CloudFormation would read as anything but itself; `=` alone has a meaning in YAML 1.1. */
const ARGUMENT = /^(?!=$)[\w./:=@,+-]{1,200}$/;

/** Which nodes run a script, every time that one starts. */
export const customActionNodes = ['head-node', 'compute-nodes', 'all-nodes'] as const;

const customActionSchema = z.strictObject({
  nodes: z.enum(customActionNodes).meta({
    description: 'Which nodes run it: `head-node`, `compute-nodes`, or `all-nodes`.',
  }),
  script: z
    .string()
    .regex(SCRIPT_URI, 'must be s3://bucket/key, of letters, digits and ./=+-_')
    .meta({ description: '`s3://bucket/key` in the bucket that the installation has for them.' }),
  args: z
    .array(z.string().regex(ARGUMENT, 'must be 1 to 200 letters, digits and ./:=@,+-_, and not `=` alone'))
    .max(10)
    .optional()
    .meta({ description: 'Words that it is given, one by one and through no shell.' }),
});

export const customActionsSchema = z
  .array(customActionSchema)
  .min(1)
  .max(8)
  .meta({
    description:
      'Scripts of the operators, run as root in this order when a node is set up (`OnNodeConfigured`), after those of the ' +
      'service. One that fails ends the node.',
  });

export type CustomAction = z.output<typeof customActionSchema>;

/**
 * Which of the actions does not lie in the bucket that operators keep their scripts in; undefined if all do. Scripts run as
 * root: whoever can write one elsewhere must not have it run.
 */
export function foreignAction(
  actions: readonly CustomAction[] = [],
  bucket: string | undefined,
): number | undefined {
  const index = actions.findIndex(({ script }) => parseS3ObjectUri(script).bucket !== bucket);
  return index === -1 ? undefined : index;
}
