# tap.sh - sourced by shell tests. Each check prints one TAP line, after "# ..." lines that say what
# went wrong.
#
#   expect NAME STATUS COMMAND...   runs the command, whose exit status must be STATUS; leaves its
#                                   output in the files $out and $err
#   same NAME EXPECTED GOT          two texts must be equal
#   matches NAME FILE REGEX         a line of the file must match (grep -E)
#   field FILE EXPRESSION           prints a Python expression of `j`, the file's JSON object
#   holding FILE PID                waits until process PID holds at FILE (src/base/testhook.h), or
#                                   has ended
#   flip FILE OFFSET                changes the byte there, whatever it is
#   or_fail COMMAND...              runs the command; if it fails, prints a text that equals no other
# shellcheck shell=bash
set -uo pipefail

ITHACA=${ITHACA:-build/release/ithaca}
NEEDLE=tests/models/needle-qwen3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$work/out err=$work/err

# Without the packages of the site, which hardly any test needs: it starts in half the time. With
# them it is `command python3`.
python3() { command python3 -S "$@"; }

ok() { echo "ok $*"; }
not_ok() { echo "not ok $*"; }
# $a\ ends the last line if the text does not, because the verdict follows.
note() { head -n 12 | sed -e 's/^/# /' -e '$a\'; }

expect() {
    local name=$1 want=$2 got
    shift 2
    "$@" >"$out" 2>"$err"
    got=$?
    if [[ $got == "$want" ]]; then
        ok "$name"
    else
        echo "# $*: exit status $got, expected $want" && note <"$err"
        not_ok "$name"
    fi
}

same() {
    if [[ $2 == "$3" ]]; then
        ok "$1"
    else
        printf '# expected %s\n# got      %s\n' "$2" "$3"
        not_ok "$1"
    fi
}

matches() {
    if grep -qE -- "$3" "$2"; then
        ok "$1"
    else
        echo "# no line matches: $3" && note <"$2"
        not_ok "$1"
    fi
}

field() { or_fail python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

holding() { until [[ -e $1 ]] || ! kill -0 "$2" 2>/dev/null; do sleep 0.01; done; }

flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1") && printf "\\x$(printf %x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# For commands whose outputs are compared: two failures must not look the same.
or_fail() { "$@" || echo "failed $RANDOM$RANDOM: $*"; }

haystack() { python3 $NEEDLE/make_haystack.py "$@"; }
