import type { SlurmCluster } from '../test/support/slurm-cluster.ts';

/** What somebody's questions cost the Slurm of a head node in some time. */
export interface SlurmLoad {
  readonly seconds: number;
  /** RPCs of the job user that slurmctld served, by type (`sdiag`). */
  readonly rpcs: ReadonlyMap<string, number>;
  /** Questions about jobs that slurmdbd answered (`sacctmgr show stats`, DBD_GET_JOBS_COND). */
  readonly accountingRpcs: number;
  /** How often the job user's processes ran each program. */
  readonly squeueCalls: number;
  readonly sacctCalls: number;
  readonly slurmctldCpuSeconds: number;
  readonly slurmdbdCpuSeconds: number;
  readonly serverThreads: number;
  readonly agentQueue: number;
  readonly meanCycleMicroseconds: number;
}

/** Of clock ticks, in which /proc counts (proc(5)); 100 a second on every Linux that Debian builds. */
const TICKS_PER_SECOND = 100;
const CALLS = '/tmp/bench-calls';

/** What all RPCs are: those of nodes and of the administrator, who reads the statistics, are nobody's questions. */
const QUESTIONS = /^REQUEST_(?:JOB_|PARTITION_INFO|NODE_INFO|STEP_INFO|STATS_INFO|PING|BUILD_INFO)/;

/** Counts calls of squeue and sacct from now on, by programs that stand before them in everybody's path. */
export async function countPrograms(cluster: SlurmCluster): Promise<void> {
  await run(
    cluster,
    `touch ${CALLS}; chmod 666 ${CALLS}
    for program in squeue sacct; do
      printf '#!/bin/sh\\necho %s >>${CALLS}\\nexec /usr/bin/%s "$@"\\n' "$program" "$program" >"/usr/local/bin/$program"
      chmod 755 "/usr/local/bin/$program"
    done`,
  );
}

/** What the task, which asks Slurm as the job user, costs it. */
export async function loadOf<T>(
  cluster: SlurmCluster,
  task: () => Promise<T>,
): Promise<{ readonly answer: T; readonly load: SlurmLoad }> {
  await run(cluster, `sdiag --reset; sacctmgr --immediate clear stats; : >${CALLS}`);
  const cpuBefore = await cpuOf(cluster);
  const begin = performance.now();
  const answer = await task();
  const seconds = (performance.now() - begin) / 1000;
  const cpu = await cpuOf(cluster);
  const sdiag = await run(cluster, 'sdiag');
  const accounting = await run(cluster, 'sacctmgr show stats');
  const calls = (await run(cluster, `cat ${CALLS}`)).split('\n');
  const number = (pattern: RegExp) => Number(pattern.exec(sdiag)?.[1] ?? 0);
  const rpcs = new Map(
    [...countsByType(sdiag)].filter(([type]) => QUESTIONS.test(type) && type !== 'REQUEST_STATS_INFO'),
  );
  return {
    answer,
    load: {
      seconds,
      rpcs,
      accountingRpcs: countsByType(accounting).get('DBD_GET_JOBS_COND') ?? 0,
      squeueCalls: calls.filter((name) => name === 'squeue').length,
      sacctCalls: calls.filter((name) => name === 'sacct').length,
      slurmctldCpuSeconds: cpu.slurmctld - cpuBefore.slurmctld,
      slurmdbdCpuSeconds: cpu.slurmdbd - cpuBefore.slurmdbd,
      serverThreads: number(/^Server thread count:\s+(\d+)/m),
      agentQueue: number(/^Agent queue size:\s+(\d+)/m),
      meanCycleMicroseconds: number(/^Main schedule statistics[\s\S]*?Mean cycle:\s+(\d+)/m),
    },
  };
}

/** All that Slurm was asked, of either daemon. */
export function rpcCount({ rpcs, accountingRpcs }: SlurmLoad): number {
  return [...rpcs.values()].reduce((sum, count) => sum + count, accountingRpcs);
}

function countsByType(statistics: string): ReadonlyMap<string, number> {
  const [, byType = ''] = /by message type\n([\s\S]*?)\n\n/.exec(statistics) ?? [];
  const lines = byType.matchAll(/^\s*(\w+)\s+\(\s*\d+\)\s+count:(\d+)/gm);
  return new Map([...lines].map(([, type = '', count]) => [type, Number(count)]));
}

async function cpuOf(cluster: SlurmCluster): Promise<{ slurmctld: number; slurmdbd: number }> {
  const ticks = async (name: string) => {
    // The name after a reconfiguration is that of the file: slurmctld-wlm.
    const stat = await run(cluster, `cat /proc/"$(pgrep --oldest ^${name})"/stat`);
    // utime and stime are the 14th and 15th field (proc(5)); the second one, the name, ends with the last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  };
  return { slurmctld: await ticks('slurmctld'), slurmdbd: await ticks('slurmdbd') };
}

async function run(cluster: SlurmCluster, script: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.asRoot(script);
  if (code !== 0) throw new Error(`${script} answered ${code}: ${stderr}`);
  return stdout;
}
