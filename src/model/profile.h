/* profile.h - where the time of passes goes, as thread 0 of a rank sees it: laps between the steps
 * of a layer, including waits for other threads, and what fetching the layer's weights took. All
 * functions are local. */
#ifndef ITH_MODEL_PROFILE_H
#define ITH_MODEL_PROFILE_H

#include "weights/store.h"

typedef enum ith_lap {
    ITH_LAP_WEIGHTS,   /* waiting for weights */
    ITH_LAP_PRODUCTS,  /* products with matrices, and everything between gate, up and down */
    ITH_LAP_ATTENTION, /* including the exchange among the ranks of a head group */
    ITH_LAP_EXCHANGE,  /* between ranks, including copies to and from the wire */
    ITH_LAP_REST,      /* norms, embedding, heads, cache */
    ITH_LAPS
} ith_lap;

typedef enum ith_phase { ITH_PHASE_PREFILL, ITH_PHASE_DECODE, ITH_PHASES } ith_phase;

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
    ith_profile_phase phases[ITH_PHASES];
    ith_feed_counts *fed; /* [n_layers + 1] at the end of the last pass */
} ith_profile;

/* Counts what the store fetches from now on. ITH_E_MEMORY is the only error. */
ith_status ith_profile_open(int n_layers, ith_store *store, ith_profile **profile, ith_error *err);
void ith_profile_close(ith_profile *profile); /* accepts NULL */

/* Before and after a pass of n tokens. The pass also accounts for what was fetched ahead of it. */
void ith_profile_begin(ith_profile *profile, ith_phase phase, int64_t n);
void ith_profile_end(ith_profile *profile, ith_store *store);

/* Adds the time since the last lap to `lap`. layer == n_layers: outside the layers. */
void ith_profile_lap(ith_profile *profile, int layer, ith_lap lap);

/* The sum of all entries of a phase. */
ith_profile_entry ith_profile_sum(const ith_profile *profile, ith_phase phase);

#endif
