/* threads.c - the team over OpenMP, and its barrier.
 *
 * The barrier reverses a sense bit: the last to arrive flips it, the others wait for the flip. OpenMP's own barrier
 * spins for milliseconds before it sleeps, which starves the other ranks where several share a core. Ours spins for about
 * the length of an uneven piece of work, then yields, then sleeps in the kernel (futex).
 */
#include "base/threads.h"

#include "base/cgroup.h"

#include <limits.h>
#include <linux/futex.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SPINS is about 5 us: longer spins cost as much as they wait whenever threads outnumber free cores (4 ranks x 2 threads on 2
 * cores, pieces of 33 us: 150 us of CPU time per barrier and rank with 4000 spins, 100 with 300). YIELDS covers a short MPI call. */
enum { LINE = 64, MAX_THREADS = 4096, SPINS = 300, YIELDS = 300 };

struct ith_team {
    int n_threads;
    /* Each on a cache line of its own: those who wait read `sense` only, undisturbed by those who arrive. */
    _Alignas(LINE) atomic_uint arrived;
    _Alignas(LINE) atomic_uint sense;
    _Alignas(LINE) atomic_uint sleepers;
    _Alignas(LINE) atomic_llong counter;
};

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::
                         : "memory"); /* `yield` does nothing on most cores; isb takes about as long as x86's pause */
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void futex(atomic_uint *word, int op, unsigned value)
{
    syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

ith_status ith_team_open(int n_threads, ith_team **team, ith_error *err)
{
    *team = NULL;
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return ith_fail(err, ITH_E_ARGUMENT, "%d threads asked for: a rank runs 1 to %d", n_threads, MAX_THREADS);
    int got = 1;
    if (n_threads > 1) {
        omp_set_dynamic(0);
#pragma omp parallel num_threads(n_threads)
        {
            if (omp_get_thread_num() == 0)
                got = omp_get_num_threads();
        }
    }
    if (got != n_threads)
        return ith_fail(err, ITH_E_ARGUMENT, "%d threads asked for, OpenMP gives %d: is OMP_THREAD_LIMIT set?",
                        n_threads, got);
    ith_team *t = aligned_alloc(LINE, sizeof *t);
    if (!t)
        return ith_fail(err, ITH_E_MEMORY, "thread team: %zu bytes needed", sizeof *t);
    t->n_threads = n_threads;
    atomic_init(&t->arrived, 0);
    atomic_init(&t->sense, 0);
    atomic_init(&t->sleepers, 0);
    atomic_init(&t->counter, 0);
    *team = t;
    return ITH_OK;
}

void ith_team_close(ith_team *team)
{
    free(team);
}

int ith_team_size(const ith_team *team)
{
    return team->n_threads;
}

void ith_team_run(ith_team *team, void (*fn)(void *arg, ith_member *me), void *arg)
{
    atomic_store_explicit(&team->counter, 0, memory_order_relaxed);
    if (team->n_threads == 1) {
        ith_member me = {.team = team, .tid = 0, .n_threads = 1};
        fn(arg, &me);
        return;
    }
#pragma omp parallel num_threads(team->n_threads)
    {
        /* The size is the region's own: with fewer threads than at open the work is cut into fewer pieces. The sense cannot flip
         * before every member has read it here and arrived at the first barrier. */
        ith_member me = {.team = team, .tid = omp_get_thread_num(), .n_threads = omp_get_num_threads()};
        me.sense = atomic_load_explicit(&team->sense, memory_order_relaxed);
        fn(arg, &me);
    }
}

/* Announces itself before it sleeps; the one who flips the sense looks for sleepers after the flip. Both in one
 * total order (seq_cst), so either the sleeper sees the flip or the other sees the sleeper. */
static void sleep_until_flipped(ith_team *team, unsigned old)
{
    atomic_fetch_add(&team->sleepers, 1);
    while (atomic_load(&team->sense) == old)
        futex(&team->sense, FUTEX_WAIT_PRIVATE, old);
    atomic_fetch_sub(&team->sleepers, 1);
}

static void wait_until_flipped(ith_team *team, unsigned old)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&team->sense, memory_order_acquire) != old)
            return;
        cpu_relax();
    }
    for (int i = 0; i < YIELDS; i++) {
        if (atomic_load_explicit(&team->sense, memory_order_acquire) != old)
            return;
        sched_yield();
    }
    sleep_until_flipped(team, old);
}

void ith_barrier(ith_member *me)
{
    if (me->n_threads == 1)
        return;
    ith_team *team = me->team;
    unsigned old = me->sense;
    me->sense = old ^ 1u;
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 < (unsigned)me->n_threads) {
        wait_until_flipped(team, old);
        return;
    }
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_store(&team->sense, old ^ 1u);
    if (atomic_load(&team->sleepers) != 0)
        futex(&team->sense, FUTEX_WAKE_PRIVATE, INT_MAX);
}

int64_t ith_counter_next(ith_member *me)
{
    return atomic_fetch_add_explicit(&me->team->counter, 1, memory_order_relaxed);
}

void ith_counter_reset(ith_member *me)
{
    atomic_store_explicit(&me->team->counter, 0, memory_order_relaxed);
}

/* The kernel refuses a mask smaller than its own, so it grows until it fits. */
static int cores_in_mask(void)
{
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *mask = CPU_ALLOC((size_t)cpus);
        if (!mask)
            break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int n = sched_getaffinity(0, bytes, mask) == 0 ? CPU_COUNT_S(bytes, mask) : 0;
        CPU_FREE(mask);
        if (n > 0)
            return n;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int ith_cores_available(void)
{
    int mask = cores_in_mask();
    int64_t quota = ith_cgroup_cores("");
    return quota < mask ? (int)quota : mask;
}
