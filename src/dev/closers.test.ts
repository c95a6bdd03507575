import { describe, expect, it } from 'vitest';
import { Closers } from './closers.ts';

describe('stopping what was started', () => {
  it('goes in reverse, past what fails, and reports that', async () => {
    const closers = new Closers();
    const order: string[] = [];
    closers.add(async () => void order.push('first'));
    closers.add(async () => {
      throw new Error('stubborn');
    });
    closers.add(async () => void order.push('last'));
    await expect(closers.close()).rejects.toThrow(AggregateError);
    expect(order).toEqual(['last', 'first']);
  });

  it('does nothing the second time', async () => {
    const closers = new Closers();
    const order: string[] = [];
    closers.add(async () => void order.push('closed'));
    await closers.close();
    await closers.close();
    expect(order).toEqual(['closed']);
  });
});
