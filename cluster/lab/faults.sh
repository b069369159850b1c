#!/bin/bash
# faults.sh - injects faults into a run of two hosts (hosts.sh), a rank on each, and prints a table:
# the seconds until the last rank has ended, the exit status, what was said, and the ranks that are
# left. The second rank is held in the middle of its answer while a fault is injected; faults that
# are there from the beginning count from the start of the command. Run it as root.
#
#   cluster/lab/faults.sh [PROGRAM]
set -uo pipefail

cd "$(dirname "$0")/../.." || exit 1
program=$(readlink -f "${1:-build/release/ithaca}")
mkdir -p build
work=$(mktemp -d "$PWD/build/faults.XXXXXX")
export ITHACA_LAB=$work/lab ITHACA_LAB_NAME=faults OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
hosts=$PWD/cluster/lab/hosts.sh
trap '"$hosts" down; umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
cp -r tests/models/needle-qwen3 "$work/model"
cp -r "$work/model" "$work/other-model"
mkdir "$work/small"
mount -t tmpfs -o size=64k none "$work/small"
python3 - "$work" "$program" <<'P'
import glob, re, sys
work, program = sys.argv[1:]
weights = glob.glob(work + "/other-model/*.safetensors")[0]
data = bytearray(open(weights, "rb").read())
data[-1000] ^= 1
open(weights, "wb").write(data)
data = open(program, "rb").read()
other = re.sub(rb"(\(sources )[0-9a-f]+", lambda m: m[1] + b"0" * (len(m[0]) - len(m[1])), data)
open(work + "/other-program", "wb").write(other)
P
chmod +x "$work/other-program"
run=("$program" run -m "$work/model" --raw -p hi --ignore-eos --temp 0 -n 60)

ranks_of() { ip netns pids "faults-$1" | while read -r pid; do case $(cat "/proc/$pid/comm" 2>/dev/null) in ithaca | other-program) echo "$pid" ;; esac done; }
left() { ranks_of n1 && ranks_of n2; }
now() { date +%s.%N; }
words() { printf '%q ' "$@"; }

# start HOOK FIRST SECOND: the words that rank 0 and rank 1 start with, quoted, in the background
start() {
    rm -f "$work/here"
    "$hosts" exec n1 "mpirun --host n1:1,n2:1 --bind-to none --mca plm_rsh_agent '$hosts exec' --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
        --mca btl_base_warn_component_unused 0 -x ITHACA_TEST_HOOK='$1' -n 1 $2 : -x ITHACA_TEST_HOOK='$1' -n 1 $3" >"$work/out" 2>"$work/err" &
    job=$!
}

# row NAME BEGAN: waits for the ranks, and for half a minute at most for what they leave behind, and
# prints a line of the table
row() {
    local seconds status=- said
    for _ in $(seq 600); do
        [[ -n $(left) ]] || ! kill -0 $job 2>/dev/null || [[ -s $work/err ]] && break
        sleep 0.05
    done
    for _ in $(seq 300); do
        [[ -n $(left) ]] || break
        sleep 0.1
    done
    seconds=$(echo "$(now) - $2" | bc)
    for _ in $(seq 50); do kill -0 $job 2>/dev/null || break && sleep 0.1; done
    if kill -0 $job 2>/dev/null; then
        kill -KILL $job # mpirun, which waits for its daemon behind the cut link
    else
        wait $job
        status=$?
    fi
    said=$(grep -m 1 -E '^ithaca: (error|note): ' "$work/err" || grep -m 1 -i "killed\|signal" "$work/err")
    printf '| %s | %.1f | %s | %s | %s |\n' "$1" "$seconds" "$status" "${said//|/\\|}" "$(left | wc -l)"
}

# during NAME COMMAND...: the command is run once rank 1 is held
during() {
    start "length 30 $work/here 1" "$(words "${run[@]}")" "$(words "${run[@]}")"
    until [[ -e $work/here ]] || ! kill -0 $job 2>/dev/null; do sleep 0.02; done
    local began
    began=$(now)
    "${@:2}"
    row "$1" "$began"
}

# from_start NAME SHELL_COMMANDS WORD...: what rank 1 does before it starts, and what it starts with
from_start() {
    local began
    began=$(now)
    start "" "$(words "${run[@]}")" "$(words bash -c "$2; exec $(words "${@:3}")")"
    row "$1" "$began"
}

send() { kill "-$1" $(ranks_of n2); }
cut_link() { ip link set "$ITHACA_LAB_NAME-v2" down; }

"$hosts" up 2 || exit 1
echo '| fault of rank 1, on n2 | seconds | status | said | ranks left |'
echo '|---|---|---|---|---|'
during "killed (SIGKILL)" send KILL
during "crashed (SIGSEGV)" send SEGV
during "stopped (SIGSTOP)" send STOP
during "its link is cut" cut_link
ip link set "$ITHACA_LAB_NAME-v2" up
for host in n1 n2; do ip netns pids "$ITHACA_LAB_NAME-$host" | xargs -r kill -KILL; done # daemons that the cut left alone
from_start "300 MB of address space (ulimit -v)" "ulimit -v 300000" "${run[@]}"
from_start "no model there" "mount -t tmpfs none '$work/model'" "${run[@]}"
from_start "another model of that name" "mount --bind '$work/other-model' '$work/model'" "${run[@]}"
from_start "another build" : "$work/other-program" "${run[@]:1}"
from_start "another option" : "${run[@]}" --ctx 4096
run+=(--checkpoint "$work/small/checkpoint")
from_start "the disk of the checkpoint is full" : "${run[@]}"
