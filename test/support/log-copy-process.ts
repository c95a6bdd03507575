import { text } from 'node:stream/consumers';
import { createLogActivities } from '../../src/activities/logs.ts';
import { createAwsClients } from '../../src/clients/aws.ts';
import { SlurmSsh } from '../../src/clients/slurm-ssh.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { activityContext, runActivity } from './activity.ts';
import type { LogCopyOrder, LogCopyReport } from './log-copy.ts';

/** Run as a program by {@link LogCopyProcess}: copies logs once, and is killed while it does. */
const order: LogCopyOrder = JSON.parse(await text(process.stdin));
const { request, content, privateKey, logLimits } = order;
const aws = createAwsClients({ region: EMULATED_REGION });
const gateway = new SlurmSsh({ loadPrivateKey: async () => Promise.resolve(privateKey) });
const { copyJobLogs } = createLogActivities({
  logs: aws.logs,
  gateway,
  campaignStore: { get: async () => Promise.resolve(content) },
  logRetentionDays: 1,
  logFollowSeconds: 1,
  logLimits,
});
const baseBytes = process.memoryUsage.rss();
const { copiedBytes } = await runActivity(copyJobLogs, request, activityContext());
const peakBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ copiedBytes, baseBytes, peakBytes } satisfies LogCopyReport)}\n`);
gateway.close();
aws.destroy();
