import {
  SearchAttributeType,
  type SearchAttributeUpdatePair,
  defineSearchAttributeKey,
} from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { CampaignView } from '../domain/campaign-view.ts';
import type { ClusterView } from '../domain/cluster-view.ts';

/*
 * The search attributes of the product, all of them: Temporal's SQLite development server has room for ten Keyword
 * ones. They must be registered before a workflow runs, since an unknown one wedges it; the worker does it at start.
 */
export const searchAttributes = {
  virtualLabId: defineSearchAttributeKey('VirtualLabId', SearchAttributeType.KEYWORD),
  projectId: defineSearchAttributeKey('ProjectId', SearchAttributeType.KEYWORD),
  clusterState: defineSearchAttributeKey('ClusterState', SearchAttributeType.KEYWORD),
  clusterTier: defineSearchAttributeKey('ClusterTier', SearchAttributeType.KEYWORD),
  campaignState: defineSearchAttributeKey('CampaignState', SearchAttributeType.KEYWORD),
  failureType: defineSearchAttributeKey('FailureType', SearchAttributeType.KEYWORD),
  hourlyCostUsd: defineSearchAttributeKey('HourlyCostUsd', SearchAttributeType.DOUBLE),
  teardownAt: defineSearchAttributeKey('TeardownAt', SearchAttributeType.DATETIME),
  activeJobs: defineSearchAttributeKey('ActiveJobs', SearchAttributeType.INT),
} as const;

function clusterPairs(view: ClusterView): SearchAttributeUpdatePair[] {
  const { virtualLabId, projectId, state, spec, specSummary, failure, teardownAt, activeJobs, cost } = view;
  return [
    { key: searchAttributes.virtualLabId, value: virtualLabId },
    { key: searchAttributes.projectId, value: projectId },
    { key: searchAttributes.clusterState, value: state },
    { key: searchAttributes.clusterTier, value: (spec ?? specSummary)?.tier ?? null },
    { key: searchAttributes.failureType, value: failure?.type ?? null },
    { key: searchAttributes.hourlyCostUsd, value: cost?.ratePerHourUsd ?? null },
    { key: searchAttributes.teardownAt, value: teardownAt ? new Date(teardownAt) : null },
    { key: searchAttributes.activeJobs, value: activeJobs },
  ];
}

function campaignPairs(view: CampaignView): SearchAttributeUpdatePair[] {
  return [
    { key: searchAttributes.virtualLabId, value: view.virtualLabId },
    { key: searchAttributes.projectId, value: view.projectId },
    { key: searchAttributes.campaignState, value: view.state },
    { key: searchAttributes.failureType, value: view.failure?.type ?? null },
  ];
}

/** Upserts what differs from the attributes of `before`; one history event, or none. */
function publish(now: SearchAttributeUpdatePair[], before: SearchAttributeUpdatePair[] | undefined): void {
  const changed = now.filter(({ value }, index) => !same(value, before?.[index]?.value ?? null));
  if (changed.length > 0) upsertSearchAttributes(changed);
}

function same(a: unknown, b: unknown): boolean {
  return a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : a === b;
}

export function publishClusterAttributes(view: ClusterView, before: ClusterView | undefined): void {
  publish(clusterPairs(view), before && clusterPairs(before));
}

export function publishCampaignAttributes(view: CampaignView, before: CampaignView | undefined): void {
  publish(campaignPairs(view), before && campaignPairs(before));
}
