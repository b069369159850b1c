/* profile.h - where the time of passes goes, as thread 0 of a rank sees it: laps between the steps
 * of a layer, including waits for other threads, and what fetching the layer's weights took. All
 * functions are local. */
#ifndef ITH_MODEL_PROFILE_H
#define ITH_MODEL_PROFILE_H

#include "comm/comm.h"
#include "model/laps.h"
#include "model/trace.h"
#include "weights/store.h"

/* Of one layer, or of everything outside the layers. */
typedef struct ith_profile_entry {
    int64_t ns[ITH_LAPS];
    ith_feed_counts fed;
} ith_profile_entry;

typedef struct ith_profile_phase {
    int64_t passes, tokens;
    ith_profile_entry *entries; /* [n_layers + 1], the last for everything outside the layers */
} ith_profile_phase;

typedef struct ith_profile {
    int n_layers;
    ith_phase phase; /* of the current pass */
    int64_t last_ns; /* when the last lap ended */
    ith_comm *comm;
    int64_t waited_ns; /* of comm, when it was last looked at */
    ith_profile_phase phases[ITH_PHASES];
    ith_feed_counts *fed; /* [n_layers + 1] at the end of the last pass */
    int64_t begin_ns;     /* when the pass began */
    ith_trace *trace;     /* each lap by itself; NULL: nobody wants them. Closed with the profile */
} ith_profile;

/* Counts what the store fetches, and how long this rank waits for others, from now on. ITH_E_MEMORY
 * is the only error. */
ith_status ith_profile_open(int n_layers, ith_store *store, ith_comm *comm, ith_profile **profile,
                            ith_error *err);
void ith_profile_close(ith_profile *profile); /* accepts NULL */

/* Before and after a pass of n tokens. The pass also accounts for what was fetched ahead of it, and
 * for the time until its threads have come back. */
void ith_profile_begin(ith_profile *profile, ith_phase phase, int64_t n);
void ith_profile_end(ith_profile *profile, ith_store *store);

/* Adds the time since the last lap to `lap`, but for what this rank has waited for others since: of
 * that ITH_LAP_WAIT, which a trace shows first. layer == n_layers: outside the layers. */
void ith_profile_lap(ith_profile *profile, int layer, ith_lap lap);

/* The sum of all entries of a phase. */
ith_profile_entry ith_profile_sum(const ith_profile *profile, ith_phase phase);

#endif
