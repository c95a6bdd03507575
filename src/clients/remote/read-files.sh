# Reads parts of the files that jobs wrote. Run by bash in the job user's own name.
#
# Standard input: `<epoch> <number of parts>`, then a line `<campaign> <key> <file> <offset> <most bytes>` for each part.
# Standard output: `pcp-answer`, then for each part `ok <size of the file> <n>`, n bytes, a line break and a line with
# how many of them are true (fewer if the file was cut meanwhile; the rest is padding), or `absent`, or `refused`
# where a link or something that is not a file stands in the file's place. `done` ends the answer, before the last
# part if much was sent already: the caller asks again for the rest.
#
# No link is followed: the folder's physical path must be the one that we made, and `nofollow` guards the file.
# shellcheck shell=bash
LC_ALL=C
readonly ENOUGH_BYTES=$((16 * 1024 * 1024))
root=$(cd -P -- "$HOME" && pwd -P)/.parallelcluster-provisioner

printf 'pcp-answer\n'
IFS=' ' read -r epoch parts || exit 1

read_part() {
  local folder="$root/$epoch/jobs/$campaign/$key" size count copied
  cd -P -- "$folder" 2>/dev/null || { echo 'absent'; return; }
  if [[ $PWD != "$folder" || -L $file ]]; then echo 'refused'; return; fi
  [[ -e $file ]] || { echo 'absent'; return; }
  [[ -f $file ]] || { echo 'refused'; return; }
  # Opened before its size is asked for: NFS answers from its cache, up to 60 s old, until a file is opened anew
  # (nfs(5), "Close-to-open cache consistency"), and the end of what another node wrote would be missing.
  dd if="./$file" iflag=nofollow,nonblock count=0 status=none 2>/dev/null
  size=$(stat --format=%s -- "$file") || { echo 'absent'; return; }
  count=$((size > offset ? size - offset : 0))
  ((count > most)) && count=$most
  printf 'ok %s %s\n' "$size" "$count"
  sent=$((sent + count))
  copied=0
  if ((count > 0)); then
    # The last line that dd says is `<n> bytes … copied`, unless it could not open the file.
    copied=$(dd if="./$file" iflag=nofollow,nonblock,skip_bytes,count_bytes bs=256K skip="$offset" count="$count" \
      2>&1 >&3)
    copied=${copied##*$'\n'}
    copied=${copied%% *}
    [[ $copied =~ ^[0-9]+$ ]] || copied=0
    ((copied < count)) && head -c $((count - copied)) /dev/zero >&3
  fi
  printf '\n%s\n' "$copied"
}

exec 3>&1
sent=0
while ((parts-- > 0 && sent < ENOUGH_BYTES)) && IFS=' ' read -r campaign key file offset most; do read_part; done
echo 'done'
