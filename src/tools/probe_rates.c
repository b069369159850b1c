/* probe_rates.c - measures reading, arithmetic and barriers of a team. */
#include "tools/probe_rates.h"

#include "base/progress.h"

enum {
    MIN_RUNS = 3,
    PEAK_ROUNDS = 100000,
    READ_UNIT = 512,
    READ_BYTES = 64 << 20, /* of a run, by all members together */
    PAGE = 4096,
    BARRIERS = 200
};

typedef struct job job;
struct job {
    void (*work)(job *j, ith_member *me, int64_t run);
    const ith_peaks *peaks;
    const ith_peak *peak;
    const ith_probe_pool *pool;
    int active, node; /* node -1: all */
    double seconds, best_s;
    bool go_on;
    volatile uint64_t sink[64]; /* stores results, so that the compiler keeps the computation */
};

static void measure(void *arg, ith_member *me)
{
    job *j = arg;
    double begin_s = ith_now_s();

    if (me->tid == 0)
        j->best_s = 1e30;
    for (int64_t run = 0;; run++) {
        double start_s;
        ith_barrier(me);
        start_s = ith_now_s();
        j->work(j, me, run);
        ith_barrier(me);
        if (me->tid == 0) {
            double now_s = ith_now_s();
            j->best_s = now_s - start_s < j->best_s ? now_s - start_s : j->best_s;
            j->go_on = run + 1 < MIN_RUNS || now_s - begin_s < j->seconds;
        }
        ith_barrier(me);
        if (!j->go_on)
            return;
    }
}

/* ---- Reading ---- */

/* The bytes of the pool on a memory node. */
static ith_range local_range(const ith_probe_pool *pool, int node)
{
    return ith_split((int64_t)pool->bytes, PAGE, ith_topology_nodes(pool->topology), node);
}

void ith_probe_pool_place(const ith_probe_pool *pool)
{
    for (int node = 0; node < ith_topology_nodes(pool->topology); node++) {
        ith_range local = local_range(pool, node);
        ith_topology_place(pool->topology, pool->data + local.begin, (size_t)ith_range_size(local),
                           node);
    }
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* The active members beside a memory node. */
static ith_range members_of(const job *j, int n_threads, int node)
{
    ith_range all = ith_topology_node_threads(j->pool->topology, n_threads, node);
    return (ith_range){all.begin, least((int)all.end, j->active)};
}

/* Each run reads the next stretch of a member's share of its node's bytes. */
static void read_some(job *j, ith_member *me, int64_t run)
{
    int node = ith_topology_thread_node(j->pool->topology, me->n_threads, me->tid);
    ith_range members = members_of(j, me->n_threads, node), local = local_range(j->pool, node),
              share;
    int64_t stretch, stretches;

    if (me->tid >= members.end || (j->node >= 0 && node != j->node))
        return;
    share = ith_split(ith_range_size(local) / READ_UNIT * READ_UNIT, READ_UNIT,
                      (int)ith_range_size(members), me->tid - (int)members.begin);
    stretch = READ_BYTES / j->active / READ_UNIT * READ_UNIT;
    stretch = stretch < ith_range_size(share) ? stretch : ith_range_size(share);
    if (stretch == 0)
        return;
    stretches = ith_range_size(share) / stretch;
    j->sink[me->tid % 64] = j->peaks->read(
        j->pool->data + local.begin + share.begin + run % stretches * stretch, (size_t)stretch);
}

/* Bytes of a run: what read_some reads in all members. */
static double bytes_of_run(const job *j, int n_threads)
{
    double bytes = 0;

    for (int node = 0; node < ith_topology_nodes(j->pool->topology); node++) {
        ith_range members = members_of(j, n_threads, node), local = local_range(j->pool, node);
        int64_t n = ith_range_size(members),
                stretch = READ_BYTES / j->active / READ_UNIT * READ_UNIT;
        for (int64_t i = 0; i < n && (j->node < 0 || node == j->node); i++) {
            ith_range share =
                ith_split(ith_range_size(local) / READ_UNIT * READ_UNIT, READ_UNIT, (int)n, (int)i);
            bytes += (double)(stretch < ith_range_size(share) ? stretch : ith_range_size(share));
        }
    }
    return bytes;
}

static double read_rate(ith_team *team, job *j)
{
    j->work = read_some;
    ith_team_run(team, measure, j);
    return bytes_of_run(j, ith_team_size(team)) / j->best_s;
}

double ith_probe_read(ith_team *team, int active, const ith_peaks *peaks,
                      const ith_probe_pool *pool, double seconds)
{
    job j = {.peaks = peaks, .pool = pool, .active = active, .node = -1, .seconds = seconds};
    return read_rate(team, &j);
}

double ith_probe_read_node(ith_team *team, int node, const ith_peaks *peaks,
                           const ith_probe_pool *pool, double seconds)
{
    job j = {.peaks = peaks,
             .pool = pool,
             .active = ith_team_size(team),
             .node = node,
             .seconds = seconds};
    return read_rate(team, &j);
}

/* ---- Arithmetic, barriers ---- */

static void compute(job *j, ith_member *me, int64_t run)
{
    (void)run;
    if (me->tid < j->active)
        j->sink[me->tid % 64] = j->peak->run(PEAK_ROUNDS);
}

double ith_probe_peak(ith_team *team, int active, const ith_peak *peak, double seconds)
{
    job j = {.work = compute, .peak = peak, .active = active, .seconds = seconds};

    ith_team_run(team, measure, &j);
    return (double)PEAK_ROUNDS * (double)peak->ops * active / j.best_s;
}

static void wait_often(job *j, ith_member *me, int64_t run)
{
    (void)j, (void)run;
    for (int i = 0; i < BARRIERS; i++)
        ith_barrier(me);
}

double ith_probe_barrier(ith_team *team, double seconds)
{
    job j = {.work = wait_often, .seconds = seconds};

    ith_team_run(team, measure, &j);
    return j.best_s / BARRIERS;
}
