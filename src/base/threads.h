/* threads.h - a team of threads that walks through a step together (the only room that knows OpenMP).
 *
 * In ith_team_run every member runs the same function and meets the others at barriers. Work
 * is cut by pure functions of (tid, n_threads), or given out piece by piece to who comes first; since contract 2 fixes the order of every sum,
 * neither changes a result. Those who wait spin for a moment, then yield the core, then sleep, so that teams also behave when ranks share
 * cores. The threads live from open to close (one OpenMP region); a run costs a few microseconds, so a step may be a run of its own.
 */
#ifndef ITH_BASE_THREADS_H
#define ITH_BASE_THREADS_H

#include "base/error.h"
#include "base/range.h"
#include "base/topology.h"

typedef struct ith_team ith_team;

typedef struct ith_member { /* one thread inside a region */
    ith_team *team;
    int tid, n_threads; /* tid 0 is the thread that called ith_team_run: MPI is called there only */
    uint32_t sense;     /* the barrier's, private to the member */
    uint16_t lots;      /* with help, opened so far; likewise */
    int node, n_nodes;  /* memory node beside which it runs, of so many; 0 of 1 if the team is not bound */
} ith_member;

ith_status ith_team_open(int n_threads, ith_team **team, ith_error *err);
void ith_team_close(ith_team *team); /* accepts NULL */
int ith_team_size(const ith_team *team);

/* Lets each thread run beside its memory node only (ith_topology_thread_node), the caller's too until the team closes; threads that it makes
 * meanwhile inherit that. The topology must live as long. Not inside ith_team_run. */
void ith_team_bind(ith_team *team, const ith_topology *topology);

/* Runs fn(arg, member) on every thread of the team and returns when all have. Not to be nested. */
void ith_team_run(ith_team *team, void (*fn)(void *arg, ith_member *me), void *arg);

/* All members wait for each other; what any wrote before is seen by all after. */
void ith_barrier(ith_member *me);

/* My share of n things in whole units; see ith_split. */
static inline ith_range ith_my_share(const ith_member *me, int64_t n, int64_t unit)
{
    return ith_split(n, unit, me->n_threads, me->tid);
}

/* A lot: work that is cut into a share for each member, and each share into the same number of pieces. Where the members help each other, who has
 * done his own share takes pieces of others', so one whose core is slow, or taken away for a while, holds nobody up by more than the
 * piece in hand (work stealing: Blumofe and Leiserson 1999, with shares of known size instead of stacks). His own pieces come first to last, of others' the last
 * first, those of members beside his memory node before the rest. Every member opens the same lots in the same order and takes pieces until there are none:
 *
 *   ith_lot lot = ith_lot_open(me, pieces, help);
 *   while (ith_lot_next(me, &lot))
 *       work(lot.share, lot.piece);
 *   ith_barrier(me); before any of it is read
 *
 * Between two lots no barrier is needed (but one in 2^15 of them). Each piece is given to one member. Help costs a look at every other member's share, which is a cache
 * line that comes from its core: too much for pieces of microseconds. */
typedef struct ith_lot {
    int share;     /* the piece in hand: 0 <= share < n_threads, */
    int64_t piece; /* 0 <= piece < pieces */
    int64_t pieces;
    bool help;
    uint16_t number;
    int looked; /* shares that I found empty */
} ith_lot;
ith_lot ith_lot_open(ith_member *me, int64_t pieces, bool help); /* 0 <= pieces <= ITH_LOT_PIECES */
bool ith_lot_next(ith_member *me, ith_lot *lot);
#define ITH_LOT_PIECES ((1 << 24) - 1)

/* The piece in hand where the lot is n things, its share ith_my_share of its member, in whole units. */
static inline ith_range ith_lot_part(const ith_member *me, const ith_lot *lot, int64_t n, int64_t unit)
{
    ith_range share = ith_split(n, unit, me->n_threads, lot->share),
              part = ith_split(ith_range_size(share), unit, (int)lot->pieces, (int)lot->piece);
    return (ith_range){share.begin + part.begin, share.begin + part.end};
}

/* Takes the next of a region's shared numbers 0, 1, 2, ...: for work whose pieces differ in cost. Reset by
 * ith_counter_reset on one thread, followed by a barrier. */
int64_t ith_counter_next(ith_member *me);
/* The same of the region's counter number `node`, 0 <= node < me->n_nodes, for work that has a place: who has done his own node's takes others'.
 * ith_counter_next is that of node 0. */
int64_t ith_counter_next_of(ith_member *me, int node);
void ith_counter_reset(ith_member *me);

/* Cores that this process may run on (affinity mask and cgroup quota). */
int ith_cores_available(void);

/* The affinity mask of this process: bit c % 8 of bits[c / 8] is set if it may run on CPU c < 8 * bytes. */
void ith_cores_mask(uint8_t *bits, size_t bytes);

/* Threads for process `me` of n on one machine, from their masks ([n][bytes]): every CPU is shared evenly among the processes that may
 * run on it; at least 1. Pure. */
int ith_cores_share(const uint8_t *masks, size_t bytes, int n, int me);

#endif
