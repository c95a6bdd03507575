# Begins an answer of sections, each vouched for or the end of the answer. Stands before observe.sh, sessions.sh and usage.sh.
# shellcheck shell=bash
readonly RS=$'\x1e'
printf 'pcp-answer\n'

fail() {
  printf '%sfailed %s\n' "$RS" "${1//[$'\n\r']/ }"
  exit 0
}

# What programs print as errors, in a file that needs no removal.
errors_file=$(mktemp) || fail mktemp
exec 5<>"$errors_file" || fail "$errors_file"
rm -f -- "$errors_file"

# Runs a program whose standard output, then in `output`, is the section of this name, and vouches for it. A program
# that succeeds and yet names a problem has not told everything.
section() {
  local name=$1 problem
  shift
  if ! output=$("$@" 2>&5) || [[ -s /dev/fd/5 ]]; then
    problem=$(</dev/fd/5)
    fail "$name: ${problem:-no message}"
  fi
  printf '%s%s\n%s\n%s%s ok\n' "$RS" "$name" "$output" "$RS" "$name"
}
