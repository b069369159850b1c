#!/bin/bash
# terminal.sh - what appears on a terminal: a progress line that fits 60, 80 and 120 columns and
# follows a resize; messages in colour, but not with NO_COLOR and not elsewhere.
source "$(dirname "$0")/../tap.sh"

cat >"$work/terminal.py" <<'PY'
# terminal.py COLUMNS HELD COMMAND...: runs the command with its stderr on a terminal of that width.
# HELD, a file that the test hook makes, holds it until progress has appeared; the terminal is then
# made wider by 40 columns, and the command goes on when a line has appeared there. Prints what the
# terminal got.
import fcntl, os, pty, struct, subprocess, sys, termios

columns, held, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
ours, theirs = pty.openpty()

def resize(columns):
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

resize(columns)
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
os.close(theirs)
got, lines = b"", 0
while True:
    try:
        more = os.read(ours, 65536)
    except OSError: # the command has ended
        break
    if not more:
        break
    got += more
    if not os.path.exists(held):
        continue
    if got.count(b"\x1b[K") >= 2 and lines == 0:
        resize(columns + 40)
        lines = got.count(b"\x1b[K")
    elif lines > 0 and got.count(b"\x1b[K") > lines:
        os.remove(held)
        lines = 0
sys.stdout.buffer.write(got)
sys.exit(process.wait())
PY

# The lines of progress, each as it was drawn, without escape sequences
cat >"$work/lines.py" <<'PY'
import re, sys
text = open(sys.argv[1], newline="").read()
lines = [re.sub("\x1b\\[[0-9;]*[mK]", "", line) for line in re.split("[\r\n]", text)]
for line in lines:
    if line.startswith("prefill"):
        print(line)
PY

haystack --tokens 900 --depth 0.5 --seed 3 >"$work/hay.txt" 2>/dev/null
run=("$ITHACA" run $NEEDLE -f "$work/hay.txt" --chunk 256 -n 2)
for columns in 60 80 120; do
    export ITHACA_TEST_HOOK="length 512 $work/held"
    TERM=xterm expect "$columns columns" 0 python3 "$work/terminal.py" $columns "$work/held" "${run[@]}"
    unset ITHACA_TEST_HOOK
    python3 "$work/lines.py" "$out" >"$work/lines"
    first=$(head -n 1 "$work/lines")
    same "$columns columns: the line fits" yes "$( ((${#first} > 0 && ${#first} < columns)) && echo yes || echo "${#first}: $first")"
    same "$columns columns: no line is wider than the wider terminal" "" "$(grep -E ".{$((columns + 40))}" "$work/lines")"
    last=$(tail -n 1 "$work/lines")
    # 120 columns hold everything
    ((columns == 120)) ||
        same "$columns columns: a wider terminal, a longer line" yes "$( ((${#last} > ${#first})) && echo yes || echo "$last")"
    matches "$columns columns: what it says" "$work/lines" "^prefill (\[#*\.*\] )?[0-9]+%"
    same "$columns columns: the answer begins a line of its own" "" "$(grep -a "^prefill.*ithaca" "$work/lines")"
done

message() { # ENVIRONMENT...: of a command that fails, on a terminal
    env "$@" script -qec "$ITHACA inspect $work/none" /dev/null </dev/null | tr -d '\r'
}
same "a terminal: error: is red" $'ithaca: \e[1;31merror: \e[0m'"$work/none: No such file or directory" "$(message TERM=xterm NO_COLOR=)"
same "NO_COLOR" "ithaca: error: $work/none: No such file or directory" "$(message TERM=xterm NO_COLOR=1)"
same "a terminal without colours" "ithaca: error: $work/none: No such file or directory" "$(message TERM=dumb NO_COLOR=)"
TERM=xterm expect "no terminal" 1 "$ITHACA" inspect "$work/none"
same "no terminal: no colour" "ithaca: error: $work/none: No such file or directory" "$(cat "$err")"
