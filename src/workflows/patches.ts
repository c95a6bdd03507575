/*
 * Ids of changes to the order of commands, for `patched()`. Each names the day of the change and when it can go: once no
 * run is open whose history has commands of the older code, `patched()` becomes `deprecatePatch()`, and a release later
 * nothing.
 */

/**
 * A cluster records what its jobs used, while it is ready and before its stack is deleted. Can go when no cluster entity
 * is open whose present run was begun by release 0.2.0 or older.
 */
export const RECORD_USAGE = '2026-11-25-record-usage';

/**
 * A deployment asks for an access point to homes on EFS before its stack. Can go when no cluster entity is open whose
 * present run was begun by release 0.2.0 or older.
 */
export const HOMES_ON_EFS = '2026-11-26-homes-on-efs';

/**
 * A deployment is judged before anything of it is made. Can go when no cluster entity is open whose present run was begun by
 * release 0.2.0 or older.
 */
export const PREFLIGHT = '2026-11-26-preflight';

/**
 * What is to be known of a deployment that failed is kept before its stack is deleted. Can go when no cluster entity is open
 * whose present run was begun by release 0.2.0 or older.
 */
export const SUPPORT_BUNDLE = '2026-11-26-support-bundle';

/**
 * A cluster that goes stays for its holds once nothing runs any more. Can go when no cluster entity is open whose present run
 * was begun by release 0.2.0 or older.
 */
export const HOLDS_KEEP_FILES = '2026-11-26-holds-keep-files';

/**
 * A cluster tells its campaigns all at once what concerns them, not one after the other. Can go when no cluster entity is
 * open whose present run was begun by release 0.2.0 or older.
 */
export const TELL_TOGETHER = '2026-11-25-tell-together';

/**
 * A deployment's budget is watched also before the cluster is ready. Can go when no cluster entity is open whose present run was
 * begun by release 0.2.0 or older.
 */
export const WATCH_BUDGET_ALWAYS = '2026-11-26-watch-budget-always';

/**
 * Levels of budgets are told to a topic. Can go when no cluster entity is open whose present run was begun by release 0.2.0 or
 * older.
 */
export const NOTIFY_BUDGET = '2026-11-26-notify-budget';

/**
 * What a deployment costs is watched, told and copied in all of its states, and what a change costs is asked for where nobody said
 * it. Can go when no cluster entity is open whose present run was begun by release 0.2.0 or older.
 */
export const COSTS_THROUGHOUT = '2026-11-26-costs-throughout';

/**
 * What a deployment is, and that it was given up, is kept in the control bucket for the sweep. Can go when no cluster entity is
 * open whose present run was begun by release 0.2.0 or older.
 */
export const KEEP_RECORDS = '2026-11-26-keep-records';
