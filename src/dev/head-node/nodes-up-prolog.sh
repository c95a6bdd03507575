#!/bin/sh
# Slurm's PrologSlurmctld: ends once the nodes of a job are up, whereupon Slurm starts the job. Without it Slurm looks at
# jobs that wait for their nodes every 30 s only.
PATH=/usr/bin:/bin
case $SLURM_JOB_NODELIST in
  *[[,]*) nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST") ;;
  *) nodes=$SLURM_JOB_NODELIST ;;
esac
tries=0
for node in $nodes; do
  until [ -e "/run/slurm/up/$node" ]; do
    sleep 0.1
    tries=$((tries + 1))
    # The job may have been requeued or cancelled since.
    if [ $((tries % 20)) = 0 ] && [ -z "$(squeue -h -j "$SLURM_JOB_ID" -t CF -o %i 2>/dev/null)" ]; then exit 0; fi
  done
done
exit 0
