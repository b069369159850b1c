/* residence.h - what of a model stays in a node's memory under a budget, and in which steps the rest comes and goes.
 *
 * What comes and goes has one layer's memory, the transit: each stage of a layer (plan.h) has its place there, where that of the next layer
 * comes once this layer's has been used. So nearly a layer is on its way while another is computed. Parts of the output matrix take the
 * transit's halves by turns.
 *
 * Of layers with experts what every token goes through stays first, in all layers; what is left then holds experts, as many of each layer: which
 * ones, the feed finds out (feed.h).
 *
 * Where matrices are cut among nodes (shards.h), what stays is this node's rows, which is all that passes by rows want; every layer is a step
 * then, because the other ways want whole matrices.
 */
#ifndef ITH_WEIGHTS_RESIDENCE_H
#define ITH_WEIGHTS_RESIDENCE_H

#include "weights/feed.h"
#include "weights/shards.h"

typedef struct ith_residence {
    size_t resident;                /* bytes that stay, on the node that holds most */
    size_t transit;                 /* bytes for what comes and goes; 0: everything stays, whole */
    size_t shelves;                 /* bytes behind the transit for experts that stay after use */
    bool output_stays, embed_stays; /* the same matrix if tied */
    int layers_resident;            /* layers 0 .. layers_resident - 1, but for experts, */
    int experts_resident;           /* and 0 .. experts_resident - 1 with them */
    int n_layers, n_stages;         /* stages of a layer */
    int64_t *step_of;               /* [n_layers][n_stages]: the step's number; -1: it stays */
    int64_t part_tiles;             /* an output matrix that does not stay whole comes in parts of so many tiles */
    int output_parts;               /* 1 if it stays whole */
    int64_t first_output_step;      /* the number of steps if it stays whole */
    ith_step *steps;                /* stages of layers, ascending, then the output's parts */
    int64_t n_steps;
} ith_residence;

typedef struct ith_residence_params {
    ith_shards shards;
    size_t budget;   /* bytes of a node; 0: whatever it takes */
    bool rest_stays; /* else only what must */
    const ith_matrix *embed, *output;
} ith_residence_params;

/* Marks entries of the plan as streamed. In this order things stay as far as budget - transit reaches: vectors and matrices of
 * no layer but the two named; then, if rest_stays, the output, the embedding, layers from the first on, experts. (A row of the embedding at a time can be
 * looked up in the files: where matrices are cut it does not stay, unless it is the output too.)
 * ITH_E_MEMORY: not even what must stay; the text says how much does. */
ith_status ith_residence_choose(ith_plan *plan, const ith_residence_params *params, ith_residence *out, ith_error *err);
/* The least budget that is enough: nothing stays but what must. */
size_t ith_residence_least(const ith_plan *plan, const ith_residence_params *params);
/* What a node takes if everything stays, the transit included. */
size_t ith_residence_whole(const ith_plan *plan, const ith_residence_params *params);

/* Bytes of files that a node reads, as stored, for a pass that needs this share of each layer's experts, all of them as likely as any. After choosing. */
double ith_residence_reads(const ith_plan *plan, const ith_residence_params *params, const ith_residence *r,
                           double share);

void ith_residence_free(ith_residence *r); /* the steps too, if they are still here */

#endif
