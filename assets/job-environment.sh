#!/bin/bash
# What every job of a cluster finds on its nodes: a folder of its own for temporary files, the `module` command, and the
# modules of the cluster's shared configuration.
#
# usage: job-environment.sh install    as root on the head node, once Slurm is configured (ParallelCluster: OnNodeConfigured)
#
# Installs itself as prolog, epilog and task prolog, below the folder that all nodes share and only root writes to; Slurm
# says in SLURM_SCRIPT_CONTEXT which of them it runs. The first two run as root: they use nothing of a job but the numbers
# that slurmd gives them. They always succeed: a node whose prolog or epilog fails is drained, and no folder is worth
# that. They call no program of Slurm's, which its manual forbids them.
set -uo pipefail
# slurmd's own is that of whatever started it.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# ParallelCluster exports /opt/slurm from the head node to all compute nodes, and runs what lies in these two folders.
readonly SLURM_ETC=/opt/slurm/etc
readonly PROLOGS=$SLURM_ETC/scripts/prolog.d EPILOGS=$SLURM_ETC/scripts/epilog.d LINK=50_parallelcluster_provisioner
readonly DIRECTORY=$SLURM_ETC/parallelcluster-provisioner
readonly PROGRAM=$DIRECTORY/job-environment BASH_STARTUP=$DIRECTORY/bash-startup
# On the shared home, which on EFS outlives the cluster. Nothing there is ever run by root.
readonly SHARED_MODULES=/home/shared/modulefiles

# The node's own disk: not /tmp, which is memory on Amazon Linux 2023.
readonly DISK=/var/lib/parallelcluster-provisioner
# Where ParallelCluster mounts the local drives of instances that have some (setup-ephemeral-drives.sh).
readonly DRIVES=/scratch DRIVES_DEVICE=/dev/mapper/vg.01-lv_ephemeral
readonly ON_DRIVES=$DRIVES/parallelcluster-provisioner
# A job may leave millions of files. What is not removed in this time is, after later jobs.
readonly REMOVAL_SECONDS=60

fail() {
  echo "job-environment: $1" >&2
  exit 1
}

install_all() {
  set -e
  [[ -d $PROLOGS && -d $EPILOGS ]] || fail "there is no $PROLOGS or no $EPILOGS: is this a head node of ParallelCluster?"
  mkdir -p "$DIRECTORY" "$SHARED_MODULES"
  chmod 755 "$DIRECTORY"
  # By renaming: nodes may read them at any moment.
  install -m 755 "${BASH_SOURCE[0]}" "$PROGRAM.new"
  mv -f "$PROGRAM.new" "$PROGRAM"
  write_bash_startup >"$BASH_STARTUP.new"
  chmod 644 "$BASH_STARTUP.new"
  mv -f "$BASH_STARTUP.new" "$BASH_STARTUP"
  ln -sfn "$PROGRAM" "$PROLOGS/$LINK"
  ln -sfn "$PROGRAM" "$EPILOGS/$LINK"
}

# Read by every bash of a job (BASH_ENV), by login shells after the profile. The system's own modules come first.
write_bash_startup() {
  cat <<EOT
if ! type module >/dev/null 2>&1; then
  for _init in /usr/share/Modules/init/bash /usr/share/modules/init/bash; do
    if [ -r "\$_init" ]; then . "\$_init"; break; fi
  done
  unset _init
fi
case ":\${MODULEPATH-}:" in
  *:$SHARED_MODULES:*) ;;
  *) export MODULEPATH="\${MODULEPATH:+\$MODULEPATH:}$SHARED_MODULES" ;;
esac
EOT
}

# Whether only root can make entries in the folder $1, which lies where others may have made it.
is_roots() { [[ -d $1 && ! -L $1 && -O $1 ]]; }

# The folder of all jobs' folders on this node; on the drives only if nobody was there first.
folder_of_jobs() {
  # Of several file systems mounted there, the last one is seen.
  if [[ $(findmnt --noheadings --output SOURCE --mountpoint "$DRIVES" 2>/dev/null | tail -n 1) == "$DRIVES_DEVICE" ]]; then
    mkdir -m 711 "$ON_DRIVES" 2>/dev/null
    if is_roots "$ON_DRIVES"; then
      echo "$ON_DRIVES"
      return
    fi
  fi
  mkdir -p "$DISK" && chmod 711 "$DISK" && echo "$DISK"
}

prolog() {
  local parent folder group
  parent=$(folder_of_jobs) || return
  folder=$parent/job-$SLURM_JOB_ID
  # Of a former run of this job, whose epilog did not run.
  if [[ -e $folder ]]; then mv -T -- "$folder" "$parent/ended-$SLURM_JOB_ID.$$"; fi
  group=$(id -g "$SLURM_JOB_UID") || return
  mkdir -m 700 "$folder" && chown "$SLURM_JOB_UID:$group" "$folder"
}

epilog() {
  local parent folder
  end_leftovers
  for parent in "$ON_DRIVES" "$DISK"; do
    folder=$parent/job-$SLURM_JOB_ID
    is_roots "$parent" || continue
    if [[ -e $folder ]]; then mv -T -- "$folder" "$parent/ended-$SLURM_JOB_ID.$$"; fi
    # rm follows no link, also not one that takes a folder's place meanwhile.
    timeout "$REMOVAL_SECONDS" rm -rf --one-file-system -- "$parent"/ended-*
  done
}

# Ends what the job left running. Slurm ends what it knows as the job's; this is what a process that has left the job's
# tree or cgroup still has: the job's number in its environment. Another job's processes have another.
end_leftovers() {
  local look pid found
  # Root's job: this very script has its number.
  if ((SLURM_JOB_UID == 0)); then return; fi
  for look in 1 2 3; do
    found=''
    for pid in $(pgrep -U "$SLURM_JOB_UID"); do
      if is_of_job "$pid"; then
        found=$look
        kill -KILL "$pid" 2>/dev/null
      fi
    done
    # Again, because one of them may just have started another.
    [[ -n $found ]] || return
  done
}

is_of_job() {
  grep -qzxF "SLURM_JOB_ID=$SLURM_JOB_ID" "/proc/$1/environ" 2>/dev/null &&
    grep -qzxF "SLURMD_NODENAME=$SLURMD_NODENAME" "/proc/$1/environ" 2>/dev/null
}

# With the job user's rights. Without a folder of its own, a job keeps what it has.
task_prolog() {
  local parent folder
  for parent in "$ON_DRIVES" "$DISK"; do
    folder=$parent/job-${SLURM_JOB_ID-}
    if [[ -d $folder && -O $folder ]]; then
      echo "export TMPDIR=$folder"
      break
    fi
  done
  echo "export BASH_ENV=$BASH_STARTUP"
}

if [[ $# -gt 0 ]]; then
  [[ $# -eq 1 && $1 == install ]] || fail "expected install, got $*"
  install_all
  exit
fi
case ${SLURM_SCRIPT_CONTEXT-} in
  prolog_slurmd) [[ ${SLURM_JOB_ID-} =~ ^[0-9]+$ && ${SLURM_JOB_UID-} =~ ^[0-9]+$ ]] && prolog ;;
  epilog_slurmd)
    [[ ${SLURM_JOB_ID-} =~ ^[0-9]+$ && ${SLURM_JOB_UID-} =~ ^[0-9]+$ && -n ${SLURMD_NODENAME-} ]] && epilog
    ;;
  prolog_task) task_prolog ;;
  *) fail 'neither started by Slurm nor told to install' ;;
esac
exit 0
