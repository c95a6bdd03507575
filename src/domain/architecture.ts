/** What instructions a processor has; a cluster's nodes all have the same. */
export type Architecture = 'x86_64' | 'arm64';

/** Families with Graviton processors have a g after their generation (EC2's naming conventions); the first was a1. */
const ARM_FAMILY = /^(a1|[a-z]+\d+g[a-z]*)\./;

/** By the name alone: what is known of instance types is not in the bundle of workflows. */
export function architectureOf(instanceType: string): Architecture {
  return ARM_FAMILY.test(instanceType) ? 'arm64' : 'x86_64';
}
