#!/bin/sh
# perplexity.sh - llama.cpp's perplexity of a text, in windows whose second halves count; README.md
# says exactly which tokens.
#
# usage: perplexity.sh DIR MODEL.gguf [TEXT [WINDOW]]      DIR: build.sh's folder
#                                                          TEXT: tests/golden/text/gpl-3.txt
set -eu

[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
text=${3:-$(dirname "$0")/../../tests/golden/text/gpl-3.txt}
window=${4:-2048}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# llama-perplexity 0c1e570 sometimes exits with 0 before its log thread has written the last lines.
# Then it runs again.
for try in 1 2 3 4 5 6; do
    "$1/bin/llama-perplexity" -m "$2" -f "$text" -c "$window" -b "$window" -t "${THREADS:-$(nproc)}" >"$log" 2>&1 || break
    if grep -q 'Final estimate' "$log"; then
        grep -o '\[1\].*\|Final estimate.*' "$log"
        exit 0
    fi
    echo "perplexity.sh: try $try lost its last lines" >&2
done
cat "$log" >&2
exit 1
