#!/bin/bash
# compute-node.sh NAME: a compute node. It has a host name of its own, as if it were a machine.
hostname "$1"
# -b: the node has just booted, whatever the controller remembers of it.
exec slurmd -D -b -N "$1"
