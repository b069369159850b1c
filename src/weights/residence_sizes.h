/* residence_sizes.h - how much memory a model's weights take on a node, by what stays of them.
 *
 * Pure functions of a load plan. Where matrices are cut among nodes, a size is that of the node
 * that holds most, so that all ranks get the same. Bytes.
 */
#ifndef ITH_WEIGHTS_RESIDENCE_SIZES_H
#define ITH_WEIGHTS_RESIDENCE_SIZES_H

#include "weights/shards.h"

typedef struct ith_residence_params {
    ith_shards shards;
    size_t budget;                    /* of a node; 0: unlimited */
    bool rest_stays;                  /* false: only what must stay does */
    const ith_matrix *embed, *output; /* the same matrix if tied */
} ith_residence_params;

int ith_count_layers(const ith_load_plan *plan);
int ith_count_stages(const ith_load_plan *plan); /* of the layer with most */

static inline bool ith_is_expert(const ith_entry *e)
{
    return e->expert != ITH_NO_EXPERT;
}

/* Is it a matrix of that layer? */
static inline bool ith_is_of_layer(const ith_entry *e, int layer)
{
    return e->matrix != NULL && e->layer == layer;
}

/* The matrices of a layer: the experts', or all others. */
size_t ith_layer_bytes(const ith_load_plan *plan, const ith_shards *shards, int layer,
                       bool experts);

/* All rows of a stage, in the layer where it is largest. */
size_t ith_stage_bytes(const ith_load_plan *plan, int stage);

/* What stays under any budget: vectors, and matrices of no layer, but for embedding and output. */
size_t ith_bytes_that_must_stay(const ith_load_plan *plan, const ith_residence_params *params);

/* Memory for what comes and goes: all stages of a layer, or at least two tiles of the output
 * matrix. */
size_t ith_transit_bytes(const ith_load_plan *plan, const ith_residence_params *params,
                         int n_stages);

/* The least budget that suffices: nothing stays but what must. */
size_t ith_residence_least(const ith_load_plan *plan, const ith_residence_params *params);

/* What a node takes if everything stays, transit included. */
size_t ith_residence_whole(const ith_load_plan *plan, const ith_residence_params *params);

#endif
