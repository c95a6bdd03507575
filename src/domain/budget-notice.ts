import { type Budget, type BudgetLevel, type BudgetStanding, standingInWords } from './budget.ts';
import type { Tenant } from './ids.ts';

/** A level that a project's budget has reached, as it is told to whoever looks after money. */
export interface BudgetNotice {
  readonly tenant: Tenant;
  readonly clusterName: string;
  /** What people wrote (`by`, `reason`) stays in the view. */
  readonly budget: Pick<Budget, 'limitUsd' | 'hardLimitUsd' | 'setAt'>;
  /** As it was when the level was reached. */
  readonly standing: BudgetStanding;
}

/** What follows from a level, for people who get nothing but the message. */
const consequences: Readonly<Record<BudgetLevel, string>> = {
  ok: 'Nothing follows from it.',
  'half-spent': 'Everything goes on.',
  'nearly-spent': 'Everything goes on. From the limit on, new clusters and campaigns are refused.',
  exhausted: 'New clusters and campaigns are refused. What runs goes on, and costs more.',
  'hard-limit': 'The cluster goes: its jobs are cancelled, and what it holds is exported before.',
};

/** Amazon SNS takes 100 ASCII characters (Publish, `Subject`). */
const MAX_SUBJECT_CHARACTERS = 100;

/** A budget that is set anew says all of its levels anew. */
export function noticeId({ tenant, budget, standing }: BudgetNotice): string {
  const { virtualLabId, projectId } = tenant;
  return `${virtualLabId}/${projectId}/${standing.month}/${budget.setAt}/${standing.level}`;
}

/** The message, for people and programs: one line of words, then JSON. */
export function renderNotice(notice: BudgetNotice): { readonly subject: string; readonly message: string } {
  const { tenant, clusterName, budget, standing } = notice;
  const { level, month, spentUsd, share } = standing;
  const { limitUsd, hardLimitUsd } = budget;
  const subject = `Budget ${level}: ${tenant.virtualLabId}/${tenant.projectId}`;
  const words = `Project ${tenant.projectId} of virtual lab ${tenant.virtualLabId}. ${standingInWords(budget, standing)} ${consequences[level]}`;
  const facts = {
    id: noticeId(notice),
    ...tenant,
    clusterName,
    level,
    month,
    spentUsd: Math.round(spentUsd * 100) / 100,
    share: Math.round(share * 10_000) / 10_000,
    limitUsd,
    ...(hardLimitUsd !== undefined && { hardLimitUsd }),
  };
  return {
    subject: subject.slice(0, MAX_SUBJECT_CHARACTERS),
    message: `${words}\n\n${JSON.stringify(facts, null, 2)}\n`,
  };
}
