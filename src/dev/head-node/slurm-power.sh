#!/bin/bash
# Slurm's ResumeProgram (as slurm_resume), SuspendProgram and ResumeFailProgram (as slurm_suspend). Slurm calls them as
# its own user, with a list of nodes and with signals blocked, and kills what is left of their process group afterwards.
case ${0##*/} in
  slurm_resume) action=launch ;;
  slurm_suspend) action=terminate ;;
esac
exec env --default-signal setsid --wait \
  sudo --non-interactive /opt/parallelcluster/scripts/slurm/cloud-nodes.sh "$action" "$1" \
  </dev/null >>/var/log/parallelcluster/cloud-nodes.log 2>&1
