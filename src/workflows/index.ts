export { campaign } from './campaign.workflow.ts';
export { cluster } from './cluster.workflow.ts';
export { preflight } from './preflight.workflow.ts';
export { reconcile } from './reconcile.workflow.ts';
export { refreshPrices } from './refresh-prices.workflow.ts';
export { subnetPool } from './subnet-pool.workflow.ts';
