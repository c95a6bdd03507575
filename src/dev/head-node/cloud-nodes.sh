#!/bin/bash
# cloud-nodes.sh launch|terminate|restart|reset NODES: what EC2 and ParallelCluster's daemons do for compute nodes, with a
# process in place of an instance. Run as root. Slurm calls it through slurm_resume and slurm_suspend.
#
# NODES: a list as Slurm writes it, e.g. debug-dy-t3-[1-2].
# launch: boots each node, or marks it as ParallelCluster does when EC2 has no instance for it.
# terminate: ends what runs of each node. One that Slurm has given up gets its second chance later.
# restart: boots each node at once, and waits until Slurm has it.
# reset: powers nodes that are down down, as clustermgtd does, so that Slurm may ask for them again.
#
# $EC2/settings: BOOT_SECONDS, MAX_INSTANCES, CAPACITY_TIMEOUT_SECONDS, HEALTH_CHECK_SECONDS.
# $EC2/faults: lines `PATTERN FAULT`, read at every launch, the first that matches the node's name. FAULT is `never-boots`
#   or an error code of EC2, e.g. InsufficientInstanceCapacity.
# $EC2/instances: a file for each node that is launched, with the number of its slurmd.
# $UP: a file for each node that Slurm has.
set -euo pipefail
exec </dev/null
# One at a time: they count what runs. What goes on afterwards does not hold the lock.
if [[ -z ${LOCKED-} ]]; then LOCKED=yes exec flock --close /run/slurm/cloud-nodes.lock "$0" "$@"; fi
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

readonly EC2=/var/lib/stand-in-ec2 UP=/run/slurm/up
# shellcheck source=/dev/null
source "$EC2/settings"

say() { printf '%(%FT%T%z)T %s\n' -1 "$*"; }

fault_of() {
  local pattern fault
  [[ -r $EC2/faults ]] || return 0
  while read -r pattern fault; do
    # The pattern is one, and so is not quoted.
    # shellcheck disable=SC2053
    if [[ $1 == $pattern ]]; then
      printf %s "$fault"
      return
    fi
  done <"$EC2/faults"
}

# Nodes that Slurm uses have letters only: other signs stand for powering up or down, or for no answer.
state_of() { sinfo --noheader --Node --nodes="$1" --format=%T | head -n 1; }
is_up() { [[ $(state_of "$1") =~ ^(idle|mixed|allocated|completing)$ ]]; }
is_down() { [[ $(state_of "$1") == down* ]]; }

reset() {
  local node
  for node; do
    is_down "$node" || continue
    say "$node is reset"
    # Seen with 24.11: one that is powered down already stays down for ever when it is powered down once more.
    case $(sinfo --noheader --Node --nodes="$node" --Format=StateComplete:100 | head -n 1) in
      *powered_down*) scontrol update nodename="$node" state=resume ;;
      *) scontrol update nodename="$node" state=power_down_force reason='Scheduler health check failed' ;;
    esac
  done
}

reset_later() { (sleep "$2" && reset "$1") & }

refuse_instance() {
  local node=$1 code=$2 seconds=$HEALTH_CHECK_SECONDS
  say "$node: EC2 answered $code"
  if [[ $code == Insufficient*Capacity ]]; then seconds=$CAPACITY_TIMEOUT_SECONDS; fi
  scontrol update nodename="$node" state=down reason="(Code:$code)Failure when resuming nodes"
  reset_later "$node" "$seconds"
}

# What runs is a child of process 1 once this script has ended.
boot() {
  local node=$1 seconds=$2
  sleep "$seconds"
  # It may have been terminated since.
  [[ -e $EC2/instances/$node ]] || return 0
  mkdir -p "/var/spool/slurmd/$node"
  unshare --uts --mount --propagation slave /etc/slurm/compute-node.sh "$node" &>>"/var/log/slurm/slurmd.$node.out" &
  echo $! >"$EC2/instances/$node"
  until is_up "$node"; do
    kill -0 $! 2>/dev/null || {
      say "slurmd of $node ended: see /var/log/slurm/slurmd.$node.out"
      return 1
    }
    sleep 0.1
  done
  : >"$UP/$node"
}

launch() {
  local node fault running
  running=$(find "$EC2/instances" -type f | wc -l)
  for node; do
    fault=$(fault_of "$node")
    if [[ -e $EC2/instances/$node ]]; then
      say "$node is launched already"
    elif [[ -n $fault && $fault != never-boots ]]; then
      refuse_instance "$node" "$fault"
    elif ((running >= MAX_INSTANCES)); then
      refuse_instance "$node" InsufficientInstanceCapacity
    else
      say "$node is launched"
      : >"$EC2/instances/$node"
      running=$((running + 1))
      if [[ $fault != never-boots ]]; then boot "$node" "$BOOT_SECONDS" & fi
    fi
  done
}

terminate() {
  local node pid
  for node; do
    say "$node is terminated"
    rm -f "$UP/$node"
    if [[ -s $EC2/instances/$node ]]; then
      pid=$(<"$EC2/instances/$node")
      # Numbers of processes begin anew when the head node was started again.
      if [[ $(ps -p "$pid" -o comm=) == slurmd* ]]; then kill -TERM "$pid"; fi
    fi
    rm -f "$EC2/instances/$node"
    # Slurm may be about to show it as down. One that is idle is shown as powering down already.
    if [[ $(state_of "$node") != *% ]]; then reset_later "$node" "$HEALTH_CHECK_SECONDS"; fi
  done
}

restart() {
  local node boots=() each
  for node; do
    : >"$EC2/instances/$node"
    boot "$node" 0 &
    boots+=("$!")
  done
  for each in "${boots[@]}"; do wait "$each"; done
}

action=$1
mapfile -t nodes < <(scontrol show hostnames "$2")
case $action in
  launch | terminate | restart | reset) "$action" "${nodes[@]}" ;;
esac
