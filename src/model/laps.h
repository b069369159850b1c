/* laps.h - the laps into which the time of a pass is divided. */
#ifndef ITH_MODEL_LAPS_H
#define ITH_MODEL_LAPS_H

typedef enum ith_lap {
    ITH_LAP_WEIGHTS,   /* waiting for weights */
    ITH_LAP_PRODUCTS,  /* products with matrices, and everything between gate, up and down */
    ITH_LAP_ATTENTION, /* including the exchange among the ranks of a head group */
    ITH_LAP_EXCHANGE,  /* between ranks, including copies to and from the wire: all-to-all */
    ITH_LAP_GATHER,    /* the same in passes by rows: all-gathers */
    ITH_LAP_WAIT,      /* for other ranks to come to an all-to-all or all-gather (waited_ns of
                          comm.h) */
    ITH_LAP_REST,      /* norms, embedding, heads, cache */
    ITH_LAPS
} ith_lap;

typedef enum ith_phase { ITH_PHASE_PREFILL, ITH_PHASE_DECODE, ITH_PHASES } ith_phase;

#endif
