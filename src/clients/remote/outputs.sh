# What jobs have written so far, or jobs to forget. Run by bash in the job user's own name.
#
# Standard input: `<epoch> list`, or `<epoch> forget <number of jobs>` and a line `<campaign> <key>` for each.
# Standard output: `pcp-answer`; for `list` a line `job <campaign>:<key>` for each job that has started, by the marker
# that its wrapper made, and a line `<bytes> <campaign>/<key>/<stdout|stderr> <kind of file>` for each file that is
# there; `done`.
# shellcheck shell=bash
LC_ALL=C
shopt -s nullglob

printf 'pcp-answer\n'
IFS=' ' read -r epoch verb count || exit 1
root=$(cd -P -- "$HOME" && pwd -P)/.parallelcluster-provisioner/$epoch

list() {
  local marker markers=() files=()
  for marker in "$root"/running/?*:?*; do
    marker=${marker##*/}
    # What is not one of our names is not our marker, and could not be told apart in the answer.
    [[ $marker =~ ^[a-z2-7]+:[A-Za-z0-9_.-]+$ ]] || continue
    markers+=("$marker")
    files+=("${marker%%:*}/${marker#*:}/stdout" "${marker%%:*}/${marker#*:}/stderr")
  done
  ((${#markers[@]} > 0)) || return
  printf 'job %s\n' "${markers[@]}"
  cd -- "$root/jobs" && printf '%s\0' "${files[@]}" | xargs -0 stat --format='%s %n %F' -- 2>/dev/null
}

forget() {
  local campaign key
  cd -- "$root/running" 2>/dev/null || return
  while ((count-- > 0)) && IFS=' ' read -r campaign key; do printf '%s:%s\0' "$campaign" "$key"; done |
    xargs -0 --no-run-if-empty rm -f --
}

case $verb in
  list) list ;;
  forget) forget ;;
esac
echo 'done'
