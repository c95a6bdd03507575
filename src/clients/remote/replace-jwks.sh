# Replaces the keys whose tokens Slurm accepts. Run by bash in the name of the head node's administrator.
#
# Standard input: the JWKS in one line. Standard output: `pcp-answer`, then `done` once Slurm goes by it, or
# `unavailable <message>`.
# shellcheck shell=bash
printf 'pcp-answer\n'
if IFS= read -r jwks && answer=$(sudo -n /usr/local/sbin/slurm-rest-api rotate <<<"$jwks" 2>&1); then
  printf 'done\n'
else
  printf 'unavailable %s\n' "${answer//[$'\n\r']/ }"
fi
