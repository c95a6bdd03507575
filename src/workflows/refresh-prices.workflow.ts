import { setCurrentDetails } from '@temporalio/workflow';
import { type PriceRefresh, renderPriceRefresh } from '../domain/price-refresh.ts';
import { activities } from './activities.ts';

/**
 * Reads the prices of the installation's Region anew. Ends well where AWS's price list cannot be reached or read: its result and
 * details say which prices stay in force, and what to do.
 */
export async function refreshPrices(): Promise<PriceRefresh> {
  const refresh = await activities.refreshPrices();
  setCurrentDetails(renderPriceRefresh(refresh));
  return refresh;
}
