import { z } from 'zod';

/** The line that examples/neuron/soma_sweep.py prints. */
const measurementSchema = z.object({
  current_nA: z.number(),
  spikes: z.int().min(0),
  firing_rate_Hz: z.number().min(0),
});

export type Measurement = z.output<typeof measurementSchema>;

/**
 * Reads what one job of the sweep wrote.
 *
 * @throws Error quoting the output when it is not one measurement.
 */
export function parseMeasurement(output: string): Measurement {
  try {
    return measurementSchema.parse(JSON.parse(output));
  } catch (error) {
    throw new Error(`a job of the sweep wrote ${JSON.stringify(output.slice(0, 200))}`, { cause: error });
  }
}

/**
 * What is physically wrong with the measurements, in words: there must be silence at the weakest current, steady firing
 * at the strongest, and never a lower rate with more current. Undefined when nothing is.
 */
export function implausibility(measurements: readonly Measurement[]): string | undefined {
  const rates = measurements
    .toSorted((one, other) => one.current_nA - other.current_nA)
    .map(({ firing_rate_Hz: rate }) => rate);
  if (rates[0] !== 0) return 'the soma fires although the weakest current is below its threshold';
  if (rates.at(-1) === 0) return 'the soma is silent even with the strongest current';
  const falls = rates.some((rate, index) => rate < (rates[index - 1] ?? 0));
  return falls ? 'the rate falls although the current rises' : undefined;
}
