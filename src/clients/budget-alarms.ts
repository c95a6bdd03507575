import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { type BudgetNotice, noticeId, renderNotice } from '../domain/budget-notice.ts';
import { type ControlBucket, readObject, writeObject } from './control-bucket.ts';

/** Tells what levels budgets have reached. */
export interface BudgetAlarms {
  /** Tells a level once; said again it does nothing. Two messages are possible where a process dies right between. */
  tell(notice: BudgetNotice): Promise<void>;
}

export interface BudgetAlarmDeps extends ControlBucket {
  readonly sns: SNSClient;
  readonly topicArn: string;
}

/** Messages on a topic of Amazon SNS, which forgets what it was given: what was told is noted in the control bucket. */
export function createSnsBudgetAlarms({ sns, topicArn, ...control }: BudgetAlarmDeps): BudgetAlarms {
  return {
    async tell(notice) {
      const key = `deployments/${noticeKey(notice)}.json`;
      if ((await readObject(control, key)) !== undefined) return;
      const { subject, message } = renderNotice(notice);
      const { MessageId } = await sns.send(
        new PublishCommand({
          TopicArn: topicArn,
          Subject: subject,
          Message: message,
          // What subscriptions can filter by.
          MessageAttributes: {
            level: text(notice.standing.level),
            virtualLabId: text(notice.tenant.virtualLabId),
            projectId: text(notice.tenant.projectId),
          },
        }),
      );
      await writeObject(control, key, JSON.stringify({ id: noticeId(notice), messageId: MessageId }));
    },
  };
}

function noticeKey({ tenant, budget, standing }: BudgetNotice): string {
  const { virtualLabId, projectId } = tenant;
  return `${virtualLabId}/${projectId}/budget-alarms/${standing.month}/${budget.setAt}-${standing.level}`;
}

function text(value: string) {
  return { DataType: 'String', StringValue: value };
}
