import { once } from 'node:events';
import { campaignIdFor } from '../api/campaign-id.ts';
import { clusterPath } from '../api/server.ts';
import type { Tenant } from '../domain/ids.ts';
import type { LocalPlatform } from './local-platform.ts';
import { runLocally } from './local-run.ts';

const TENANT: Tenant = { virtualLabId: 'lab1', projectId: 'demo' };
const IDEMPOTENCY_KEY = 'first';

/** Keeps the platform up until it is told to stop. Returns the exit code, as `runDemo` does; 0 after Ctrl-C. */
export async function runDev(): Promise<number> {
  return runLocally({
    title: 'ParallelCluster Provisioner: everything on this machine, until Ctrl-C',
    wheels: true,
    async use(platform, teller, signal) {
      teller.line(welcome(platform));
      if (!signal.aborted) await once(signal, 'abort');
      return true;
    },
  });
}

function welcome({ product: { apiUrl, token }, stack }: LocalPlatform): string {
  return `
  API          ${apiUrl}
  API docs     ${apiUrl}/docs
  Temporal UI  ${stack.env['TEMPORAL_UI_URL']}
  Token        ${token}

${tries(apiUrl, token).join('\n\n')}

Ctrl-C stops everything and leaves nothing behind.`;
}

/** Three requests that work as they stand, in this order. */
export function tries(apiUrl: string, token: string): readonly string[] {
  const cluster = `${apiUrl}${clusterPath(TENANT)}`;
  const authorization = `-H 'Authorization: Bearer ${token}'`;
  const json = `-H 'Content-Type: application/json'`;
  const campaign = `${cluster}/campaigns/${campaignIdFor(TENANT, IDEMPOTENCY_KEY)}`;
  return [
    `# Ask for a cluster that goes when it is idle for ten minutes
curl -sf --retry 5 -X PUT ${cluster} \\
  ${authorization} ${json} \\
  -d '{"tier": "debug", "idleTimeoutSeconds": 600}'`,
    `# Submit a campaign of one job, also while the cluster is still being made
curl -sf --retry 5 ${cluster}/campaigns \\
  ${authorization} ${json} -H 'Idempotency-Key: ${IDEMPOTENCY_KEY}' \\
  -d '{"jobs": [{"key": "hello", "command": ["hostname"]}]}'`,
    `# Read what the job printed, once it has ended
curl -s ${campaign}/jobs/hello/logs/stdout \\
  ${authorization}`,
  ];
}
