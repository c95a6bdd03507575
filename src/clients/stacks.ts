import {
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  GetTemplateCommand,
  UpdateStackCommand,
  paginateDescribeStackEvents,
} from '@aws-sdk/client-cloudformation';
import type { CloudFormationClient, StackEvent } from '@aws-sdk/client-cloudformation';
import { tagKeys, tagValue } from '../domain/resource-tags.ts';
import { isNothingToUpdate, isStackNotFound } from './aws-errors.ts';

/** A stack that exists, in whatever state. */
export interface ExistingStack {
  readonly stackId: string;
  readonly name: string;
  /** CloudFormation's own word, e.g. `CREATE_IN_PROGRESS`. */
  readonly status: string;
  /** The deployment that made it, from its tag; undefined for a stack that is not ours. */
  readonly epoch: string | undefined;
  readonly outputs: Readonly<Record<string, string>>;
}

export interface NewStack {
  readonly name: string;
  readonly template: string;
  readonly tags: { Key: string; Value: string }[];
  /** Repeating the call with the same token makes no second stack. Begins with a letter. */
  readonly requestToken: string;
}

/** One event of a stack, in CloudFormation's own words. */
export interface HappenedToStack {
  /** ISO 8601. */
  readonly at: string | undefined;
  readonly resource: string | undefined;
  readonly type: string | undefined;
  readonly status: string | undefined;
  readonly reason?: string;
}

/** CloudFormation stacks in the few verbs that we need. */
export interface Stacks {
  /** The stack of a name or id; undefined once it is deleted. */
  find(nameOrId: string): Promise<ExistingStack | undefined>;
  /** Begins the creation and returns the stack's id. What fails stays as it is, for {@link firstFailure} and us. */
  create(stack: NewStack): Promise<string>;
  /** The template of a stack as it was last put into force. */
  template(stackId: string): Promise<string>;
  /** Begins an update to another template; everything else stays. False if CloudFormation finds nothing to change. */
  update(stack: Pick<NewStack, 'template' | 'requestToken'> & { readonly stackId: string }): Promise<boolean>;
  /** Begins the deletion. */
  delete(stackId: string): Promise<void>;
  /** Everything that happened to a stack, oldest first. */
  events(stackId: string): Promise<readonly HappenedToStack[]>;
  /** What failed first in the latest creation, update or deletion of a stack, in the words of its events. */
  firstFailure(stackId: string, operation: 'CREATE' | 'UPDATE' | 'DELETE'): Promise<string | undefined>;
}

/** What CloudFormation gives as the reason of resources that failed only because another one had. */
const CONSEQUENCE = /^Resource (?:creation|update|deletion) cancelled/i;

/** Templates may hold policies of IAM, without names of their own. */
const CAPABILITIES = ['CAPABILITY_IAM' as const];

export function createStacks(cloudFormation: CloudFormationClient): Stacks {
  return {
    async find(nameOrId) {
      try {
        const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: nameOrId }));
        const [stack] = Stacks;
        // Asked by id, CloudFormation still shows deleted stacks for 90 days.
        if (!stack?.StackId || stack.StackStatus === 'DELETE_COMPLETE') return undefined;
        return {
          stackId: stack.StackId,
          name: stack.StackName ?? nameOrId,
          status: stack.StackStatus ?? 'UNKNOWN',
          epoch: tagValue(stack.Tags, tagKeys.epoch),
          outputs: Object.fromEntries(
            (stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
          ),
        };
      } catch (error) {
        if (isStackNotFound(error)) return undefined;
        throw error;
      }
    },

    async create({ name, template, tags, requestToken }) {
      const { StackId } = await cloudFormation.send(
        new CreateStackCommand({
          StackName: name,
          TemplateBody: template,
          Tags: tags,
          ClientRequestToken: requestToken,
          OnFailure: 'DO_NOTHING',
          Capabilities: CAPABILITIES,
        }),
      );
      return StackId ?? name;
    },

    async template(stackId) {
      const { TemplateBody = '' } = await cloudFormation.send(
        new GetTemplateCommand({ StackName: stackId, TemplateStage: 'Original' }),
      );
      return TemplateBody;
    },

    async update({ stackId, template, requestToken }) {
      try {
        await cloudFormation.send(
          new UpdateStackCommand({
            StackName: stackId,
            TemplateBody: template,
            ClientRequestToken: requestToken,
            Capabilities: CAPABILITIES,
          }),
        );
        return true;
      } catch (error) {
        if (isNothingToUpdate(error)) return false;
        throw error;
      }
    },

    async delete(stackId) {
      await cloudFormation.send(new DeleteStackCommand({ StackName: stackId }));
    },

    async events(stackId) {
      const newestFirst: HappenedToStack[] = [];
      for await (const page of paginateDescribeStackEvents(
        { client: cloudFormation },
        { StackName: stackId },
      ))
        newestFirst.push(...(page.StackEvents ?? []).map(shortened));
      return newestFirst.toReversed();
    },

    async firstFailure(stackId, operation) {
      let resource: StackEvent | undefined;
      let wholeStack: StackEvent | undefined;
      // Newest first, so the last one that is seen failed first.
      for await (const page of paginateDescribeStackEvents(
        { client: cloudFormation },
        { StackName: stackId },
      )) {
        for (const event of page.StackEvents ?? []) {
          const isOfStack = event.PhysicalResourceId === event.StackId;
          if (isOfStack && event.ResourceStatus === `${operation}_IN_PROGRESS`)
            return inWords(resource ?? wholeStack);
          // An update creates and deletes as well.
          const failed = operation === 'UPDATE' ? '_FAILED' : `${operation}_FAILED`;
          if (!event.ResourceStatus?.endsWith(failed) || !event.ResourceStatusReason) continue;
          if (isOfStack) wholeStack = event;
          else if (!CONSEQUENCE.test(event.ResourceStatusReason)) resource = event;
        }
      }
      return inWords(resource ?? wholeStack);
    },
  };
}

function shortened({
  Timestamp,
  LogicalResourceId: resource,
  ResourceType: type,
  ResourceStatus: status,
  ResourceStatusReason: reason,
}: StackEvent): HappenedToStack {
  return { at: Timestamp?.toISOString(), resource, type, status, ...(reason !== undefined && { reason }) };
}

function inWords(event: StackEvent | undefined): string | undefined {
  if (!event) return undefined;
  return `${event.LogicalResourceId} (${event.ResourceType}): ${event.ResourceStatusReason}`;
}
