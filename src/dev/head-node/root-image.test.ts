import { describe, expect, it } from 'vitest';
import { debootstrapProgress } from './root-image.ts';

function progressOf(lines: readonly string[]): string[] {
  const messages: string[] = [];
  const onLine = debootstrapProgress((message) => messages.push(message));
  for (const line of lines) onLine(line);
  return messages;
}

const packages = (step: string, count: number, suffix = '') =>
  Array.from({ length: count }, (_, index) => `I: ${step} package${index}${suffix}`);

describe('debootstrapProgress', () => {
  it('counts what is downloaded, without a total that is not known yet', () => {
    expect(progressOf(packages('Retrieving', 25, ' 1.2+b1-3'))).toEqual([
      'downloading 10 packages',
      'downloading 20 packages',
    ]);
  });

  it('tells the share of the validated packages that is unpacked and configured', () => {
    const lines = [
      ...packages('Validating', 30, ' 1:2.3~rc1-4'),
      ...packages('Unpacking', 10, ':amd64...'),
      ...packages('Configuring', 20, '...'),
    ];
    expect(progressOf(lines)).toEqual([
      'unpacking 10/30 packages',
      'configuring 10/30 packages',
      'configuring 20/30 packages',
    ]);
  });

  it('does not take headings or warnings for packages', () => {
    const headings = Array.from({ length: 20 }, () => 'I: Unpacking the base system...');
    expect(progressOf([...headings, 'W: Failure while installing base packages.'])).toEqual([]);
  });
});
