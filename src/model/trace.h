/* trace.h - each lap of a session's passes with its time, of which a profile (profile.h) has the
 * sums; the time between passes; and what the threads that fetch weights do meanwhile.
 *
 * Laps follow one another without gaps, from the begin of the first pass to the end of the last:
 * those of a pass are the pass, and the time between two passes is one lap, or two. Memory is
 * reserved before each pass, so that a pass allocates nothing; what does not fit is counted as
 * lost. All functions are local.
 */
#ifndef ITH_MODEL_TRACE_H
#define ITH_MODEL_TRACE_H

#include "model/laps.h"
#include "weights/store.h"

#include <pthread.h>

/* Times are those of CLOCK_MONOTONIC. */
typedef struct ith_trace_lap {
    int64_t begin_ns, end_ns;
    int32_t layer; /* the number of layers: outside of them */
    uint8_t what;  /* an ith_lap, or ITH_TRACE_PASS: a pass, [begin, end) of which are its laps */
    uint8_t phase; /* an ith_phase, or ITH_PHASES: between two passes */
} ith_trace_lap;

enum { ITH_TRACE_PASS = 255 };

typedef struct ith_trace_fetch {
    int64_t begin_ns, end_ns, bytes;
    int layer; /* below 0: the output matrix */
    int thread;
    bool unpacked; /* out of zstd frames */
} ith_trace_fetch;

typedef struct ith_trace {
    int n_layers;
    int64_t origin_ns;   /* when it began */
    ith_trace_lap *laps; /* [n] */
    size_t n, cap, lost;
    int64_t tokens; /* of the last pass */
    ith_store *store;
    pthread_mutex_t lock; /* of the fetches, which other threads note */
    ith_trace_fetch *fetches;
    size_t n_fetches, cap_fetches, lost_fetches;
} ith_trace;

/* Begins now. One trace watches a store at a time: ITH_E_ARGUMENT. ITH_E_MEMORY. */
ith_status ith_trace_open(int n_layers, ith_store *store, ith_trace **trace, ith_error *err);
void ith_trace_close(ith_trace *trace); /* accepts NULL */

/* Before and after a pass; and its laps. Since last_ns, when the last pass ended, this rank has
 * waited for others for waited_ns. */
void ith_trace_begin(ith_trace *trace, int64_t last_ns, int64_t waited_ns, int64_t begin_ns);
void ith_trace_end(ith_trace *trace, int phase, int64_t begin_ns, int64_t end_ns);
static inline void ith_trace_lap_add(ith_trace *trace, ith_trace_lap lap)
{
    if (trace->n < trace->cap)
        trace->laps[trace->n++] = lap;
    else
        trace->lost++;
}

#endif
