import { canonicalJson } from '../domain/canonical-json.ts';
import type { Deployment } from '../domain/deployment.ts';
import type { ExportVerdict } from '../domain/export-proof.ts';
import { type KeptDeployment, parseKeptDeployment } from '../domain/kept-deployment.ts';
import type { OperatorDecision } from '../domain/lustre-export.ts';
import { type ControlBucket, readObject, writeObject } from './control-bucket.ts';

/** What is kept of a deployment for good, beside the logs: what it was, how its data was exported, and who gave any up. */
export interface DeploymentStore {
  /** Keeps what somebody must know who gives the deployment back when its workflow is lost. The last one counts. */
  putRecord(deployment: Deployment, record: KeptDeployment): Promise<void>;
  /** Undefined if none was kept, or none that this release can read. */
  getRecord(deployment: Deployment): Promise<KeptDeployment | undefined>;
  /** Keeps that an operator took over what is left of the deployment. */
  putAbandonment(deployment: Deployment, abandonment: OperatorDecision): Promise<void>;
  isAbandoned(deployment: Deployment): Promise<boolean>;
  /** Keeps what an export found; the last that proves something is `export-proof.json`. */
  putExport(deployment: Deployment, found: ExportVerdict & { readonly requestId: string }): Promise<void>;
  /** Keeps who let unexported data go, and why: before it goes. */
  putDiscard(deployment: Deployment, discard: OperatorDecision): Promise<void>;
  /** Keeps a file about a deployment that failed. Answers the address of the folder of all of them. */
  putSupportFile(deployment: Deployment, name: string, text: string): Promise<`s3://${string}`>;
}

/** Key prefix of what is kept of a deployment. */
export function deploymentFolder({
  virtualLabId,
  projectId,
  epoch,
}: Omit<Deployment, 'clusterName'>): string {
  return `deployments/${virtualLabId}/${projectId}/${epoch}/`;
}

function recordKey(deployment: Deployment): string {
  return `${deploymentFolder(deployment)}deployment.json`;
}

function abandonmentKey(deployment: Deployment): string {
  return `${deploymentFolder(deployment)}abandoned.json`;
}

/** The store in the control bucket. */
export function createS3DeploymentStore(control: ControlBucket): DeploymentStore {
  return {
    async putRecord(deployment, record) {
      const { clusterName, epoch } = deployment;
      const text = canonicalJson({ version: 1, clusterName, epoch, ...record });
      await writeObject(control, recordKey(deployment), text);
    },

    async getRecord(deployment) {
      const text = await readObject(control, recordKey(deployment));
      return text === undefined ? undefined : parseKeptDeployment(text);
    },

    async putAbandonment(deployment, abandonment) {
      const { clusterName, epoch } = deployment;
      const text = canonicalJson({ version: 1, clusterName, epoch, ...abandonment });
      await writeObject(control, abandonmentKey(deployment), text);
    },

    async isAbandoned(deployment) {
      return (await readObject(control, abandonmentKey(deployment))) !== undefined;
    },

    async putExport(deployment, { requestId, ...verdict }) {
      const folder = deploymentFolder(deployment);
      await writeObject(control, `${folder}exports/${requestId}.json`, JSON.stringify(verdict));
      if (verdict.status === 'proven')
        await writeObject(control, `${folder}export-proof.json`, JSON.stringify(verdict.proof));
    },

    async putDiscard(deployment, discard) {
      const { clusterName, epoch } = deployment;
      const record = { version: 1, clusterName, epoch, ...discard };
      await writeObject(
        control,
        `${deploymentFolder(deployment)}discards/${discard.at}.json`,
        JSON.stringify(record),
      );
    },

    async putSupportFile(deployment, name, text) {
      const folder = `${deploymentFolder(deployment)}support/`;
      const contentType = name.endsWith('.json') ? 'application/json' : 'text/plain; charset=utf-8';
      await writeObject(control, folder + name, text, contentType);
      return `s3://${control.bucket}/${folder}`;
    },
  };
}
