import type { Candidate } from './planner-candidates.ts';

/** Of plans that are about as fast the cheapest is taken: nobody wants to pay twice for a minute. */
const ABOUT_AS_FAST = 1.05;

/** The one that costs least; of several the fastest, then the one with the fewest nodes and the faster network. */
export function cheapest(candidates: readonly Candidate[]): Candidate | undefined {
  return least(candidates, (a, b) => a.cost.total - b.cost.total || a.seconds - b.seconds);
}

/** The cheapest of those that are about as fast as the fastest. With more to choose from it never becomes slower. */
export function fastest(candidates: readonly Candidate[]): Candidate | undefined {
  const seconds = Math.min(...candidates.map((each) => each.seconds));
  return cheapest(candidates.filter((each) => each.seconds <= seconds * ABOUT_AS_FAST));
}

/** Every difference is decided, so that the order of the types does not matter. */
function least(
  candidates: readonly Candidate[],
  compare: (a: Candidate, b: Candidate) => number,
): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>((best, each) => {
    if (!best) return each;
    const difference =
      compare(each, best) ||
      each.shape.nodes - best.shape.nodes ||
      // Of the same price and size, the newer ones have the faster network.
      best.type.networkGigabits - each.type.networkGigabits ||
      each.instanceType.localeCompare(best.instanceType, 'en');
    return difference < 0 ? each : best;
  }, undefined);
}
