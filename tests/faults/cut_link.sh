#!/bin/bash
# cut_link.sh - two hosts (cluster/lab/hosts.sh): each has a bridge of containers with the same address, which Open MPI would take for a network between them; then the link between them is cut during a run. Runs as root; skipped otherwise.
mkdir -p "${BUILD:-build/release}"
TMPDIR=$(readlink -f "${BUILD:-build/release}") # each host has a /tmp of its own
export TMPDIR
. tests/tap.sh
unset TMPDIR

skip() {
    echo "ok cut link # SKIP $*"
    exit 0
}
[[ $(id -u) == 0 ]] || skip "only root can make hosts"
for tool in mpirun ip nsenter mount; do
    command -v $tool >/dev/null || skip "$tool is missing (Debian: iproute2 mount openmpi-bin)"
done
export ITHACA_LAB=$work/lab ITHACA_LAB_NAME=cut$((BASHPID % 100000))
hosts=$PWD/cluster/lab/hosts.sh
trap '"$hosts" down >/dev/null 2>&1; rm -rf "$work"' EXIT
why=$("$hosts" up 2 2>&1) || skip "no hosts: $why"
"$hosts" exec n1 true 2>"$err" || skip "no hosts: $(head -n 1 "$err")"

# Each host has a /tmp and a /dev/shm of its own, in which only the folder that one works in is seen
for root in /tmp /dev/shm; do
    there=$(mktemp -d $root/hosts.XXXXXX)
    echo seen >"$there/file"
    mkdir "$there-other"
    same "a folder in $root is seen on a host" "seen $(basename "$there")" "$(cd "$there" && "$hosts" exec n1 "echo \$(cat file) \$(cd $root && ls -d hosts.*)" 2>&1)"
    rm -r "$there" "$there-other"
done

model=$PWD/$NEEDLE program=$(readlink -f "$ITHACA") hold=$work/hold
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# across VARIABLE=VALUE... -- WORD...: a rank on each host runs ithaca with the words
across() {
    local set=() words
    while [[ $1 != -- ]]; do set+=("$1") && shift; done
    shift
    words=$(printf '%q ' env "${set[@]}" mpirun -n 2 --host n1:1,n2:1 --bind-to none --mca plm_rsh_agent "$hosts exec" --mca oob_tcp_if_include eth0 \
        --mca btl_base_warn_component_unused 0 -x ITHACA_TEST_HOOK -x ITHACA_NETWORK_TIMEOUT "$program" run -m "$model" --raw -p hi --ignore-eos --temp 0 --json "$@")
    timeout --kill-after=5 300 "$hosts" exec n1 "$words"
}
ranks_of() { ip netns pids "$ITHACA_LAB_NAME-$1" | while read -r pid; do [[ $(cat "/proc/$pid/comm" 2>/dev/null) == ithaca ]] && echo "$pid"; done; }
comes() { # CONDITION...: waits for it
    local end=$((SECONDS + 240))
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}
no_rank_is_left() { [[ -z $(ranks_of n1)$(ranks_of n2) ]]; }
result() { field "$1" "j['ids'], j['logits_sha256']"; }

expect "one process" 0 "$program" run -m "$model" --raw -p hi --ignore-eos --temp 0 --json -n 60
want=$(result "$out")

for host in n1 n2; do
    to="$ITHACA_LAB_NAME-$host"
    ip -n "$to" link add docker0 type veth peer name inside
    ip -n "$to" addr add 172.17.0.1/16 dev docker0
    ip -n "$to" link set docker0 up
    ip -n "$to" link set inside up
done
expect "docker0 on both hosts" 0 across ITHACA_NETWORK_TIMEOUT=60 ITHACA_TEST_HOOK= -- -n 60
same "docker0 on both hosts: the same" "$want" "$(result "$out")"

for host in n1 n2; do ip -n "$ITHACA_LAB_NAME-$host" link set docker0 name inner0; done
expect "a network of another name that leads nowhere" 1 across ITHACA_NETWORK_TIMEOUT=60 ITHACA_TEST_HOOK= -- -n 60
matches "a network that leads nowhere: says how to choose" "$err" "^ithaca: error: rank [01]: rank [01] has not answered for 10\.[0-9] seconds: .*btl_tcp_if_include NAME .*eth0 10\.78\.0\.[12], inner0 172\.17\.0\.1"
chosen=OMPI_MCA_btl_tcp_if_include=eth0
expect "the user's own choice" 0 across ITHACA_NETWORK_TIMEOUT=60 ITHACA_TEST_HOOK= $chosen -- -n 60
same "the user's own choice: the same" "$want" "$(result "$out")"

# Rank 0 waits, rank 1 is stopped, but not as long as the limit
across ITHACA_NETWORK_TIMEOUT=60 "ITHACA_TEST_HOOK=answer 30 $hold" $chosen -- -n 60 >"$out" 2>"$err" &
pid=$!
holding "$hold" $pid
other=$(ranks_of n2)
kill -STOP "$other"
sleep 8
kill -CONT "$other"
echo >"$hold"
wait $pid
same "a rank that is stopped for a while: goes on" 0 $?
same "a rank that is stopped for a while: the same" "$want" "$(result "$out")"

# Stopped for longer: its machine answers, it does not
expect "a rank that is stopped for ever" 1 across ITHACA_NETWORK_TIMEOUT=4 "ITHACA_TEST_HOOK=length 30 STOP 1" $chosen -- -n 60
matches "a rank that is stopped for ever: is named" "$err" "^ithaca: error: rank 0: rank 1 on n2 has not run for 4 seconds: it is stopped"
comes no_rank_is_left
same "a rank that is stopped for ever: no rank is left" "" "$(ranks_of n1)$(ranks_of n2)"

# The link is cut. Without the line, all would wait: mpirun does, for its own daemon on n2.
rm -f "$hold"
across ITHACA_NETWORK_TIMEOUT=4 "ITHACA_TEST_HOOK=answer 30 $hold" $chosen -- -n 60 >"$out" 2>"$err" &
pid=$!
holding "$hold" $pid
ip link set "$ITHACA_LAB_NAME-v2" down
comes grep -q '^ithaca: error' "$err"
matches "a cut link: the machine is named" "$err" "^ithaca: error: rank 0: n2 has not answered for 4 seconds: it is down, or the network between it and n1 is cut"
comes no_rank_is_left
same "a cut link: no rank is left" "" "$(ranks_of n1)$(ranks_of n2)"
"$hosts" down
wait $pid || true # mpirun, which may have been killed with its hosts
