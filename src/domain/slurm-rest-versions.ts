import { z } from 'zod';

/** Versions of slurmrestd's API that this product speaks, the newest first. Slurm 22.05 has 36–38, 24.11 has 40–42. */
export const slurmRestVersions = ['v0.0.42', 'v0.0.41', 'v0.0.40', 'v0.0.39', 'v0.0.38'] as const;
export type SlurmRestVersion = (typeof slurmRestVersions)[number];

const descriptionSchema = z.object({ paths: z.record(z.string(), z.unknown()) });

/**
 * The newest version that both sides speak, from slurmrestd's own description (`/openapi`): for the queue and for
 * accounting. Undefined if there is none.
 */
export function negotiateRestVersion(description: unknown): SlurmRestVersion | undefined {
  const { data } = descriptionSchema.safeParse(description);
  // Up to v0.0.39 paths have no slash at their end, later ones do.
  const paths = new Set(Object.keys(data?.paths ?? {}).map((path) => path.replace(/\/$/, '')));
  return slurmRestVersions.find(
    (version) => paths.has(`/slurm/${version}/jobs`) && paths.has(`/slurmdb/${version}/jobs`),
  );
}

/** Whether numbers, flags and environments have the form of v0.0.38. */
export function isOldGeneration(version: SlurmRestVersion): boolean {
  return version === 'v0.0.38';
}
