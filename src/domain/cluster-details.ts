import { summarizeSpec } from './cluster-spec.ts';
import { standingInWords } from './budget.ts';
import type { ClusterView, CostView, LustreView } from './cluster-view.ts';
import { STORAGE_MOUNT_PATH } from './lustre.ts';
import type { PlacementTry } from './placement.ts';
import type { SlurmKeysView } from './slurm-keys.ts';
import type { ClusterEstimate } from './spec-notes.ts';
import type { SpecUpdateView } from './spec-update-record.ts';
import { tableHead, tableRow } from './markdown.ts';
import { sentence } from './wording.ts';

/**
 * What an operator reads at the top of the workflow in the Temporal UI: Markdown, newest facts first. With all tries: a view has
 * no room for each.
 */
export function renderClusterDetails(view: ClusterView, tries: readonly PlacementTry[] = []): string {
  const { failure, access, activity, slurmKeys: keys } = view;
  const spec = view.spec ? summarizeSpec(view.spec) : view.specSummary;
  const lines = [
    `## ${view.clusterName}: ${view.state}`,
    view.message,
    '',
    `- **since** ${view.since}`,
    view.epoch && `- **epoch** \`${view.epoch}\``,
    spec && `- **tier** ${spec.tier} (queues: ${spec.queueNames.join(', ')})`,
    view.estimate && `- **cost** ${costInWords(view.estimate)}`,
    view.cost && `- **spent** ${spentInWords(view.cost)}`,
    view.budget && `- **budget** ${view.budget.level}: ${standingInWords(view.budget, view.budget)}`,
    view.plan && `- **planned** ${view.plan.explanation.join(' ')}`,
    view.subnetId && `- **subnet** \`${view.subnetId}\``,
    view.stackId && `- **stack** \`${view.stackId}\``,
    view.lustre && lustreLine(view.lustre),
    access &&
      `- **head node** \`${access.user}@${access.address}\`${access.hostKeyFingerprint ? `, host key ${access.hostKeyFingerprint}` : ''}`,
    access?.slurmApi &&
      `- **Slurm REST API** port ${access.slurmApi.port}, trusts ${access.slurmApi.trust}; jobs go over ${access.slurmApi.jobsOver}`,
    activity &&
      `- **Slurm** ${activity.running} running${activity.unreadable === undefined ? '' : ` (${activity.unreadable} with a record that cannot be read)`}, ${activity.pending} waiting, ${activity.stuck} stuck (seen ${activity.at})`,
    keys?.rotation &&
      `- **signing key** replaced for ${keys.rotation.by}: ${keys.rotation.reason}; ${whenOldKeyEnds(keys.rotation)}`,
    keys?.problem && `- **keys of Slurm** not as they should be yet: ${keys.problem}`,
    view.blindSince &&
      `- **blind** Slurm has not answered since ${view.blindSince}; job states are the last known ones`,
    view.blindBecause &&
      `- **blind because** ${view.blindBecause.type}: ${sentence(view.blindBecause.message)} **Next step:** ${view.blindBecause.nextStep}`,
    view.idleSince && `- **idle** since ${view.idleSince}`,
    view.teardownAt && `- **teardown** at ${view.teardownAt} if nothing changes`,
    view.update && updateLine(view.update),
    ...view.holds.map(({ name, reason, until }) => `- **held** by ${name} until ${until}: ${reason}`),
    view.openCampaigns > 0 && `- **campaigns** ${view.openCampaigns} open, ${view.activeJobs} jobs not ended`,
    ...triesTable(tries),
    ...(failure
      ? ['', `### ${failure.type}`, failure.message, '', `**Next step:** ${failure.nextStep}`]
      : []),
    ...(view.choices
      ? [
          '',
          `**Answer** with the update \`resolve\`, one of: ${view.choices.map((c) => `\`${c}\``).join(', ')}.`,
        ]
      : []),
  ];
  return lines.filter((line) => typeof line === 'string').join('\n');
}

const updateStates: Readonly<Record<SpecUpdateView['state'], string>> = {
  'under-way': 'is under way',
  'waits-for-campaigns': 'waits until campaigns and jobs have ended; new campaigns wait for it',
  done: 'is done',
  failed: 'did not succeed',
};

function updateLine({ state, mode, reason, askedAt, endedAt, changes, failure }: SpecUpdateView): string {
  const why = failure ? `: ${failure.message} **Next step:** ${failure.nextStep}` : '';
  return `- **change** (${mode}) of ${changes.join(', ')}, asked for ${askedAt}: ${sentence(reason)} It ${updateStates[state]}${endedAt ? ` (${endedAt})` : ''}${why}`;
}

function triesTable(tries: readonly PlacementTry[]): readonly string[] {
  if (tries.length === 0) return [];
  return ['', ...tableHead('tried in', 'as', 'until', 'why not', 'kept of it'), ...tries.map(tryRow)];
}

function tryRow({ availabilityZone, tier, failedAt, failure, supportBundle }: PlacementTry): string {
  return tableRow(
    availabilityZone ?? 'no zone',
    tier,
    failedAt,
    `${failure.type}: ${sentence(failure.message)}`,
    supportBundle === undefined ? '' : `\`${supportBundle}\``,
  );
}

function lustreLine({ fileSystemId, exportTaskId, automaticExportProblem, discard }: LustreView): string {
  const exported = exportTaskId === undefined ? '' : `, last exported by \`${exportTaskId}\``;
  const given =
    discard === undefined ? '' : `; what is not in S3 was given up by ${discard.by}: ${discard.reason}`;
  const off =
    automaticExportProblem === undefined ? '' : `; automatic export is still off: ${automaticExportProblem}`;
  return `- **Lustre** \`${fileSystemId}\` at ${STORAGE_MOUNT_PATH}${exported}${off}${given}`;
}

function whenOldKeyEnds({ oldKeyEndsAt }: NonNullable<SlurmKeysView['rotation']>): string {
  return oldKeyEndsAt ? `the old one ends at ${oldKeyEndsAt}` : 'Slurm does not have the new one yet';
}

/** As the meter has it, up to when the view was written. */
function spentInWords({
  sinceStartUsd,
  thisMonthUsd,
  month,
  ratePerHourUsd,
  isLowerBound,
}: CostView): string {
  const cluster = sinceStartUsd === undefined ? '' : `${sinceStartUsd} USD since it was begun, `;
  const more = isLowerBound ? '; parts without a price are not in it' : '';
  return `${cluster}${thisMonthUsd} USD of the project in ${month}; ${ratePerHourUsd} USD an hour now${more}`;
}

/** As it was said before the cluster was made; the meter says what it is. */
function costInWords(estimate: ClusterEstimate): string {
  const { idleUsdPerHour, fullUsdPerHour, storageUsdPerMonth, isUpperBound, unpriced, pricesAsOf } = estimate;
  const parts = [
    idleUsdPerHour !== undefined && `${idleUsdPerHour} USD an hour idle`,
    fullUsdPerHour !== undefined && `${isUpperBound ? 'at most ' : ''}${fullUsdPerHour} with all nodes`,
    storageUsdPerMonth !== undefined &&
      storageUsdPerMonth > 0 &&
      `storage ${storageUsdPerMonth} a month of it`,
    unpriced && `no price of ${unpriced.join(', ')}`,
    pricesAsOf && `prices of ${pricesAsOf}`,
  ];
  return `estimated: ${parts.filter((part) => typeof part === 'string').join('; ')}`;
}
