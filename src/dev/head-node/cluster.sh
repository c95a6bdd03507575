# Role `cluster`: munged, sshd, slurmdbd, slurmctld and the slurmd of a ParallelCluster head node. Sourced by init.sh.
# Environment: ADMIN_USER, SLURM_CLUSTER.
# shellcheck shell=bash

seed=/run/seed
custom_action_marker=/var/lib/custom-actions-done
restart_marker=/var/spool/slurmctld/.ran

install_configuration() {
  mkdir -p /run/{munge,sshd,slurm} /var/log/{munge,slurm,parallelcluster} /var/spool/slurmctld /var/lib/munge
  chown munge:munge /run/munge /var/log/munge /var/lib/munge
  chmod 755 /run/munge
  chmod 700 /var/log/munge
  chown slurm:slurm /run/slurm /var/log/slurm /var/spool/slurmctld
  install -o munge -g munge -m 400 "$seed/munge.key" /etc/munge/munge.key
  install -m 644 "$seed/slurm.conf" "$seed/cgroup.conf" /etc/slurm/
  # CgroupPlugin=disabled came with 23.02. Before, slurmd loads a plugin, which nothing uses (proctrack/linuxproc).
  if [[ $(slurmctld -V) == *' 22.'* ]]; then echo 'CgroupPlugin=cgroup/v1' >/etc/slurm/cgroup.conf; fi
  install -m 755 "$seed/task-prolog.sh" "$seed/compute-node.sh" /etc/slurm/
  install -m 755 "$seed/systemctl.sh" /usr/local/bin/systemctl
  # What a custom action has added stays: ParallelCluster writes the file once. The password of the database is new.
  local added
  added=$(grep -s '^AuthAlt' /etc/slurm/slurmdbd.conf || true)
  install -o slurm -g slurm -m 600 "$seed/slurmdbd.conf" /etc/slurm/slurmdbd.conf
  printf '%s\n' "$added" >>/etc/slurm/slurmdbd.conf
  install -m 600 "$seed/sshd_config" /etc/ssh/sshd_config
  install -D -m 644 "$seed/cfnconfig" /etc/parallelcluster/cfnconfig
  if [ ! -e /etc/ssh/ssh_host_ed25519_key ]; then
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
  fi
}

# A password that matches nothing, not a locked account: sshd without PAM refuses locked ones even with a key.
create_admin_user() {
  if ! id -u "$ADMIN_USER" >/dev/null 2>&1; then
    useradd --uid 1000 --create-home --shell /bin/bash --password '*' "$ADMIN_USER"
  fi
  install -d -o "$ADMIN_USER" -g "$ADMIN_USER" -m 700 "/home/$ADMIN_USER/.ssh"
  install -o "$ADMIN_USER" -g "$ADMIN_USER" -m 600 "$seed/admin.pub" "/home/$ADMIN_USER/.ssh/authorized_keys"
  # As the default user of every AMI of ParallelCluster.
  printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$ADMIN_USER" | install -m 440 /dev/stdin "/etc/sudoers.d/90-$ADMIN_USER"
}

# Replaces the shell that calls it, so that the number of a background job is the daemon's own.
exec_as() { exec setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }

start_munge_and_sshd() {
  daemon exec_as munge munged --foreground >/var/log/munge/munged.out 2>&1
  munge_pid=$!
  daemon /usr/sbin/sshd -D -e >/var/log/sshd.log 2>&1
  sshd_pid=$!
  await 10 test -S /run/munge/munge.socket.2 || fail 'munged did not start'
}

start_accounting() {
  daemon exec_as slurm slurmdbd -D >/var/log/slurm/slurmdbd.out 2>&1
  slurmdbd_pid=$!
  await_port 6819 slurmdbd
  # Without it the controller's first records would be refused. The database outlives the head node: an earlier one of
  # this name may have added the cluster, and keeps its id.
  if [ -z "$(sacctmgr --noheader --parsable2 show cluster "$SLURM_CLUSTER" format=Cluster)" ]; then
    sacctmgr --immediate --quiet add cluster "$SLURM_CLUSTER"
  fi
}

start_controller() {
  daemon exec_as slurm slurmctld -D >/var/log/slurm/slurmctld.out 2>&1
  slurmctld_pid=$!
  await_port 6817 slurmctld
  # After a crash the jobs of the former life are gone with their processes, but Slurm believes that they run:
  # taking the nodes down requeues or fails them at once.
  if [ -e "$restart_marker" ]; then
    scontrol update nodename=ALL state=down reason='head node restarted'
    scontrol update nodename=ALL state=resume
  fi
  touch "$restart_marker"
}

start_compute_nodes() {
  local name port
  slurmd_pids=()
  while read -r name port; do
    mkdir -p "/var/spool/slurmd/$name"
    daemon unshare --uts /etc/slurm/compute-node.sh "$name" >"/var/log/slurm/slurmd.$name.out" 2>&1
    slurmd_pids+=("$!")
  done <"$seed/compute-nodes"
  while read -r name port; do await_port "$port" "slurmd $name"; done <"$seed/compute-nodes"
  await 30 nodes_usable || fail "not all compute nodes became idle: $(sinfo -h -N -o '%N %T' | tr '\n' ' ')"
}

nodes_usable() {
  local states
  states=$(sinfo -h -N -o %T) && [ -n "$states" ] && ! grep -qvE '^(idle|mixed|allocated|completing)$' <<<"$states"
}

# Those of one stage, on-node-start or on-node-configured. Each is a folder: `script`, and `args` with a NUL character
# after each argument.
run_custom_actions() {
  local stage=$1 action index=0 args code
  if [ -e "$custom_action_marker" ]; then return; fi
  while [ -d "$seed/$stage/$index" ]; do
    action=$seed/$stage/$index
    mapfile -d '' args <"$action/args"
    code=0
    env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 "$action/script" "${args[@]}" 3<&- 4>&- \
      >"/var/log/parallelcluster/$stage-$index.log" 2>&1 || code=$?
    if ((code != 0)); then fail "custom-action $stage $index $code"; fi
    index=$((index + 1))
  done
}

start_daemons() {
  local slurmd_ports
  mapfile -t slurmd_ports < <(cut -d ' ' -f 2 "$seed/compute-nodes")
  refuse_taken_ports 22 6817 6819 "${slurmd_ports[@]}"
  install_configuration
  create_admin_user
  run_custom_actions on-node-start
  start_munge_and_sshd
  start_accounting
  start_controller
  start_compute_nodes
  await_port 22 sshd
  run_custom_actions on-node-configured
  # The first time, a custom action that makes a unit starts it.
  if [ -e "$custom_action_marker" ]; then systemctl start-enabled; fi
  touch "$custom_action_marker"
}

# The controller first: it saves its state on SIGTERM, and still reports to slurmdbd while it does.
stop_daemons() {
  trap '' TERM
  kill -TERM "$sshd_pid" "$slurmctld_pid" "${slurmd_pids[@]}"
  wait "$slurmctld_pid"
  kill -TERM "$slurmdbd_pid"
  wait "$slurmdbd_pid"
  kill -TERM "$munge_pid"
}
