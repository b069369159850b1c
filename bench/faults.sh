#!/bin/bash
# faults.sh - injects faults into runs of several ranks and prints a table: what happened, after how
# many seconds all had ended, with which exit status and which line, and what was left (processes,
# files in /dev/shm). A fault that a run must survive is in the second part: there the seconds are
# those of the run. tests/faults and tests/cli check each of them; this shows them side by side.
#
#   bench/faults.sh [PATTERN]     as root, for mounts, hosts and control groups; what is refused is
#                                 left out, and said
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export ITHACA=${ITHACA:-build/release/ithaca} BUILD=${BUILD:-build/release}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_base_warn_component_unused=0

pattern=${1:-}
model=$PWD/tests/models/needle-qwen3 program=$(readlink -f "$ITHACA")
mark=fault-table-$$ # an argument by which the ranks are found
mkdir -p build/tmp
work=$(mktemp -d build/tmp/faults-XXXXXX)
work=$(readlink -f "$work")
trap 'rm -rf "$work"' EXIT
run=(run -m "$model" --raw -p "The rain" --ignore-eos --temp 0 -n 40 -t 1 --stop "$mark")

ranks() { pgrep -f -- "^($program|$work/other) run.*--stop $mark"; }

# What has the mark in its command line: ranks, mpirun, and what started them.
processes() { pgrep -f -- "--stop $mark"; }

# orphans NAMES: files of /dev/shm that are not among the names, and that no process maps
orphans() {
    local file
    for file in $(comm -13 <(echo "$1") <(ls /dev/shm)); do
        grep -qsF "/dev/shm/$file" /proc/[0-9]*/maps || echo "$file"
    done
}

# The line that says why: an error, else a signal, else what is noted.
reason() {
    local kind
    for kind in '^ithaca: error' 'signal [0-9]+' '^ithaca: warning' '^ithaca: note'; do
        grep -E "$kind" "$work/err" | head -n 1 | cut -c1-190 | sed 's/|/\\|/g' | grep . && return
    done
}

# row NAME START STATUS FILES: waits for the ranks, and prints a line. FILES were in /dev/shm before.
row() {
    local end left
    while [[ -n $(ranks) ]] && (($(date +%s%N) - $2 < 90000000000)); do sleep 0.1; done
    end=$(date +%s%N)
    left=$( (processes; orphans "$4") | xargs)
    printf '| %s | %.1f | %s | %s | %s |\n' "$1" "$(((end - $2) / 1000000))e-3" "$3" "$(reason)" "${left:-none}"
}

# fault NAME COMMAND...: one row. Runs in a mount namespace of its own where $inside has commands.
inside=
fault() {
    local name=$1 before status start
    shift
    [[ $name == *"$pattern"* ]] || return 0
    before=$(ls /dev/shm)
    start=$(date +%s%N)
    if [[ -n $inside ]]; then
        timeout --kill-after=5 90 unshare --mount bash -c "$inside"'; exec "$@"' - "$@" >"$work/out" 2>"$work/err" </dev/null
    else
        timeout --kill-after=5 90 "$@" >"$work/out" 2>"$work/err" </dev/null
    fi
    status=$?
    row "$name" "$start" $status "$before"
}

two_ranks=(scripts/on_ranks.sh 2 "$program" "${run[@]}")

echo "| fault | s | status | message | left |"
echo "|---|--:|--:|---|---|"
fault "a rank is killed (SIGKILL)" env ITHACA_TEST_HOOK="length 20 KILL 1" "${two_ranks[@]}"
fault "a rank crashes (SIGSEGV)" env ITHACA_TEST_HOOK="length 20 SEGV 1" "${two_ranks[@]}"
fault "a rank is stopped (SIGSTOP), limit 8 s" env ITHACA_NETWORK_TIMEOUT=8 ITHACA_TEST_HOOK="length 20 STOP 1" "${two_ranks[@]}"
fault "unequal options" scripts/on_ranks.sh 1 "$program" "${run[@]}" : -n 1 --oversubscribe "$program" "${run[@]}" --exact
sed -E 's/\(sources [0-9a-f]{4}/(sources 0000/g' "$program" >"$work/other" && chmod +x "$work/other"
fault "mixed versions" scripts/on_ranks.sh 1 "$program" "${run[@]}" : -n 1 --oversubscribe "$work/other" "${run[@]}"

# Two hosts, each with files of its own under one path
mkdir "$work/0" "$work/1"
cp -r "$model" "$work/0/m"
printf 'cd "%s/$OMPI_COMM_WORLD_RANK" && exec "%s" "$@"\n' "$work" "$program" >"$work/there.sh"
there=(env ITHACA_RANKS_PER_NODE=1 scripts/on_ranks.sh 2 bash "$work/there.sh" run -m m "${run[@]:3}")
fault "no model on one host" "${there[@]}"
cp -r "$model" "$work/1/m"
python3 - "$work"/1/m/*.safetensors <<'P'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[-1000] ^= 0x20
open(sys.argv[1], "wb").write(data)
P
fault "another model on one host (one bit)" "${there[@]}"

# Control groups of version 1 or 2. in_group COMMAND...: runs it in $group
group=/sys/fs/cgroup/ithaca-$$ limit=memory.max
[[ -d /sys/fs/cgroup/memory ]] && group=/sys/fs/cgroup/memory/ithaca-$$ limit=memory.limit_in_bytes
in_group() { bash -c "echo \$\$ >$group/cgroup.procs; exec \"\$@\"" - "$@"; }
make_group() { mkdir "$group" 2>/dev/null && echo "$1" 2>/dev/null >"$group/$limit"; }

if make_group 60M; then
    fault "control group of 60 MB" bash -c "echo \$\$ >$group/cgroup.procs; exec \"\$@\"" - "${two_ranks[@]}" -c 100k
else
    fault "memory of a SLURM job of 60 MB (no control group can be made here)" env SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=60 "${two_ranks[@]}" -c 100k
fi
rmdir "$group" 2>/dev/null

# The memory of a node is used up in the middle of a run, by another program; the kernel, which is
# told to prefer ranks, kills one.
use_up() {
    local pid start before status name="memory is used up in mid-run (the kernel kills)"
    [[ $name == *"$pattern"* ]] && make_group 400M || return 0
    before=$(ls /dev/shm)
    rm -f "$work/hold"
    in_group env ITHACA_TEST_HOOK="length 20 $work/hold 1" "${two_ranks[@]}" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    until [[ -e $work/hold ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    start=$(date +%s%N)
    # shellcheck disable=SC2046 # words on purpose
    in_group python3 - $(ranks) <<'P'
import os, sys, time
for pid in sys.argv[1:]:
    with open(f"/proc/{pid}/oom_score_adj", "w") as f:
        f.write("1000")
taken = []
while all(os.path.exists(f"/proc/{pid}") for pid in sys.argv[1:]):
    taken.append(bytearray(os.urandom(1) * (2 << 20)))
    time.sleep(0.005)
P
    wait $pid
    status=$?
    row "$name" "$start" $status "$before"
    rmdir "$group"
}
use_up
for _ in 1 2 3 4 5 6 7; do seq 1 200; done >"$work/ids"
fault "address space of 400 MB (ulimit -v) for 500" bash -c 'ulimit -v 400000; exec "$@"' - scripts/on_ranks.sh 2 "$program" \
    run -m synthetic:tests/models/large-kv/config.json:q8_0 --ids "$work/ids" -n 3 -t 1 --stop "$mark"

# The link between two hosts is cut
cut_link() {
    local hosts=$PWD/cluster/lab/hosts.sh pid start before
    before=$(ls /dev/shm)
    rm -f "$work/hold"
    export ITHACA_LAB=$work/lab ITHACA_LAB_NAME=flt$((BASHPID % 100000))
    "$hosts" up 2 >/dev/null 2>&1 || return 0
    "$hosts" exec n1 "ITHACA_NETWORK_TIMEOUT=8 ITHACA_TEST_HOOK='answer 10 $work/hold' mpirun -n 2 --host n1:1,n2:1 --bind-to none --mca plm_rsh_agent '$hosts exec' \
        --mca oob_tcp_if_include eth0 --mca btl_tcp_if_include eth0 -x ITHACA_TEST_HOOK -x ITHACA_NETWORK_TIMEOUT $program $(printf '%q ' "${run[@]}")" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    until [[ -e $work/hold ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.1; done
    start=$(date +%s%N)
    ip link set "$ITHACA_LAB_NAME-v2" down
    while [[ -n $(ranks) ]] && (($(date +%s%N) - start < 90000000000)); do sleep 0.1; done
    # mpirun waits for its daemon behind the cut: docs/clusters.md says how to shorten that.
    mark=none row "a link is cut, limit 8 s (ranks)" "$start" - "$before"
    "$hosts" down >/dev/null 2>&1
    wait $pid
}
if [[ "a link is cut" == *"$pattern"* && $(id -u) == 0 ]]; then (cut_link) 2>/dev/null; fi

echo
echo "| to be survived | s | status | message | left |"
echo "|---|--:|--:|---|---|"
mkdir "$work/disk"
inside="mount -t tmpfs -o size=600k none $work/disk"
for _ in 1 2; do seq 1 1800; done >"$work/ids"
fault "full scratch disk (checkpoint)" scripts/on_ranks.sh 2 "$program" run -m "$model" --ids "$work/ids" -n 4 --temp 0 -t 1 --stop "$mark" --checkpoint "$work/disk/run"
inside="mount -t tmpfs -o size=64m none /dev/shm"
fault "/dev/shm of 64 MB" "${two_ranks[@]}"
mkdir "$work/home"
inside="mount -t tmpfs -o ro none $work/home; export HOME=$work/home"
fault "read-only home" "${two_ranks[@]}"
inside=
fault "HOME unset" env -u HOME "${two_ranks[@]}"
${CC:-cc} -o "$work/deny" tests/cli/deny.c && fault "CMA refused" "$work/deny" mpirun -n 2 --oversubscribe --bind-to none "$program" "${run[@]}"
fault "one core" taskset -c "$(taskset -cp $$ | grep -oE '[0-9]+' | tail -n 1)" "${two_ranks[@]}"
fault "address space of 6 GB (ulimit -v)" bash -c 'ulimit -v 6000000; exec "$@"' - "${two_ranks[@]}"
