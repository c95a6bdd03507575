#!/bin/bash
# What ParallelCluster's update does on a head node: puts another slurm.conf into force, while jobs run. Run as root.
#
# Standard input: slurm.conf, a line `--`, /etc/hosts, a line `--`, the static nodes as Slurm writes lists.
set -euo pipefail

part() {
  local line
  while IFS= read -r line && [[ $line != -- ]]; do printf '%s\n' "$line"; done
}

# Whoever reads them meanwhile sees the one or the other.
part >/etc/slurm/slurm.conf.new
part >/etc/hosts
static=$(part | paste -sd ,)
chmod 644 /etc/slurm/slurm.conf.new
mv /etc/slurm/slurm.conf.new /etc/slurm/slurm.conf

systemctl restart slurmctld
for ((try = 0; try < 300; try++)); do
  if scontrol ping | grep -q ' is UP'; then break; fi
  sleep 0.1
done
scontrol ping | grep -q ' is UP' || {
  echo 'slurmctld does not answer with the new configuration:' >&2
  tail -n 20 /var/log/slurm/slurmctld.log >&2
  exit 1
}
# Nodes that run learn of the new ones.
pkill -HUP '^slurmd' || true
missing=()
for node in $(scontrol show hostnames "$static"); do
  [[ -e /var/lib/stand-in-ec2/instances/$node ]] || missing+=("$node")
done
if ((${#missing[@]} > 0)); then
  /opt/parallelcluster/scripts/slurm/cloud-nodes.sh restart "$(IFS=,; printf %s "${missing[*]}")"
fi
