import { type CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { FsxFaults } from './faults.ts';
import type { LustreFileSystem } from './file-system.ts';

/** Writes what has changed to S3, and to CloudWatch how old the oldest change is that is left. */
export async function exportChanges(
  fileSystem: LustreFileSystem,
  faults: FsxFaults,
  cloudWatch: CloudWatchClient,
): Promise<void> {
  const automatic = [...fileSystem.associations.values()].filter(
    ({ lifecycle, exportEvents }) => lifecycle === 'AVAILABLE' && exportEvents.length > 0,
  );
  if (automatic.length === 0) return;
  let oldest = Number.POSITIVE_INFINITY;
  for (const association of automatic) {
    const pending = await fileSystem.pending(association);
    if (!faults.automaticExportStandsStill) {
      for (const entry of pending) await fileSystem.export(association, entry);
      await fileSystem.removeDeleted(association);
    }
    const left = faults.automaticExportStandsStill ? pending : await fileSystem.pending(association);
    oldest = Math.min(oldest, ...left.map(({ changedAt }) => changedAt));
  }
  const Value = Number.isFinite(oldest) ? Math.max(1, Math.round((Date.now() - oldest) / 1000)) : 0;
  await cloudWatch.send(
    new PutMetricDataCommand({
      Namespace: 'AWS/FSx',
      MetricData: [
        {
          MetricName: 'AgeOfOldestQueuedMessage',
          Dimensions: [
            { Name: 'FileSystemId', Value: fileSystem.id },
            { Name: 'Publisher', Value: 'AutoExport' },
          ],
          Timestamp: new Date(),
          Unit: 'Seconds',
          Value,
        },
      ],
    }),
  );
}
