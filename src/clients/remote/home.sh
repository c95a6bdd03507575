# The job user's home, as jobs see it. Standard output: `pcp-answer` and the path.
printf 'pcp-answer\n%s\n' "$HOME"
