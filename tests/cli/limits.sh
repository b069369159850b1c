#!/bin/bash
# limits.sh - limits and settings of the system that a run meets: address space, threads, OpenMP's
# binding, memory of other processes, a SLURM job's memory.
. tests/tap.sh

run=("$ITHACA" run -m $NEEDLE --raw -p "The rain" -n 3 --temp 0)
addresses() { (ulimit -v "$1" && shift && exec timeout --kill-after=1 600 "$@"); }
said() { grep -oE '[0-9]+ x [0-9]+ threads' "$1"; }

# Address space. Built with AddressSanitizer the program cannot start under a limit.
if addresses 400000 "$ITHACA" -h >/dev/null 2>&1; then
    for kib in 140000 200000; do
        expect "version, $kib KiB of addresses" 0 addresses $kib "$ITHACA" version
        matches "version, $kib KiB of addresses: everything is said" "$out" "^  blas"
        expect "a run, $kib KiB of addresses" 0 addresses $kib "${run[@]}" --threads 1
    done
    expect "an exact run, too few addresses" 1 addresses 250000 "${run[@]}" --exact --threads 1
    matches "an exact run, too few addresses: said so" "$err" "^ithaca: error: .*ulimit -v"
else
    ok "address space # SKIP the program does not start under ulimit -v"
fi

# Threads: a limit on processes does not bind root, so a stand-in for pthread_create refuses
cat >"$work/few.c" <<'C'
/* pthread_create that refuses the fourth thread and those after it while they live */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
static atomic_int made;
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *x)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    return atomic_fetch_add(&made, 1) >= 3 ? EAGAIN : real(t, a, f, x);
}
C
if nm "$ITHACA" 2>/dev/null | grep -q __asan; then
    ok "refused threads # SKIP AddressSanitizer has pthread_create"
elif gcc -shared -fPIC -o "$work/few.so" "$work/few.c" -ldl 2>"$err"; then
    expect "refused threads" 1 env LD_PRELOAD="$work/few.so" "${run[@]}" --threads 8
    matches "refused threads: named" "$err" "^ithaca: error: 8 threads asked for: the system refuses more than 3 \("
    same "refused threads: one line" 1 "$(wc -l <"$err")"
else
    ok "refused threads # SKIP no compiler for a stand-in"
fi

# OpenMP's binding neither pins the run nor takes threads away unsaid
expect "nothing set" 0 "${run[@]}"
want=$(said "$err")
for set in OMP_PROC_BIND=true OMP_PROC_BIND=close "OMP_PROC_BIND=spread OMP_PLACES=threads"; do
    # shellcheck disable=SC2086 # words on purpose
    expect "$set" 0 env $set "${run[@]}"
    same "$set: as many threads" "$want" "$(said "$err")"
done
first=$(grep -oE 'Cpus_allowed_list:.*' /proc/self/status | grep -oE '[0-9]+' | head -n 1)
if (($(nproc) > 1)); then
    expect "GOMP_CPU_AFFINITY" 0 env GOMP_CPU_AFFINITY="$first" "${run[@]}"
    matches "GOMP_CPU_AFFINITY: a note" "$err" "note: GOMP_CPU_AFFINITY=$first leaves 1 of the machine's [0-9]+ cores"
fi

# Where ranks may not read each other's memory
if ${CC:-cc} -o "$work/deny" tests/cli/deny.c 2>"$err" && "$work/deny" true; then
    haystack --tokens 3000 --depth 0.4 --seed 3 >"$work/text" 2>/dev/null
    expect "no reading of other ranks' memory" 0 "$work/deny" env -u OMPI_MCA_btl_vader_single_copy_mechanism OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        OMPI_MCA_btl_base_warn_component_unused=0 mpirun -n 2 --oversubscribe --bind-to none "$ITHACA" run -m $NEEDLE -f "$work/text" -n 3 --temp 0 --threads 1
    matches "no reading of other ranks' memory: a note" "$err" "^ithaca: note: the system does not let ranks read each other's memory"
    same "no reading of other ranks' memory: two lines beside progress" 2 "$(grep -cvE '^(load|measure|prefill) ' "$err")"
else
    ok "no reading of other ranks' memory # SKIP no filter can be set here"
fi

# A SLURM job's memory
expect "SLURM_MEM_PER_NODE" 1 env SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=60 "${run[@]}" -c 100k
matches "SLURM_MEM_PER_NODE: named in the end" "$err" "MiB available per rank|GiB available"
expect "SLURM_MEM_PER_NODE=0 is all" 0 env SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=0 "${run[@]}"
