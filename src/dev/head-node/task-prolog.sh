#!/bin/sh
# Slurm's TaskProlog: every job has the `module` command, also when its submitter had no environment to pass on.
echo 'export BASH_ENV=/usr/share/modules/init/bash'
