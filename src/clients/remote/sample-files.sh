# Some of the files below folders, chosen by chance. Run by bash in the job user's own name.
#
# Standard input: `<most files> <number of folders>`, then a folder on each line.
# Standard output: `pcp-answer`, then `<bytes> <path>` and a NUL character for each file; `done` and a NUL character, or
# `failed <message>` and a NUL character when a folder could not be read as a whole.
#
# No link is followed. Files that vanish meanwhile are left out.
# shellcheck shell=bash
LC_ALL=C

printf 'pcp-answer\n'
IFS=' ' read -r most count || exit 1
folders=()
while ((count-- > 0)) && IFS= read -r folder; do
  if [[ -d $folder ]]; then folders+=("$folder"); else printf 'failed %s is no folder\0' "$folder"; exit 0; fi
done

list() { find "${folders[@]}" -type f -printf '%s %p\0' 2>/dev/null; }
list | shuf --zero-terminated --head-count="$most"
status=("${PIPESTATUS[@]}")
if ((status[1] == 0)); then printf 'done\0'; else printf 'failed the list could not be made\0'; fi
