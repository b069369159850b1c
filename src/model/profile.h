/* profile.h - where the time of passes goes, as thread 0 of a rank sees it: laps between the steps of a layer, waits for other threads
 * included, and what fetching its weights took. */
#ifndef ITH_MODEL_PROFILE_H
#define ITH_MODEL_PROFILE_H

#include "weights/store.h"

typedef enum ith_lap {
    ITH_LAP_WEIGHTS,   /* waiting for weights */
    ITH_LAP_PRODUCTS,  /* matrices; gate, up and what is between them and down */
    ITH_LAP_ATTENTION, /* where a head group has several ranks, their exchange in it too */
    ITH_LAP_EXCHANGE,  /* between ranks, with the copies to and from the wire */
    ITH_LAP_REST,      /* norms, embedding, heads, cache */
    ITH_LAPS
} ith_lap;

typedef enum ith_phase { ITH_PHASE_PREFILL, ITH_PHASE_DECODE, ITH_PHASES } ith_phase;

typedef struct ith_profile_part { /* a layer; all that is outside of layers */
    int64_t ns[ITH_LAPS];
    ith_feed_counts fed;
} ith_profile_part;

typedef struct ith_profile_phase {
    int64_t passes, tokens;
    ith_profile_part *parts; /* [n_layers + 1], the last: outside */
} ith_profile_phase;

typedef struct ith_profile {
    int n_layers;
    ith_phase phase; /* of the pass in hand */
    int64_t last_ns; /* when the last lap ended */
    ith_profile_phase phases[ITH_PHASES];
    ith_feed_counts *fed; /* [n_layers + 1] when the last pass ended */
} ith_profile;

/* What the store has fetched by now is left out. */
ith_status ith_profile_open(int n_layers, ith_store *store, ith_profile **profile, ith_error *err);
void ith_profile_close(ith_profile *profile); /* accepts NULL */

/* Around a pass of n tokens. What fetching ahead of the pass took counts for it. */
void ith_profile_begin(ith_profile *profile, ith_phase phase, int64_t n);
void ith_profile_end(ith_profile *profile, ith_store *store);

/* The time since the last lap went into this; `layer` n_layers: outside. */
void ith_profile_lap(ith_profile *profile, int layer, ith_lap lap);

/* All parts of a phase together. */
ith_profile_part ith_profile_sum(const ith_profile *profile, ith_phase phase);

#endif
