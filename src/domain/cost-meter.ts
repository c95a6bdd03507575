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
  /** How long it was so. */
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
  const { usd, usdPerHour, isAssumed, assumedSeconds } = meter;
  return {
    ...meter,
    upTo: now,
    usd: mapParts((part) => usd[part] + (usdPerHour[part] * ms) / MS_PER_HOUR),
    assumedSeconds: assumedSeconds + (isAssumed ? ms / 1000 : 0),
  };
}

/** The meter from now on, when something else exists. Read it at that moment first. */
export function withRate(meter: CostMeter, usdPerHour: PartsUsd, isAssumed: boolean): CostMeter {
  return { ...meter, usdPerHour, isAssumed };
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
