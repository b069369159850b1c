/* residence.h - what of a model stays in memory under a budget, and in which steps the rest comes and goes. */
#ifndef ITH_WEIGHTS_RESIDENCE_H
#define ITH_WEIGHTS_RESIDENCE_H

#include "weights/feed.h"

typedef struct ith_residence {
    size_t resident;   /* bytes that stay */
    size_t slot_bytes; /* of one slot; 0: everything stays */
    bool output_stays, embed_stays; /* the same matrix if tied */
    int layers_resident;            /* layers 0 .. layers_resident - 1 */
    int64_t part_tiles;             /* an output matrix that does not stay comes in parts of so many tiles */
    int output_parts;               /* 1 if it stays */
    int64_t first_output_step;
    ith_step *steps; /* the layers after the resident ones, then the output's parts */
    int64_t n_steps;
} ith_residence;

/* Marks entries of the plan as streamed. In this order things stay as far as budget - n_slots * slot_bytes reaches: vectors and matrices of
 * no layer but the two named; then, if rest_stays, the output, the embedding (a row at a time can be looked up in the files), layers from the first on. budget 0: all.
 * ITH_E_MEMORY: not even what must stay; the text says how much does. */
ith_status ith_residence_choose(ith_plan *plan, size_t budget, int n_slots, bool rest_stays, const ith_matrix *embed,
                                const ith_matrix *output, ith_residence *out, ith_error *err);
void ith_residence_free(ith_residence *r); /* the steps, if they are still here */

#endif
