# Asks squeue, sinfo and sacct for columns. Stands before every program that does.
#
# Names, comments and reasons are free text: they may hold line breaks, control characters, and whole lines of what Slurm
# prints. So Slurm is told to end each column with a text that is made anew for each run of a program, which nobody who
# submits a job can know beforehand. What comes out are lines of columns, a separator between two, one line for each
# record; control characters of the free text have become spaces. So no text can be taken for a column, a record or a section.
# shellcheck shell=bash
readonly US=$'\x1f'
IFS= read -r column_end </proc/sys/kernel/random/uuid || exit 1
# squeue takes digits at its beginning for a width.
readonly COLUMN_END="$US$column_end"

# in_columns COLUMN,… PROGRAM ARGUMENT…: the records that the program prints. Fails with the program, and when it printed
# something else than whole records.
in_columns() {
  local columns=$1 program=$2 status options
  shift 2
  case $program in
    sacct) options=(--parsable --delimiter="$COLUMN_END" --format="$columns") ;;
    *) options=(--Format="${columns//,/:$COLUMN_END,}:$COLUMN_END") ;;
  esac
  local commas=${columns//[^,]/}
  # awk reads columns, not lines: the one before is printed when the next is there, which nothing else than the end of the
  # output may be.
  "$program" "$@" "${options[@]}" | awk -v RS="$COLUMN_END" -v program="$program" -v count="$((${#commas} + 1))" '
    NR > 1 {
      position = (NR - 2) % count
      if (position == 0) sub(/^\n/, "", column)
      gsub(/[\001-\037\177]/, " ", column)
      printf "%s%s", column, position == count - 1 ? "\n" : "\037"
    }
    { column = $0 }
    END {
      if (NR == 0 || (column == "\n" && (NR - 1) % count == 0)) exit
      gsub(/[\001-\037\177]/, " ", column)
      printf "%s does not end with a whole record: %s\n", program, substr(column, 1, 200) >"/dev/stderr"
      exit 1
    }'
  status=("${PIPESTATUS[@]}")
  ((status[0] == 0)) || return "${status[0]}"
  return "${status[1]}"
}
