import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeRunDirectory } from './run-directory.ts';

let runs: string;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'runs-'));
});
afterEach(async () => {
  await rm(runs, { recursive: true });
});

const DEAD = '{"pid":1,"startTicks":"999999999999"}';
async function oldRun(day: number, owner = DEAD): Promise<string> {
  const name = `2026-01-0${day}T00-00-00.000Z`;
  await mkdir(join(runs, name));
  await writeFile(join(runs, name, 'owner.json'), owner);
  return name;
}

it('names the folder of a run after the time', async () => {
  const directory = await makeRunDirectory(runs, new Date('2026-05-04T12:30:00.123Z'));
  expect(basename(directory)).toBe('2026-05-04T12-30-00.123Z');
});

it('gives two runs that begin at the same moment folders of their own', async () => {
  const now = new Date('2026-05-04T12:30:00.123Z');
  const made = await Promise.all([makeRunDirectory(runs, now), makeRunDirectory(runs, now)]);
  expect(new Set(made).size).toBe(2);
});

it('keeps the last five runs and whatever else is there', async () => {
  const old = [];
  for (const day of [1, 2, 3, 4, 5, 6]) old.push(await oldRun(day));
  await mkdir(join(runs, 'notes'));
  const directory = await makeRunDirectory(runs);
  expect((await readdir(runs)).toSorted()).toEqual([...old.slice(2), basename(directory), 'notes']);
});

it('keeps an old run that still goes on', async () => {
  const mine = await makeRunDirectory(runs, new Date('2025-01-01T00:00:00.000Z'));
  for (const day of [1, 2, 3, 4, 5, 6]) await oldRun(day);
  await makeRunDirectory(runs);
  expect(await readdir(runs)).toContain(basename(mine));
});
