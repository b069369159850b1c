/* residence.h - which weights stay in a node's memory under a budget; steps.h has the others.
 *
 * Under a budget these stay, in this order, as far as it goes after the transit is taken off:
 *
 *   1  vectors, and matrices of no layer, but for embedding and output: always
 *   2  the output matrix, then the embedding. Where matrices are cut among nodes, an embedding that
 *      is not the output matrix too does not stay: single rows of it are read from the files
 *   3  layers from the first on, without their experts
 *   4  experts: as many of each layer on shelves (feed.h finds out which); where matrices are cut,
 *      those of the first layers
 *
 * Where matrices are cut among nodes (shards.h), a node keeps its own rows, which is all that
 * passes by rows need. Every layer is then a step too, because other passes need whole matrices.
 */
#ifndef ITH_WEIGHTS_RESIDENCE_H
#define ITH_WEIGHTS_RESIDENCE_H

#include "weights/residence_sizes.h"
#include "weights/steps.h"

typedef struct ith_residence {
    size_t resident;                /* bytes that stay, on the node that holds most */
    bool output_stays, embed_stays; /* the same matrix if tied */
    int layers_resident;            /* layers [0, layers_resident) stay, but for their experts, */
    int experts_resident;           /* and those of [0, experts_resident) with them */
    ith_steps steps;                /* what comes and goes */
} ith_residence;

/* Decides what stays, marks all other entries of the plan as streamed, and makes their steps. Not
 * collective; the same on all ranks. ITH_E_MEMORY: the budget does not hold what must stay and a
 * layer; the text has the numbers. ith_residence_free in any case. */
ith_status ith_residence_choose(ith_load_plan *plan, const ith_residence_params *params,
                                ith_residence *residence, ith_error *err);

/* Bytes of files, as stored, that a node reads for a pass that needs the share `share`, in [0, 1],
 * of each layer's experts, each as likely as any other. After choosing. */
double ith_residence_reads(const ith_load_plan *plan, const ith_residence_params *params,
                           const ith_residence *residence, double share);

/* Frees the steps too, unless their new owner has set steps.items to NULL. */
void ith_residence_free(ith_residence *residence);

#endif
