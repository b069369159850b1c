#!/bin/bash
# hosts.sh - makes several hosts of one Linux machine, joined by links of a chosen rate, to see what
# a network does to a run without having one. Run it as root.
#
#   cluster/lab/hosts.sh up N [RATE]        hosts n1 ... nN; RATE of the links as tc writes it, such
#                                           as 1gbit; without RATE they are not limited
#   cluster/lab/hosts.sh run N COMMAND...   mpirun with one rank, or ITHACA_LAB_RANKS ranks, on each
#                                           of the first N hosts
#   cluster/lab/hosts.sh exec HOST COMMAND  runs a command on a host, as ssh would
#   cluster/lab/hosts.sh down
#
# A host is a set of namespaces: network, host name, IPC and mounts. Each has its own /tmp and
# /dev/shm, because hosts that shared those would find each other's shared memory; all other files
# are the machine's. A veth pair joins each host to a bridge, limited both ways by tc's token bucket
# (tbf). Latency is the kernel's own, some tens of microseconds. All hosts share the machine's
# cores.
#
#   ITHACA_LAB        the lab's folder
#   ITHACA_LAB_NAME   beginning of its devices' names, at most 10 letters; labs with different names
#                     and folders stay apart
#   ITHACA_LAB_RANKS  ranks on each host
set -euo pipefail

net=10.78.0
folder=${ITHACA_LAB:-/var/tmp/ithaca-lab}
name=${ITHACA_LAB_NAME:-ithaca}
self=$(readlink -f "$0")

up() {
    local n=$1 rate=${2:-} i
    mkdir -p "$folder"
    { echo "127.0.0.1 localhost"; for i in $(seq "$n"); do echo "$net.$i n$i"; done; } >"$folder/hosts"
    ip link add "$name-br" type bridge
    ip link set "$name-br" up
    for i in $(seq "$n"); do
        ip netns add "$name-n$i"
        ip link add "$name-v$i" type veth peer name eth0 netns "$name-n$i"
        ip link set "$name-v$i" master "$name-br" up
        ip -n "$name-n$i" addr add "$net.$i/24" dev eth0
        ip -n "$name-n$i" link set eth0 up
        ip -n "$name-n$i" link set lo up
        [[ -n $rate ]] || continue
        tc qdisc add dev "$name-v$i" root tbf rate "$rate" burst 4mb latency 50ms
        ip netns exec "$name-n$i" tc qdisc add dev eth0 root tbf rate "$rate" burst 4mb latency 50ms
    done
}

down() {
    local host
    for host in $(ip netns list | awk -v own="$name-n" 'index($1, own) == 1 {print $1}'); do
        # What still runs there waits for ranks that are gone.
        ip netns pids "$host" | xargs -r kill -KILL 2>/dev/null || true
        ip netns del "$host"
    done
    ip link del "$name-br" 2>/dev/null || true
    rm -rf "$folder"
}

# Commands that give a host its own /tmp and /dev/shm. The given folders stay visible: the checkout
# may lie there. Each is built at /mnt and then moved, because what is mounted over a folder hides it.
own_folders() {
    local root path
    for root in /dev/shm /tmp; do
        echo "mount -t tmpfs tmpfs /mnt"
        for path in "$@"; do
            path=$(readlink -f "$path")
            case $path/ in
            "$root"/*) echo "mkdir -p '/mnt${path#"$root"}'; mount --bind '$path' '/mnt${path#"$root"}'" ;;
            esac
        done
        echo "mount --move /mnt $root"
    done
}

# The command line arrives as it does through ssh: words that the host's shell parses again.
on_host() {
    local host=$1
    shift
    exec nsenter --net="/var/run/netns/$name-$host" unshare --uts --ipc --mount sh -c \
        "set -e; hostname $host; mount --bind $folder/hosts /etc/hosts
         $(own_folders "$(dirname "$self")/../.." "$PWD" "$folder"); cd '$PWD'; set +e; $*"
}

# mpirun runs on n1; its rsh agent is this script. Between hosts there is only TCP, over the shaped
# links; inside a host, shared memory.
on_ranks() {
    local n=$1 each=${ITHACA_LAB_RANKS:-1} hosts
    shift
    hosts=$(seq -f "n%.0f:$each" -s, "$n")
    on_host n1 "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -n $((n * each)) --host $hosts --bind-to none \
        --mca plm_rsh_agent '$self exec' --mca btl tcp,self,vader --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
        --mca btl_base_warn_component_unused 0 $(printf '%q ' "$@")"
}

case ${1:-} in
up) up "$2" "${3:-}" ;;
run) shift && on_ranks "$@" ;;
exec) shift && on_host "$@" ;;
down) down ;;
*)
    sed -n '2,10p' "$0" >&2
    exit 2
    ;;
esac
