/* threads.c - the team over OpenMP, and its barrier.
 *
 * OpenMP makes the threads; all waiting is ours. What binds OpenMP's threads (OMP_PROC_BIND,
 * OMP_PLACES, GOMP_CPU_AFFINITY) is undone but for the CPUs that it names (cpumask.h). GCC's
 * OpenMP spins for milliseconds wherever it waits, which is ruinous where ranks share cores (4
 * ranks x 2 threads on 2 cores, a region per step of 30 us: 52 ms a step). So a team is one
 * parallel region that lasts until the team is closed:
 *
 *   caller    member 0: opens the gate `start`, runs the function, meets the others at a last
 *             barrier
 *   primary   a thread that opens the region and sleeps, in the place of the caller, which cannot
 *             stay inside
 *   workers   members 1, 2, ...: wait at `start`, run the function, meet the others at the last
 *             barrier, and again
 *
 * A gate is a word that threads wait on until it changes. They spin for about the length of an
 * uneven task, then yield the core, then sleep in the kernel (futex). A yield that takes long has
 * given the core to a thread that needs it; then they sleep at once, because among many threads
 * that yield to each other the one that all wait for comes last (the same 4 x 2: 1.7 ms a step with
 * more yields, 0.3 ms like this).
 */
#include "base/threads.h"

#include "base/cgroup.h"
#include "base/cpumask.h"
#include "base/fpenv.h"
#include "base/relax.h"

#include <limits.h>
#include <linux/futex.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* SPINS takes about 5 us: longer spins burn what they wait whenever threads outnumber free cores (4
 * ranks x 2 threads on 2 cores, tasks of 33 us: 150 us of CPU time per barrier and rank with 4000
 * spins, 100 with 300). YIELDS covers an MPI call that waits for another rank: some milliseconds on
 * a free core. Sleeping sooner makes ranks wait for each other's sleepers: 2 ranks x 8 threads on
 * 16 virtual cores, 32 tokens decoded in 0.13 s, or in 4 to 10 s once one thread had slept (300
 * yields, or a long yield of 10 us). */
enum { LINE = 64, MAX_THREADS = 4096, SPINS = 300, YIELDS = 20000, LONG_YIELD_NS = 200000 };

/* Waiting threads only read `word`, which has a cache line without other writes. */
typedef struct gate {
    _Alignas(LINE) atomic_uint word;
    _Alignas(LINE) atomic_uint sleepers;
} gate;

typedef struct counter {
    _Alignas(LINE) atomic_llong next;
} counter;

/* What is left of a member's share of a lot: the lot's number and tasks [begin, end). Members reach
 * a lot at different times, so the first to look at a share begins it: a number before the lot's
 * means that all tasks are there, a number after it that none is, since nobody opens a lot before
 * all tasks of the last one are taken. */
typedef struct rest {
    _Alignas(LINE) atomic_ullong left;
    int node;
} rest;

enum { TASK_BITS = 24 };

struct ith_team {
    int n_threads, got; /* asked for; in the region */
    pthread_t primary;
    void (*fn)(void *arg, ith_member *me); /* of the current run; NULL: the team closes */
    void *arg;
    gate ready, start, closing;
    gate sense; /* the barrier's: the last to arrive flips it */
    _Alignas(LINE) atomic_uint arrived;
    const ith_topology *topology;  /* NULL: not bound */
    ith_cpu_mask unbound, callers; /* where OpenMP binds: all CPUs, and what the caller had */
    int n_nodes;
    counter counters[ITH_MAX_MEMORY_NODES];
    uint16_t lots; /* with help, opened in all runs so far */
    rest shares[]; /* [n_threads] */
};

static int cores_in_mask(void)
{
    uint8_t cores[1024];
    int n = 0;

    ith_cores_mask(cores, sizeof cores);
    for (size_t i = 0; i < sizeof cores; i++)
        n += __builtin_popcount(cores[i]);
    if (n == 0)
        n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? n : 1;
}

/* The caller, and after it the workers, may run on all of the process's CPUs. */
static void unbind(ith_team *team)
{
    if (!ith_cpus_bound_by_openmp())
        return;
    team->callers = ith_cpu_mask_of_thread();
    team->unbound = ith_cpu_mask_of_process();
    if (team->unbound.set != NULL)
        sched_setaffinity(0, team->unbound.bytes, team->unbound.set);
}

static void bind_again(ith_team *team)
{
    if (team->callers.set != NULL)
        sched_setaffinity(0, team->callers.bytes, team->callers.set);
    ith_cpu_mask_free(&team->callers);
    ith_cpu_mask_free(&team->unbound);
}

static void futex(atomic_uint *word, int op, unsigned value)
{
    syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static int64_t yield_ns(void)
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    sched_yield();
    clock_gettime(CLOCK_MONOTONIC, &after);
    return (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 + (after.tv_nsec - before.tv_nsec);
}

/* A sleeper announces itself before it sleeps; the opener looks for sleepers after the change. Both
 * are in one total order (seq_cst), so either the sleeper sees the change or the opener sees the
 * sleeper. */
static void gate_sleep(gate *g, unsigned old)
{
    atomic_fetch_add(&g->sleepers, 1);
    while (atomic_load(&g->word) == old)
        futex(&g->word, FUTEX_WAIT_PRIVATE, old);
    atomic_fetch_sub(&g->sleepers, 1);
}

/* Returns when the word is no longer `old`. What was written before the change is visible then. */
static void gate_wait(gate *g, unsigned old)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&g->word, memory_order_acquire) != old)
            return;
        ith_cpu_relax();
    }
    for (int i = 0; i < YIELDS; i++) {
        if (atomic_load_explicit(&g->word, memory_order_acquire) != old)
            return;
        if (yield_ns() > LONG_YIELD_NS)
            break;
    }
    gate_sleep(g, old);
}

static void gate_open(gate *g, unsigned value)
{
    atomic_store(&g->word, value);
    if (atomic_load(&g->sleepers) != 0)
        futex(&g->word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

void ith_barrier(ith_member *me)
{
    if (me->n_threads == 1)
        return;
    ith_team *team = me->team;
    unsigned old = me->sense;
    me->sense = old ^ 1u;
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 <
        (unsigned)me->n_threads) {
        gate_wait(&team->sense, old);
        return;
    }
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    gate_open(&team->sense, old ^ 1u);
}

static ith_member member(ith_team *team, int tid)
{
    return (ith_member){
        .team = team,
        .tid = tid,
        .n_threads = team->n_threads,
        .lots = team->lots,
        .n_nodes = team->n_nodes,
        .node = team->topology ? ith_topology_thread_node(team->topology, team->n_threads, tid) : 0,
    };
}

static void work(ith_team *team, int tid)
{
    uint32_t sense = 0;
    if (team->unbound.bytes > 0)
        sched_setaffinity(0, team->unbound.bytes, team->unbound.set);
    ith_fpenv_default();
    for (unsigned runs = 0;; runs++) {
        gate_wait(&team->start, runs);
        if (!team->fn)
            return;
        ith_member me = member(team, tid);
        me.sense = sense;
        team->fn(team->arg, &me);
        ith_barrier(&me);
        sense = me.sense;
    }
}

static void *run_primary(void *arg)
{
    ith_team *team = arg;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(team->n_threads)
    {
        if (omp_get_thread_num() == 0) {
            team->got = omp_get_num_threads();
            gate_open(&team->ready, 1);
            gate_wait(&team->closing, 0);
        } else {
            work(team, omp_get_thread_num());
        }
    }
    return NULL;
}

/* Lets the workers and the primary thread go. */
static void end_region(ith_team *team)
{
    team->fn = NULL;
    gate_open(&team->start, atomic_load(&team->start.word) + 1);
    gate_open(&team->closing, 1);
    pthread_join(team->primary, NULL);
}

/* ---- Will the system give so many threads? ---- */

static void *pass_through(void *arg)
{
    pthread_mutex_t *end = arg;

    pthread_mutex_lock(end);
    pthread_mutex_unlock(end);
    return NULL;
}

/* Threads of this process. A thread that has been joined may count a little longer. */
static long count_tasks(void)
{
    struct stat info;
    return stat("/proc/self/task", &info) == 0 ? (long)info.st_nlink : 0;
}

/* OpenMP ends the process if the system refuses a thread. So as many are made first as it will
 * make, the primary thread among them, and all are gone when this returns. */
static ith_status try_threads(int n, ith_error *err)
{
    pthread_t *threads = calloc((size_t)n, sizeof *threads);
    pthread_mutex_t end = PTHREAD_MUTEX_INITIALIZER;
    long before = count_tasks();
    int made = 0, code = 0;

    if (threads == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %d threads", n);
    pthread_mutex_lock(&end);
    while (made < n && (code = pthread_create(&threads[made], NULL, pass_through, &end)) == 0)
        made++;
    pthread_mutex_unlock(&end);
    for (int i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    for (int i = 0; i < YIELDS && count_tasks() > before; i++)
        sched_yield();
    if (made == n)
        return ITH_OK;
    return ith_fail(err, ITH_E_MEMORY,
                    "%d threads asked for: the system refuses more than %d (%s): is the number of "
                    "processes limited (ulimit -u, a pids control group), or the address space "
                    "(ulimit -v)? Ask for fewer threads",
                    n, made, strerror(code));
}

static ith_status begin_region(ith_team *team, ith_error *err)
{
    int code;

    ITH_TRY(try_threads(team->n_threads, err));
    code = pthread_create(&team->primary, NULL, run_primary, team);
    if (code != 0)
        return ith_fail(err, ITH_E_MEMORY, "%d threads asked for: the system refuses (%s)",
                        team->n_threads, strerror(code));
    gate_wait(&team->ready, 0);
    if (team->got == team->n_threads)
        return ITH_OK;
    end_region(team);
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%d threads asked for, OpenMP gives %d: is OMP_THREAD_LIMIT set?",
                    team->n_threads, team->got);
}

ith_status ith_team_open(int n_threads, ith_team **out, ith_error *err)
{
    *out = NULL;
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return ith_fail(err, ITH_E_ARGUMENT, "%d threads asked for: a rank runs 1 to %d", n_threads,
                        MAX_THREADS);
    size_t size = sizeof(ith_team) + (size_t)n_threads * sizeof(rest);
    ith_team *team = aligned_alloc(LINE, size);
    if (!team)
        return ith_fail(err, ITH_E_MEMORY, "thread team: %zu bytes needed", size);
    memset(team, 0, size);
    team->n_threads = n_threads;
    team->n_nodes = 1;
    unbind(team);
    if (n_threads > 1) {
        ith_status status = begin_region(team, err);
        if (status != ITH_OK) {
            bind_again(team);
            free(team);
            return status;
        }
    }
    *out = team;
    return ITH_OK;
}

void ith_team_close(ith_team *team)
{
    if (!team)
        return;
    if (team->n_threads > 1)
        end_region(team);
    if (team->topology)
        ith_topology_bind_thread(team->topology, -1);
    bind_again(team);
    free(team);
}

int ith_team_size(const ith_team *team)
{
    return team->n_threads;
}

static void bind(void *arg, ith_member *me)
{
    ith_topology_bind_thread(arg, me->node);
    me->team->shares[me->tid].node = me->node;
}

void ith_team_bind(ith_team *team, const ith_topology *topology)
{
    team->topology = topology;
    team->n_nodes = ith_topology_nodes(topology);
    ith_team_run(team, bind, (void *)topology);
}

static void reset_counters(ith_team *team)
{
    for (int i = 0; i < team->n_nodes; i++)
        atomic_store_explicit(&team->counters[i].next, 0, memory_order_relaxed);
}

void ith_team_run(ith_team *team, void (*fn)(void *arg, ith_member *me), void *arg)
{
    ITH_DEFAULT_FPENV;
    ith_member me = member(team, 0);
    reset_counters(team);
    if (team->n_threads == 1) {
        fn(arg, &me);
        team->lots = me.lots;
        return;
    }
    me.sense = atomic_load(&team->sense.word); /* at rest between runs */
    team->fn = fn;
    team->arg = arg;
    gate_open(&team->start, atomic_load(&team->start.word) + 1);
    fn(arg, &me);
    ith_barrier(&me);
    team->lots = me.lots;
}

/* ---- Lots ---- */

static uint64_t left_of(uint16_t number, uint64_t begin, uint64_t end)
{
    return (uint64_t)number << 2 * TASK_BITS | begin << TASK_BITS | end;
}

/* The barrier after the lot orders results, so relaxed order suffices here. */
static bool take(rest *s, const ith_lot *lot, bool first, int64_t *task)
{
    const uint64_t mask = (1u << TASK_BITS) - 1;
    unsigned long long left = atomic_load_explicit(&s->left, memory_order_relaxed), then;

    do {
        int16_t behind = (int16_t)(uint16_t)(lot->number - (uint16_t)(left >> 2 * TASK_BITS));
        uint64_t begin = behind > 0 ? 0 : left >> TASK_BITS & mask,
                 end = behind > 0 ? (uint64_t)lot->tasks : left & mask;
        if (behind < 0 || begin == end)
            return false;
        *task = (int64_t)(first ? begin : end - 1);
        then = first ? left_of(lot->number, begin + 1, end) : left_of(lot->number, begin, end - 1);
    } while (!atomic_compare_exchange_weak_explicit(&s->left, &left, then, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

ith_lot ith_lot_open(ith_member *me, int64_t tasks, bool help)
{
    ith_lot lot = {.share = me->tid,
                   .task = -1,
                   .tasks = tasks,
                   .help = help && tasks > 0 && me->n_threads > 1};
    if (lot.help) /* not for a lot without tasks: no share would ever learn its number */
        lot.number = ++me->lots;
    return lot;
}

/* One round among the members beside this memory node, the own share first; then one among the
 * others. */
bool ith_lot_next(ith_member *me, ith_lot *lot)
{
    const int n = me->n_threads;
    rest *shares = me->team->shares;

    if (!lot->help)
        return ++lot->task < lot->tasks;
    for (int rounds = me->n_nodes > 1 ? 2 : 1; lot->looked < rounds * n; lot->looked++) {
        lot->share = (me->tid + lot->looked) % n;
        bool beside = me->n_nodes == 1 || shares[lot->share].node == me->node;
        if (beside == (lot->looked < n) &&
            take(&shares[lot->share], lot, lot->share == me->tid, &lot->task))
            return true;
    }
    return false;
}

/* ---- Counters ---- */

int64_t ith_counter_next_of(ith_member *me, int node)
{
    return atomic_fetch_add_explicit(&me->team->counters[node].next, 1, memory_order_relaxed);
}

int64_t ith_counter_next(ith_member *me)
{
    return ith_counter_next_of(me, 0);
}

void ith_counter_reset(ith_member *me)
{
    reset_counters(me->team);
}

int ith_cores_available(void)
{
    int cores = cores_in_mask();
    int64_t quota = ith_cgroup_cores("");
    return quota < cores ? (int)quota : cores;
}

void ith_cores_mask(uint8_t *bits, size_t bytes)
{
    ith_cpu_mask m = ith_cpu_mask_of_process();

    memset(bits, 0, bytes);
    for (size_t c = 0; m.set != NULL && c < 8 * bytes && c < 8 * m.bytes; c++)
        if (CPU_ISSET_S(c, m.bytes, m.set)) {
            int core = ith_cpu_core("", (int)c);
            bits[core / 8] |= (uint8_t)(1u << core % 8);
        }
    ith_cpu_mask_free(&m);
}

int ith_cores_share(const uint8_t *masks, size_t bytes, int n, int me)
{
    double share = 0;
    for (size_t c = 0; c < 8 * bytes; c++) {
        int sharers = 0;
        for (int i = 0; i < n; i++)
            sharers += masks[(size_t)i * bytes + c / 8] >> c % 8 & 1;
        if (masks[(size_t)me * bytes + c / 8] >> c % 8 & 1)
            share += 1.0 / sharers;
    }
    return share < 1 ? 1 : (int)(share + 1e-6);
}
