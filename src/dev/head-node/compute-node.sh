#!/bin/bash
# compute-node.sh NAME: a compute node. It has a host name and a disk of its own, as if it were a machine.
set -e
hostname "$1"
disk=/var/spool/slurmd/$1/disk
rm -rf "$disk"
mkdir "$disk"
mount --bind "$disk" /var/lib/parallelcluster-provisioner
# -b: the node has just booted, whatever the controller remembers of it.
exec slurmd -D -b -N "$1"
