/* admit.h - sessions of ith_generate_many: who gets one, how it grows, who gives it up.
 *
 * A session begins with memory for its prompt, in whole segments, and grows by one at a time,
 * before the step that needs it. Nobody is admitted unless all in flight could grow once, too.
 * Where one cannot grow, the last admitted gives up its session and waits until others have ended:
 * it then begins again with the tokens that it has come to, and goes on with the same bits. So an
 * answer does not depend on memory, and the first admitted always gets on. One that lacks memory
 * although it is alone ends with an error.
 *
 * All functions are collective.
 */
#ifndef ITH_ENGINE_ADMIT_H
#define ITH_ENGINE_ADMIT_H

#include "engine/flight.h"

/* What rank 0 has all ranks do. */
typedef enum ith_order_kind {
    ITH_ORDER_STEP,  /* with those in flight, if there are any; nobody is admitted before it */
    ITH_ORDER_ADMIT, /* another */
    ITH_ORDER_STOP,
    ITH_ORDER_END, /* no prompt is left */
    ITH_ORDER_FAIL /* rank 0 cannot say */
} ith_order_kind;

typedef struct ith_order {
    int32_t kind;
    int64_t done; /* prompts that have ended */

    /* ADMIT: */
    int32_t number;       /* rank 0: in the list of those that wait */
    int32_t uncached;     /* no prompt cache serves it */
    int32_t leader;       /* whose tokens it shares: in flight, or of those that left; -1: none */
    int32_t leader_left;  /* of those that left */
    int64_t total, first; /* see ith_flight */
    int64_t shared;       /* tokens */
    int64_t stops[ITH_STEP_MOST]; /* STEP: of those in flight, see ith_session */
    int64_t most[ITH_STEP_MOST];  /* the same */
} ith_order;

/* Opens a session for a prompt that waits. If memory lacks, it waits still; alone, it ends. */
ith_status ith_many_admit(ith_many *m, const ith_order *order, ith_error *err);

/* Makes room for what the next step may append. Some may have to wait again, or end. */
ith_status ith_many_grow(ith_many *m, ith_error *err);

/* Flight i ends; err: why, on rank 0, NULL: it is answered. */
void ith_many_leave(ith_many *m, int i, const ith_error *err);

/* Flight i is answered, but its session stays until nobody is admitted any more before the next
 * step. */
void ith_many_linger(ith_many *m, int i);

/* The sessions of those that have left are closed. */
void ith_many_release(ith_many *m);

#endif
