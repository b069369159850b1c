#!/bin/bash
# slurm.sh - a SLURM cluster on one Linux machine: slurmctld, slurmd and munged on the hosts that
# hosts.sh makes. Run it as root. It needs the Debian packages slurm-wlm, munge, iproute2 and Open
# MPI.
#
#   cluster/lab/slurm.sh up N [RATE]      hosts n1 ... nN as in hosts.sh; to SLURM each has 8 GB and
#                                         all cores, at least four
#   cluster/lab/slurm.sh exec COMMAND...  on n1, as on a login node: sbatch, srun, squeue, scancel,
#                                         scontrol
#   cluster/lab/slurm.sh down
#
# slurmctld runs on n1. Daemons and jobs keep their files under ITHACA_LAB, which all hosts see;
# /tmp and /dev/shm are each host's own. Cores are counted once per host, so jobs share them. No
# control groups are used (proctrack/pgid), so the lab also runs inside a container. A requeued job
# waits until its old credentials expire: 10 s here, 120 s by SLURM's default.
set -euo pipefail

export ITHACA_LAB=${ITHACA_LAB:-/var/tmp/ithaca-slurm} ITHACA_LAB_NAME=${ITHACA_LAB_NAME:-slurm}
hosts=$(dirname "$(readlink -f "$0")")/hosts.sh
conf=$ITHACA_LAB/slurm.conf

write_conf() {
    local n=$1 cpus
    cpus=$(nproc)
    ((cpus >= 4)) || cpus=4
    cat >"$conf" <<CONF
ClusterName=ithaca
SlurmctldHost=n1
AuthType=auth/munge
AuthInfo=socket=$ITHACA_LAB/munge/socket,cred_expire=10
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$ITHACA_LAB/state
SlurmdSpoolDir=$ITHACA_LAB/spool-%n
SlurmctldPidFile=$ITHACA_LAB/run/slurmctld.pid
SlurmdPidFile=$ITHACA_LAB/run/slurmd-%n.pid
SlurmctldLogFile=$ITHACA_LAB/slurmctld.log
SlurmdLogFile=$ITHACA_LAB/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobRequeue=1
KillWait=5
SrunPortRange=20000-20200
SlurmdParameters=config_overrides
NodeName=n[1-$n] CPUs=$cpus RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=n[1-$n] Default=YES MaxTime=INFINITE State=UP
CONF
}

start_munged() {
    local own=$ITHACA_LAB/munge
    head -c 1024 /dev/urandom >"$own/key"
    chmod 400 "$own/key"
    munged --force --key-file="$own/key" --socket="$own/socket" --pid-file="$ITHACA_LAB/run/munged.pid" --log-file="$own/log" \
        --seed-file="$own/seed" 2>/dev/null
}

idle_hosts() { "$0" exec sinfo -h -N -t idle 2>/dev/null | wc -l; }

up() {
    local n=$1 i
    "$hosts" up "$n" "${2:-}"
    mkdir -p "$ITHACA_LAB"/{state,run,munge}
    chmod 700 "$ITHACA_LAB/munge"
    write_conf "$n"
    start_munged
    "$hosts" exec n1 "slurmctld -f $conf"
    for i in $(seq "$n"); do
        mkdir -p "$ITHACA_LAB/spool-n$i"
        "$hosts" exec "n$i" "slurmd -N n$i -f $conf"
    done
    for i in $(seq 100); do
        [[ $(idle_hosts) == "$n" ]] && return
        sleep 0.2
    done
    echo "slurm.sh: the hosts did not come up: see $ITHACA_LAB/*.log" >&2
    return 1
}

on_login() { exec "$hosts" exec n1 "SLURM_CONF=$conf $(printf '%q ' "$@")"; }

# Jobs are cancelled first: slurmd would leave them running.
down() {
    local file pid
    [[ -e $conf ]] && "$0" exec scancel -u root 2>/dev/null && sleep 1
    for file in "$ITHACA_LAB"/run/*.pid; do
        [[ -e $file ]] && pid=$(cat "$file") && kill "$pid" 2>/dev/null
        for _ in $(seq 50); do
            [[ -e $file ]] && kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    done
    "$hosts" down
}

case ${1:-} in
up) up "$2" "${3:-}" ;;
exec) shift && on_login "$@" ;;
down) set +e && down ;;
*)
    sed -n '2,9p' "$0" >&2
    exit 2
    ;;
esac
