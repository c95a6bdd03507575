import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { smallCluster, startHeadNodeRig } from './head-nodes.ts';

// Owns a database, a head node, and one that never becomes ready, until it is killed. Argument: the folder to work in.
const rig = await startHeadNodeRig({ baseDirectory: process.argv[2] ?? '' });
const node = await rig.headNodes.start(smallCluster('orphan'));
const endless = { name: 'endless.sh', content: Buffer.from('#!/bin/bash\nsleep 600\n'), args: [] };
void rig.headNodes.start(smallCluster('endless', { onNodeConfigured: [endless] }));
const log = join(rig.stateDirectory, 'endless', 'log', 'parallelcluster', 'on-node-configured-0.log');
while (!existsSync(log)) await sleep(50);
const owned = { pids: [node.pid, rig.database.pid], addresses: [node.address, rig.database.address] };
process.stdout.write(`${JSON.stringify(owned)}\n`);
