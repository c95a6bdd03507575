import { type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/port.ts';
import { activityOptions } from './activity-options.ts';

type Proxies = ActivityInterfaceFor<Activities>;

function bounded<Name extends keyof Activities>(name: Name): Proxies[Name] {
  return proxyActivities<Activities>(activityOptions(name))[name];
}

/** The activities as workflows call them: each with its own bounds from the table of policies. */
export const activities: Proxies = {
  describePoolSubnets: bounded('describePoolSubnets'),
  preflight: bounded('preflight'),
  resolveFallback: bounded('resolveFallback'),
  priceSpec: bounded('priceSpec'),
  saveSupportBundle: bounded('saveSupportBundle'),
  acquireSubnet: bounded('acquireSubnet'),
  releaseSubnet: bounded('releaseSubnet'),
  ensureKeyPair: bounded('ensureKeyPair'),
  deleteKeyPair: bounded('deleteKeyPair'),
  ensureSigningKey: bounded('ensureSigningKey'),
  rotateSigningKey: bounded('rotateSigningKey'),
  deleteSigningKey: bounded('deleteSigningKey'),
  readKeycloakKeys: bounded('readKeycloakKeys'),
  replaceTrustedKeys: bounded('replaceTrustedKeys'),
  ensureLogGroup: bounded('ensureLogGroup'),
  copyJobLogs: bounded('copyJobLogs'),
  followJobLogs: bounded('followJobLogs'),
  createStack: bounded('createStack'),
  updateStack: bounded('updateStack'),
  deleteStack: bounded('deleteStack'),
  ensureHome: bounded('ensureHome'),
  deleteHome: bounded('deleteHome'),
  ensureLustre: bounded('ensureLustre'),
  setAutomaticExport: bounded('setAutomaticExport'),
  exportLustre: bounded('exportLustre'),
  deleteLustre: bounded('deleteLustre'),
  settleS3Writes: bounded('settleS3Writes'),
  checkQueues: bounded('checkQueues'),
  checkReadiness: bounded('checkReadiness'),
  submitJobs: bounded('submitJobs'),
  observeSlurm: bounded('observeSlurm'),
  cancelJobs: bounded('cancelJobs'),
  cancelCampaignJobs: bounded('cancelCampaignJobs'),
  controlJobs: bounded('controlJobs'),
  disconnect: bounded('disconnect'),
  recordUsage: bounded('recordUsage'),
  readCostAccount: bounded('readCostAccount'),
  keepCosts: bounded('keepCosts'),
  notifyBudget: bounded('notifyBudget'),
  listSlurmJobs: bounded('listSlurmJobs'),
  loadCampaign: bounded('loadCampaign'),
  readCampaignEnd: bounded('readCampaignEnd'),
  writeManifestPart: bounded('writeManifestPart'),
  surveyOrphans: bounded('surveyOrphans'),
  keepDeployment: bounded('keepDeployment'),
  readDeployment: bounded('readDeployment'),
  keepAbandonment: bounded('keepAbandonment'),
  removeRemnants: bounded('removeRemnants'),
  refreshPrices: bounded('refreshPrices'),
  writeManifest: bounded('writeManifest'),
};
