import { describe, expect, it } from 'vitest';
import { implausibility, type Measurement, parseMeasurement } from './measurements.ts';

const at = (current: number, rate: number): Measurement => ({
  current_nA: current,
  spikes: Math.round(rate),
  firing_rate_Hz: rate,
});

describe('a sweep of currents', () => {
  it('is read from what the jobs print', () => {
    expect(parseMeasurement('{"current_nA": 0.1, "spikes": 75, "firing_rate_Hz": 62.3}\n')).toEqual({
      current_nA: 0.1,
      spikes: 75,
      firing_rate_Hz: 62.3,
    });
  });

  it.each(['', 'Traceback', '{"current_nA": 0.1}'])('is not read from %j', (output) => {
    expect(() => parseMeasurement(output)).toThrow(JSON.stringify(output));
  });

  it('is plausible when silence gives way to rates that never fall', () => {
    expect(implausibility([at(0.4, 100), at(0.02, 0), at(0.1, 62), at(0.11, 62)])).toBeUndefined();
  });

  it.each([
    [[at(0.02, 5), at(0.1, 62)], /below its threshold/],
    [[at(0.02, 0), at(0.1, 0)], /silent/],
    [[at(0.02, 0), at(0.1, 62), at(0.2, 40)], /falls/],
    [[], /threshold/],
  ])('is not plausible otherwise: %j', (measurements, words) => {
    expect(implausibility(measurements)).toMatch(words);
  });
});
