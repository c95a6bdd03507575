import { describe, expect, it } from 'vitest';
import { countHosts } from './node-groups.ts';

describe('a list of hosts of Slurm', () => {
  it.each([
    ['mpi-dy-c7a-1', { 'mpi-dy-c7a': 1 }],
    ['mpi-dy-c7a-[1-3,7]', { 'mpi-dy-c7a': 4 }],
    ['mpi-dy-c7a-[9-10],mpi-st-c6a-2,x-dy-y2-[1,3]', { 'mpi-dy-c7a': 2, 'mpi-st-c6a': 1, 'x-dy-y2': 2 }],
    ['mpi-dy-c7a-1,mpi-dy-c7a-3', { 'mpi-dy-c7a': 2 }],
  ])('%s is told by groups', (list, counts) => {
    expect(countHosts(list)).toEqual(counts);
  });

  it.each(['', 'None assigned', '(null)', 'a-[1-', 'a-[x]', 'a-1,,b-1'])('is not “%s”', (list) => {
    expect(countHosts(list)).toBeUndefined();
  });
});
