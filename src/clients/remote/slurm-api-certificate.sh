# The certificate of Slurm's REST API, which callers pin. Run by bash in the job user's own name.
#
# Standard output: `pcp-answer`, then the certificate as assets/slurm-rest-api.sh made it, or nothing.
# shellcheck shell=bash
printf 'pcp-answer\n'
if [[ -r /etc/parallelcluster-provisioner/slurm-rest-api.crt ]]; then
  cat /etc/parallelcluster-provisioner/slurm-rest-api.crt
fi
