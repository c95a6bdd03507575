# What Slurm said of jobs that only a question by their ids shows. Stands before observe.sh, behind accounting.sh and
# sections.sh.
#
# No period of accounting has them (see accounting.sh), and sacct cannot be asked for a period and for ids at once. So what
# it said is kept beside the ledger for a while: otherwise every look at a campaign with one such job would ask twice.
# The two files only save questions; nothing is lost with them.
# shellcheck shell=bash
readonly ASKED_AGAIN_SECONDS=300
# Ids are one argument of sacct, of which Linux takes 128 KiB. The rest is for the next look.
readonly MAX_ASKED=5000

# Lines `<time><US>found|lost<US><entry of the ledger><US><line of the section>`. observe.sh knows the epoch.
answers=''

# Young answers. The empty line lets awk count its files.
young_answers() {
  local now
  printf -v now '%(%s)T' -1
  printf '\n'
  if [[ -r $answers ]]; then awk -F "$US" -v after="$((now - ASKED_AGAIN_SECONDS))" '$1 > after' "$answers"; fi
}

# Entries in $1 without an answer, as many as one question takes.
unanswered_of() {
  awk -F "$US" -v max="$MAX_ASKED" '
    FNR == 1 { part++ }
    part == 1 { answered[$3]; next }
    $0 != "" && !($0 in answered) && count++ < max' <(young_answers) <(printf '%s\n' "$1")
}

# Lines of the section $1 that answered for entries in $2.
answered() {
  awk -F "$US" -v section="$1" '
    FNR == 1 { part++ }
    part == 1 { wanted[$0]; next }
    $2 == section && $3 in wanted { print substr($0, length($1 $2 $3) + 4) }' <(printf '%s\n' "$2") <(young_answers)
}

# Keeps that entries in $1 were answered by lines $2 of `found` and $3 of `lost`. An entry without a line has no answer.
keep_answers() {
  local now
  printf -v now '%(%s)T' -1
  awk -F "$US" -v OFS="$US" -v now="$now" '
    FNR == 1 { part++ }
    part == 1 { split($0, entry, " "); entry_of[entry[1]] = $0; asked[$0]; next }
    part == 2 { if ($NF in entry_of) print now, "found", entry_of[$NF], $0; next }
    part == 3 { split($0, entry, " "); if (entry[1] in entry_of) print now, "lost", entry_of[entry[1]], $0; next }
    $0 != "" && !($3 in asked)' <(printf '%s\n' "$1") <(printf '%s\n' "$2") <(printf '%s\n' "$3") <(young_answers) |
    replace "$answers"
}

# Puts standard input in the place of a file, whole or not at all, whoever else does.
replace() {
  { cat >"$1.$$" && mv -f -- "$1.$$" "$1"; } 2>/dev/null || { rm -f -- "$1.$$" && return 1; }
}
