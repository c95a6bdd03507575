# The job user's home, as jobs see it. Standard output: `pcp-answer` and the path.
# shellcheck shell=bash
printf 'pcp-answer\n%s\n' "$HOME"
