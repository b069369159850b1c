/* threads.h - a team of threads that works through steps together (threads.c alone includes
 * OpenMP).
 *
 * In ith_team_run every member runs the same function and meets the others at barriers. Work is cut
 * by pure functions of (tid, n_threads), or drawn as tasks by whoever comes first. Contract 2 fixes
 * the order of every sum, so neither changes a result. Waiting threads spin for a moment, then
 * yield the core, then sleep: teams also work well where ranks share cores. The threads live from
 * open to close (one OpenMP region). A run costs a few microseconds, so one step may be one run.
 * All members run in the default floating-point environment (fpenv.h).
 */
#ifndef ITH_BASE_THREADS_H
#define ITH_BASE_THREADS_H

#include "base/error.h"
#include "base/range.h"
#include "base/topology.h"

typedef struct ith_team ith_team;

/* One thread inside a run. */
typedef struct ith_member {
    ith_team *team;
    int tid, n_threads; /* tid 0 called ith_team_run; only it calls MPI */
    uint32_t sense;     /* of the barrier, private to the member */
    uint16_t lots;      /* opened with help so far, private too */
    int node,
        n_nodes; /* the memory node it runs beside, of so many; 0 of 1 if the team is not bound */
} ith_member;

/* *team is the caller's. ITH_E_ARGUMENT: n_threads out of range, or OpenMP grants fewer
 * (OMP_THREAD_LIMIT); ITH_E_MEMORY: also where the system refuses threads. Binding by OpenMP is
 * undone for the team, the caller's until the team closes. */
ith_status ith_team_open(int n_threads, ith_team **team, ith_error *err);
void ith_team_close(ith_team *team); /* accepts NULL */
int ith_team_size(const ith_team *team);

/* Binds each thread to the cores of its memory node (ith_topology_thread_node), the caller's until
 * the team closes; threads that it makes meanwhile inherit that. The topology must outlive the
 * team. Not inside ith_team_run. */
void ith_team_bind(ith_team *team, const ith_topology *topology);

/* Runs fn(arg, member) on every thread of the team and returns when all have finished. Not
 * nested. */
void ith_team_run(ith_team *team, void (*fn)(void *arg, ith_member *me), void *arg);

/* All members wait for each other. What any wrote before, all read after. */
void ith_barrier(ith_member *me);

/* This member's share of n things in whole units; see ith_split. */
static inline ith_range ith_my_share(const ith_member *me, int64_t n, int64_t unit)
{
    return ith_split(n, unit, me->n_threads, me->tid);
}

/* A lot: work cut into a share for each member, and each share into the same number of tasks. With
 * help, a member that has finished its own share takes tasks of others, so that a member whose core
 * is slow, or is taken away for a while, delays nobody by more than one task (work stealing,
 * Blumofe and Leiserson 1999, with shares of known size in place of stacks). A member takes its own
 * tasks first to last, others' last to first, those of members beside its memory node before the
 * rest.
 *
 * Every member opens the same lots in the same order and takes tasks until none is left:
 *
 *     ith_lot lot = ith_lot_open(me, tasks, help); while (ith_lot_next(me, &lot))
 *         work(lot.share, lot.task);
 *     ith_barrier(me);   before any result is read
 *
 * No barrier is needed between two lots (except one in 2^15 lots). Each task goes to one member.
 * Help costs a look at every other member's share, a cache line from another core: too much for
 * tasks of microseconds. */
typedef struct ith_lot {
    int share;    /* the task in hand: 0 <= share < n_threads, */
    int64_t task; /* 0 <= task < tasks */
    int64_t tasks;
    bool help;
    uint16_t number;
    int looked; /* shares found empty */
} ith_lot;
ith_lot ith_lot_open(ith_member *me, int64_t tasks, bool help); /* 0 <= tasks <= ITH_LOT_TASKS */
bool ith_lot_next(ith_member *me, ith_lot *lot);
#define ITH_LOT_TASKS ((1 << 24) - 1)

/* The range of the task in hand where the lot is n things, shared out by ith_my_share in whole
 * units. */
static inline ith_range ith_lot_range(const ith_member *me, const ith_lot *lot, int64_t n,
                                      int64_t unit)
{
    ith_range share = ith_split(n, unit, me->n_threads, lot->share),
              task = ith_split(ith_range_size(share), unit, (int)lot->tasks, (int)lot->task);
    return (ith_range){share.begin + task.begin, share.begin + task.end};
}

/* Draws the next of a run's shared numbers 0, 1, 2, ...: for tasks whose costs differ. A new series
 * begins with ith_counter_reset on one thread, followed by a barrier. */
int64_t ith_counter_next(ith_member *me);

/* The same of the run's counter for memory node `node`, 0 <= node < me->n_nodes, for tasks that
 * belong beside a node: a member that has finished those of its own node takes others'.
 * ith_counter_next is the counter of node 0. */
int64_t ith_counter_next_of(ith_member *me, int node);
void ith_counter_reset(ith_member *me);

/* The cores that this process may run on, by affinity mask and cgroup quota. */
int ith_cores_available(void);

/* The cores of this process by its affinity mask: bit c % 8 of bits[c / 8] is set if it may run on
 * one of the hardware threads of core c < 8 * bytes, which ith_cpu_core (cpumask.h) names. */
void ith_cores_mask(uint8_t *bits, size_t bytes);

/* Threads for process `me` of n on one machine, from their masks ([n][bytes]): every core is
 * shared evenly among the processes that may run on it; at least 1. Pure. */
int ith_cores_share(const uint8_t *masks, size_t bytes, int n, int me);

#endif
