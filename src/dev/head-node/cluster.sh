# Role `cluster`: munged, sshd, slurmdbd and slurmctld of a ParallelCluster head node, which starts compute nodes when Slurm
# wants them. Sourced by init.sh.
# Environment: ADMIN_USER, SLURM_CLUSTER.
# shellcheck shell=bash

seed=/run/seed
custom_action_marker=/var/lib/custom-actions-done
restart_marker=/var/spool/slurmctld/.ran
scripts=/opt/parallelcluster/scripts/slurm
ec2=/var/lib/stand-in-ec2

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
  install -m 755 "$seed/compute-node.sh" /etc/slurm/
  # Where ParallelCluster has them, for custom actions that add to them.
  mkdir -p /opt/slurm /etc/slurm/scripts/{prolog.d,epilog.d} /var/lib/parallelcluster-provisioner
  ln -sfn /etc/slurm /opt/slurm/etc
  # Slurm takes a pattern that no file matches for a failure.
  printf '#!/bin/bash\nexit 0\n' | tee /etc/slurm/scripts/{prolog.d,epilog.d}/90_pcluster_noop >/dev/null
  chmod 755 /etc/slurm/scripts/{prolog.d,epilog.d}/90_pcluster_noop
  install -m 755 "$seed/systemctl.sh" /usr/local/bin/systemctl
  install -m 755 "$seed/mount-s3.sh" /usr/local/bin/mount-s3
  install -D -m 644 "$seed/s3-endpoint" /etc/stand-in-s3/endpoint
  install_power_saving
  # What a custom action has added stays: ParallelCluster writes the file once. The password of the database is new.
  local added
  added=$(grep -s '^AuthAlt' /etc/slurm/slurmdbd.conf || true)
  install -o slurm -g slurm -m 600 "$seed/slurmdbd.conf" /etc/slurm/slurmdbd.conf
  printf '%s\n' "$added" >>/etc/slurm/slurmdbd.conf
  # debootstrap leaves them readable for everybody.
  chmod o= /etc/shadow /etc/gshadow
  install -m 600 "$seed/sshd_config" /etc/ssh/sshd_config
  install -D -m 644 "$seed/cfnconfig" /etc/parallelcluster/cfnconfig
  if [ ! -e /etc/ssh/ssh_host_ed25519_key ]; then
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
  fi
}

# The programs by which Slurm powers nodes up and down. They run as root, by sudo, as on ParallelCluster.
install_power_saving() {
  mkdir -p "$scripts" "$ec2/instances" /run/slurm/up
  install -m 755 "$seed/cloud-nodes.sh" "$seed/nodes-up-prolog.sh" "$scripts"
  install -m 755 "$seed/slurm-power.sh" "$scripts/slurm_resume"
  ln -sf slurm_resume "$scripts/slurm_suspend"
  install -m 644 "$seed/ec2-settings" "$ec2/settings"
  install -o slurm -m 644 /dev/null /var/log/parallelcluster/cloud-nodes.log
  printf 'slurm ALL=(root) NOPASSWD: %s\n' "$scripts/cloud-nodes.sh" | install -m 440 /dev/stdin /etc/sudoers.d/80-slurm
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
}

power() { timeout 30 "$scripts/cloud-nodes.sh" "$@" 3<&- 4>&- >>/var/log/parallelcluster/cloud-nodes.log 2>&1; }

# Those that always run, and after a crash those that ran.
start_compute_nodes() {
  local nodes down
  if [ -e "$restart_marker" ]; then
    # Their reset was lost with the crash.
    down=$(sinfo -h -N -t down -o %N | sort -u | paste -sd ,)
    if [ -n "$down" ]; then power reset "$down"; fi
  fi
  nodes=$(scontrol show hostlist "$( (cat "$seed/static-nodes"; ls "$ec2/instances") | xargs -rn 1 scontrol show hostnames | sort -u | paste -sd ,)")
  # After a crash the jobs of the former life are gone with their processes, but Slurm believes that they run:
  # taking the nodes down requeues or fails them at once.
  if [ -n "$nodes" ] && [ -e "$restart_marker" ]; then
    scontrol update nodename="$nodes" state=down reason='head node restarted'
    scontrol update nodename="$nodes" state=resume
  fi
  touch "$restart_marker"
  if [ -n "$nodes" ]; then
    power restart "$nodes" ||
      fail "not all compute nodes came up: $(sinfo -h -N -n "$nodes" -o '%N %T' | tr '\n' ' ')"
  fi
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
  refuse_taken_ports 22 6817 6819
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
  kill -TERM "$sshd_pid" "$slurmctld_pid"
  pkill -TERM '^slurmd(-wlm)?$'
  wait "$slurmctld_pid"
  kill -TERM "$slurmdbd_pid"
  wait "$slurmdbd_pid"
  kill -TERM "$munge_pid"
}
