#!/bin/bash
# systemctl of a stand-in head node, which has no systemd: as much of it as custom actions use.
#
# usage: systemctl daemon-reload | enable UNIT... | restart UNIT... | start-enabled
#
# A unit's file gives its user, its environment and its program; what else stands in it is left out, so a program that
# ends is not started again. slurmctld and slurmdbd are as init.sh starts them.
set -euo pipefail

readonly UNITS=/etc/systemd/system ENABLED=/etc/systemd/system/multi-user.target.wants

value_of() { sed -n "s/^$2=//p" "$UNITS/$1.service" | tail -n 1; }

# What was started ends with process 1, as everything in the node does.
launch() {
  local user=$1 log=$2
  shift 2
  setsid setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@" </dev/null >>"$log" 2>&1 &
  echo $!
}

end_daemon() {
  local name=$1 try
  pkill -TERM "^$name" || return 0
  for ((try = 0; try < 200; try++)); do
    pgrep "^$name" >/dev/null || return 0
    sleep 0.05
  done
  pkill -KILL "^$name"
}

end_unit() {
  local pid_file=/run/systemctl/$1.pid pid
  [[ -s $pid_file ]] || return 0
  pid=$(<"$pid_file")
  kill -TERM "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

restart_unit() {
  local unit=${1%.service} user directory program environment
  case $unit in
    slurmctld | slurmdbd)
      end_daemon "$unit"
      launch slurm "/var/log/slurm/$unit.out" "$unit" -D >/dev/null
      return
      ;;
  esac
  [[ -f $UNITS/$unit.service ]] || {
    echo "Unit $unit.service not found." >&2
    exit 5
  }
  mkdir -p /run/systemctl
  end_unit "$unit"
  user=$(value_of "$unit" User)
  directory=$(value_of "$unit" RuntimeDirectory)
  read -r -a program <<<"$(value_of "$unit" ExecStart)"
  read -r -a environment <<<"$(value_of "$unit" Environment)"
  if [[ -n $directory ]]; then install -d -o "$user" -g "$user" "/run/$directory"; fi
  launch "$user" "/var/log/$unit.log" env "${environment[@]}" "${program[@]}" >"/run/systemctl/$unit.pid"
}

command=$1
shift
case $command in
  daemon-reload) ;;
  enable)
    mkdir -p "$ENABLED"
    for unit; do : >"$ENABLED/${unit%.service}"; done
    ;;
  restart) for unit; do restart_unit "$unit"; done ;;
  # What systemd does by itself when a machine starts.
  start-enabled)
    [[ -d $ENABLED ]] || exit 0
    for unit in "$ENABLED"/*; do
      [[ ! -f $unit ]] || [[ -L $unit ]] || restart_unit "${unit##*/}"
    done
    ;;
  *)
    echo "systemctl of the stand-in cannot $command" >&2
    exit 1
    ;;
esac
