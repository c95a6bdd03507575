/** Slurm's own library on Debian, by which its programs and daemons speak to slurmctld. */
const LIBRARY = '/usr/lib/x86_64-linux-gnu/slurm-wlm/libslurmfull.so';

/**
 * A line of bash that calls a function of Slurm's library with numbers, for what daemons tell slurmctld and no program
 * does. Arguments may be variables of the shell. It fails if slurmctld refuses.
 */
export function callSlurm(name: string, ...args: readonly (string | number)[]): string {
  const program = [
    'import ctypes, sys',
    `slurm = ctypes.CDLL("${LIBRARY}", mode=ctypes.RTLD_GLOBAL)`,
    'slurm.slurm_init(None)',
    'code = getattr(slurm, sys.argv[1])(*map(int, sys.argv[2:]))',
    'sys.exit(f"{sys.argv[1]} answered {code}" if code else 0)',
  ].join('\n');
  return `python3 -c '${program}' ${[name, ...args].join(' ')}`;
}
