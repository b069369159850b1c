# links.sh - sourced by scripts that measure over links of several rates, and whose arguments are
# [HOSTS [RATE...]].
#
#   source cluster/lab/links.sh HOSTS "$@"   reads the arguments into $hosts and ${rates[@]};
#                                            default: HOSTS, 1gbit 10gbit
#   each_rate COMMAND...                     runs COMMAND for each rate ($rate), with hosts up whose
#                                            links have it (hosts.sh); they always go down after
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
