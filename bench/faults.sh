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

# fault NAME COMMAND...: one row. Runs in a mount namespace of its own where $inside has commands.
inside=
fault() {
    local name=$1 before status start end left
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
    while [[ -n $(ranks) ]] && (($(date +%s%N) - start < 90000000000)); do sleep 0.1; done
    end=$(date +%s%N)
    left=$( (ranks; orphans "$before") | xargs)
    printf '| %s | %.1f | %d | %s | %s |\n' "$name" "$(((end - start) / 1000000))e-3" $status \
        "$(reason)" "${left:-none}"
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

group=/sys/fs/cgroup/ithaca-$$
[[ -d /sys/fs/cgroup/memory ]] && group=/sys/fs/cgroup/memory/ithaca-$$
if mkdir "$group" 2>/dev/null && { echo 60M >"$group/memory.max" || echo 60M >"$group/memory.limit_in_bytes"; } 2>/dev/null; then
    fault "control group of 60 MB" bash -c "echo \$\$ >$group/cgroup.procs; exec \"\$@\"" - "${two_ranks[@]}" -c 100k
    rmdir "$group"
else
    rmdir "$group" 2>/dev/null
    fault "memory of a SLURM job of 60 MB (no control group can be made here)" env SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=60 "${two_ranks[@]}" -c 100k
fi
fault "address space of 1 GB (ulimit -v)" bash -c 'ulimit -v 1000000; exec "$@"' - "${two_ranks[@]}"

# The link between two hosts is cut
cut_link() {
    local hosts=$PWD/cluster/lab/hosts.sh pid
    export ITHACA_LAB=$work/lab ITHACA_LAB_NAME=flt$((BASHPID % 100000))
    "$hosts" up 2 >/dev/null 2>&1 || return 1
    "$hosts" exec n1 "ITHACA_NETWORK_TIMEOUT=8 ITHACA_TEST_HOOK='answer 10 $work/hold' mpirun -n 2 --host n1:1,n2:1 --bind-to none --mca plm_rsh_agent '$hosts exec' \
        --mca oob_tcp_if_include eth0 --mca btl_tcp_if_include eth0 -x ITHACA_TEST_HOOK -x ITHACA_NETWORK_TIMEOUT $program $(printf '%q ' "${run[@]}")" >"$work/out" 2>"$work/err" &
    pid=$!
    until [[ -e $work/hold ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.1; done
    ip link set "$ITHACA_LAB_NAME-v2" down
    date +%s%N >"$work/start"
    while [[ -n $(ranks) ]]; do sleep 0.1; done
    date +%s%N >"$work/end"
    "$hosts" down >/dev/null 2>&1
    wait $pid
}
if [[ "a link is cut" == *"$pattern"* ]] && [[ $(id -u) == 0 ]] && (cut_link) 2>/dev/null; [[ -e $work/end ]]; then
    printf '| a link is cut, limit 8 s | %.1f | - | %s | %s |\n' "$((($(cat "$work/end") - $(cat "$work/start")) / 1000000))e-3" \
        "$(grep '^ithaca: error' "$work/err" | head -n 1)" "$(ranks | xargs)"
fi

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
