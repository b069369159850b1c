#!/bin/bash
# Several hosts on one Linux machine, joined by links of a chosen rate: to see what a network does to a run without having one. As root.
#
#   cluster/lab/hosts.sh up N [RATE]        hosts n1 ... nN, links of RATE as tc writes it: 1gbit, 10gbit; else as fast as they go
#   cluster/lab/hosts.sh run N COMMAND...   mpirun with one rank, or ITHACA_LAB_RANKS ranks, on each of the first N hosts
#   cluster/lab/hosts.sh exec HOST COMMAND  a command on a host, as ssh would
#   cluster/lab/hosts.sh down
#
# A host is a set of namespaces: network, host name, IPC and mounts, with a /tmp and a /dev/shm of its own, since two hosts that shared
# those would find each other's shared memory. Each hangs on a bridge by a veth pair that tc's token bucket (tbf) limits both ways;
# latency is the kernel's own, some tens of microseconds. Other files are those of the machine. All hosts share its cores.
#
#   ITHACA_LAB        the lab's folder
#   ITHACA_LAB_NAME   what its devices are called after, at most 10 letters: labs of other names and folders stay apart
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
        ip netns pids "$host" | xargs -r kill -KILL 2>/dev/null || true # what still runs there waits for ranks that are gone
        ip netns del "$host"
    done
    ip link del "$name-br" 2>/dev/null || true
    rm -rf "$folder"
}

# The command line arrives as ssh's would: words that the host's shell reads again.
on_host() {
    local host=$1
    shift
    exec nsenter --net="/var/run/netns/$name-$host" unshare --uts --ipc --mount sh -c \
        "hostname $host; mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /tmp
         mount --bind $folder/hosts /etc/hosts; cd '$PWD'; $*"
}

# mpirun runs on n1 too; its rsh agent is this script. Only TCP goes between the hosts, over the shaped links; memory inside them.
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
    sed -n '2,7p' "$0" >&2
    exit 2
    ;;
esac
