import { type OrphanCost, sumOfOrphans } from './orphan-costs.ts';
import type { Findings, Orphan, OrphanResource, Remnant } from './orphans.ts';
import type { ReconcileRequest } from './sweep-brake.ts';
import { shellQuote } from './shell-quote.ts';
import type { KeptRecords } from './records.ts';
import { tableHead, tableRow } from './markdown.ts';
import { counted } from './wording.ts';

/** What a sweep set going. */
export interface Begun {
  /** Workflows that were begun, one for each orphan. */
  readonly reapers: readonly string[];
  /** What is to be known of how an orphan goes, or why it does not yet. Absent in reports of older releases. */
  readonly notes?: readonly string[];
}

export interface ReconcileReport extends Findings, Begun {
  /** ISO 8601. */
  readonly at: string;
  /** Why nothing was begun or removed. Absent where all that could be was. */
  readonly brake?: string;
  /** Commands by which an operator can have a sweep do more. Absent where there is nothing to say. */
  readonly commands?: readonly string[];
  /** What needed no teardown, and whether it went. */
  readonly removed: readonly (Remnant & { readonly isRemoved: boolean })[];
  /** Of all orphans together. */
  readonly cost: OrphanCost;
}

export function reportOf(
  findings: Findings,
  {
    operator,
    ...rest
  }: Pick<ReconcileReport, 'at' | 'reapers' | 'removed' | 'notes' | 'brake'> & {
    readonly operator: WhereToSay;
  },
): ReconcileReport {
  const commands = commandsFor(findings, rest.brake, operator);
  return {
    ...findings,
    ...rest,
    ...(commands.length > 0 && { commands }),
    cost: sumOfOrphans(findings.orphans),
  };
}

/** Where an operator starts a sweep with an input. */
interface WhereToSay {
  readonly taskQueue: string;
  readonly namespace: string;
  /** What the sweep was started with. */
  readonly request: ReconcileRequest;
}

function commandsFor(
  { orphans, unclaimed = [] }: Findings,
  brake: string | undefined,
  { taskQueue, namespace, request }: WhereToSay,
): string[] {
  const command = (input: ReconcileRequest) =>
    `temporal workflow start --namespace ${shellQuote(namespace)} --task-queue ${shellQuote(taskQueue)} ` +
    `--type reconcile --workflow-id reconcile-by-hand --input ${shellQuote(JSON.stringify(input))}`;
  return [
    ...(brake === undefined ? [] : [command({ ...request, beginUpTo: orphans.length })]),
    ...(unclaimed.length === 0 ? [] : [command({ claim: unclaimed.slice(0, MAX_CLAIMED) })]),
  ];
}

/** What a sweep takes at once. */
const MAX_CLAIMED = 200;

/** What an operator reads at the top of the workflow in the Temporal UI: money first, the dearest orphan first. */
export function renderSweep(report: ReconcileReport): string {
  const { at, orphans, lookAlikes, attended, reapers, removed, records, cost } = report;
  const { notes = [], brake, commands = [], unlisted = [] } = report;
  return [
    `## Sweep of ${at}`,
    orphans.length === 0 ? '**Nothing is left behind.**' : `**What is left behind costs ${inWords(cost)}.**`,
    '',
    `${counted(attended, 'resource')} of deployments that are looked after, ${counted(orphans.length, 'orphan')}, ` +
      `${counted(lookAlikes.length, 'look-alike')}; ${counted(reapers.length, 'workflow')} begun.`,
    ...(brake === undefined ? [] : ['', `**Nothing was done.** ${brake}`]),
    ...unlisted.map(({ what, because }) => `- **not seen** ${what}: ${because}`),
    '',
    ...orphanTable(orphans),
    ...notes.map((note) => `- ${note}`),
    ...removed.map(
      ({ kind, id, because, isRemoved }) =>
        `- **${isRemoved ? 'removed' : 'left alone'}** ${kind} \`${id}\`: ${because}`,
    ),
    ...(records ? [`- kept: ${recordsInWords(records)}`] : []),
    ...lookAlikes.map(({ kind, id, because }) => `- **left alone** ${kind} \`${id}\`: ${because}`),
    ...commands.flatMap((command) => ['', 'If that is right, say so:', '```', command, '```']),
  ].join('\n');
}

function byCost(a: Orphan, b: Orphan): number {
  return (b.cost?.usdPerHour ?? 0) - (a.cost?.usdPerHour ?? 0) || a.epoch.localeCompare(b.epoch);
}

/** A table, since the Temporal UI runs the lines of nested lists together. */
function orphanTable(orphans: readonly Orphan[]): string[] {
  if (orphans.length === 0) return [];
  return [...tableHead('orphan', 'has', 'which costs'), ...orphans.toSorted(byCost).flatMap(orphanRows), ''];
}

function orphanRows({ virtualLabId, projectId, epoch, resources, cost }: Orphan): string[] {
  return [
    tableRow(
      `**${virtualLabId}/${projectId}**, epoch \`${epoch}\``,
      counted(resources.length, 'resource'),
      cost ? inWords(cost) : 'nobody knows what',
    ),
    ...resources.map((resource) => tableRow('', `${resource.kind} \`${resource.id}\``, ownCost(resource))),
  ];
}

function ownCost({ cost }: OrphanResource): string {
  if (!cost) return '';
  if ('unpriced' in cost) return `**no price** (${cost.unpriced})`;
  return cost.usdPerHour === 0 ? '' : perHour(cost.usdPerHour);
}

function inWords({ usdPerHour, usdPerMonth, usdSoFar, unpriced, isUpperBound }: OrphanCost): string {
  const isLowerBound = unpriced.length > 0;
  const bound = isLowerBound ? (isUpperBound ? 'about ' : 'at least ') : isUpperBound ? 'at most ' : '';
  const gap = isLowerBound
    ? `; ${counted(unpriced.length, 'thing')} without a price or a date not counted`
    : '';
  return `${bound}${perHour(usdPerHour)} (${usdPerMonth.toFixed(2)} a month), ${usdSoFar.toFixed(2)} USD so far${gap}`;
}

function recordsInWords({ epochs, objects, bytes, usdPerMonth }: KeptRecords): string {
  const price = usdPerMonth === undefined ? 'no price' : `${usdPerMonth.toFixed(2)} USD a month`;
  return (
    `the control bucket has ${counted(objects, 'object')} (${(bytes / 2 ** 20).toFixed(1)} MiB, ${price}) ` +
    `of ${counted(epochs, 'deployment')} of which nothing else is left`
  );
}

/** A secret costs a twentieth of a cent an hour. */
function perHour(usd: number): string {
  return `${usd.toFixed(4)} USD an hour`;
}
