# links.sh - sourced by scripts that measure over links of several rates: their arguments are [HOSTS [RATE...]].
#
#   source cluster/lab/links.sh HOSTS "$@"   reads them into $hosts and ${rates[@]}; default: HOSTS, 1gbit 10gbit
#   each_rate COMMAND...                     with hosts up whose links have it, $rate (hosts.sh); they go down at the end, however that comes
# shellcheck shell=bash

hosts=${2:-$1}
rates=("${@:3}")
((${#rates[@]})) || rates=(1gbit 10gbit)
trap 'cluster/lab/hosts.sh down' EXIT

each_rate() {
    for rate in "${rates[@]}"; do
        cluster/lab/hosts.sh up "$hosts" "$rate"
        "$@"
        cluster/lab/hosts.sh down
    done
}
