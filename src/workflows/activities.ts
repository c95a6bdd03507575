import { type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/port.ts';
import { activityBounds, activityOptions } from './policies.ts';

type Proxies = ActivityInterfaceFor<Activities>;

/** The activities as workflows call them: each with its own bounds from the table. */
export const activities: Proxies = Object.fromEntries(
  (Object.keys(activityBounds) as (keyof Activities)[]).map((name) => [
    name,
    proxyActivities<Activities>(activityOptions(name))[name],
  ]),
) as Proxies;
