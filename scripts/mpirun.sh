#!/bin/sh
# scripts/mpirun.sh RANKS COMMAND...: mpirun for one machine, as the demo and the tests need it: also as root, with more ranks
# than cores, without binding a rank to one core.
set -eu

ranks=$1
shift
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
exec mpirun -n "$ranks" --oversubscribe --bind-to none "$@"
