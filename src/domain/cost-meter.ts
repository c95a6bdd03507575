import { type CostPart, NOTHING, type PartsUsd, sumOfParts } from './cost-rates.ts';

/*
 * The meter of one deployment: US dollars by part, added up over intervals in which what exists does not change. Plain JSON,
 * carried over continue-as-new. Nothing in it ever falls, and it does not matter how often it is read in between.
 */

/** Calendar month in UTC, `2026-11`. */
export type Month = string;

export interface CostMeter {
  readonly version: 1;
  /** When it was started: for a deployment of an older release later than this began. ISO 8601, as all times here. */
  readonly since: string;
  /** Up to when everything is counted. */
  readonly upTo: string;
  readonly usd: PartsUsd;
  /** An hour, of what exists since `upTo`. */
  readonly usdPerHour: PartsUsd;
  /** Which nodes are up is not known but assumed to be as it was seen last: unknown never means free. */
  readonly isAssumed: boolean;
  /**
   * Up to when the last look at the nodes holds: nobody has looked for too long afterwards, and they are assumed to be as they
   * were. Absent where nobody looks, and in meters of older code.
   */
  readonly seenUntil?: string;
  /** How long nodes were assumed. */
  readonly assumedSeconds: number;
}

const MS_PER_HOUR = 3_600_000;

/** A meter of something that does not cost anything yet. */
export function startMeter(now: string): CostMeter {
  return {
    version: 1,
    since: now,
    upTo: now,
    usd: NOTHING,
    usdPerHour: NOTHING,
    isAssumed: false,
    assumedSeconds: 0,
  };
}

/** The meter read at a moment (ISO 8601): everything up to then is counted. A moment that is over changes nothing. */
export function readMeter(meter: CostMeter, now: string): CostMeter {
  const ms = Date.parse(now) - Date.parse(meter.upTo);
  if (ms <= 0) return meter;
  const { usd, usdPerHour, assumedSeconds } = meter;
  return {
    ...meter,
    upTo: now,
    usd: mapParts((part) => usd[part] + (usdPerHour[part] * ms) / MS_PER_HOUR),
    assumedSeconds: assumedSeconds + assumedMs(meter, Date.parse(now)) / 1000,
  };
}

/** How much of the time since the meter was read was assumed. */
function assumedMs({ upTo, isAssumed, seenUntil }: CostMeter, nowMs: number): number {
  const readMs = Date.parse(upTo);
  if (isAssumed) return nowMs - readMs;
  return seenUntil === undefined ? 0 : Math.max(0, nowMs - Math.max(readMs, Date.parse(seenUntil)));
}

/** The meter from now on, when something else exists or was seen. Read it at that moment first. */
export function withRate(
  { seenUntil: _before, ...meter }: CostMeter,
  usdPerHour: PartsUsd,
  isAssumed: boolean,
  seenUntil?: string,
): CostMeter {
  return { ...meter, usdPerHour, isAssumed, ...(seenUntil !== undefined && { seenUntil }) };
}

/** What reading the meter at a moment adds to each calendar month. */
export function addedByMonth(meter: CostMeter, now: string): Readonly<Record<Month, number>> {
  const perHour = sumOfParts(meter.usdPerHour);
  const endMs = Date.parse(now);
  const added: Record<Month, number> = {};
  for (let ms = Date.parse(meter.upTo); ms < endMs;) {
    const untilMs = Math.min(endMs, nextMonthMs(ms));
    added[monthOf(ms)] = (perHour * (untilMs - ms)) / MS_PER_HOUR;
    ms = untilMs;
  }
  return added;
}

/** Of a moment in milliseconds since 1970. */
export function monthOf(ms: number): Month {
  return new Date(ms).toISOString().slice(0, 7);
}

/** When the next calendar month begins. Milliseconds since 1970, as the moment. */
export function nextMonthMs(ms: number): number {
  const date = new Date(ms);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

function mapParts(usdOf: (part: CostPart) => number): PartsUsd {
  return {
    headNode: usdOf('headNode'),
    nodes: usdOf('nodes'),
    rootVolumes: usdOf('rootVolumes'),
    lustre: usdOf('lustre'),
    endpoints: usdOf('endpoints'),
  };
}
