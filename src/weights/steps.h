/* steps.h - the weights that come and go: in which order, and where each lies while it is used.
 *
 *     step     weights that are needed together: the matrices of a layer's stage
 *              (load_plan.h), or some rows of the output matrix
 *     extent   consecutive units of one matrix in a step; feed.h fetches steps in smaller extents
 *     transit  memory that the ranks of a node share, as large as one layer. Each stage has a range
 *              of it, which the same stage of the next layer takes once this layer's has been used:
 *              so nearly a whole layer is being fetched while another is computed. Rows of the
 *              output matrix take the two halves in turn
 *     shelf    a step's memory behind the transit, where experts stay after use, in cells of one
 *              expert each; where it lies: feed_homes.h
 *
 * Pure functions of a load plan. A step owns its extents; sizes are in bytes.
 */
#ifndef ITH_WEIGHTS_STEPS_H
#define ITH_WEIGHTS_STEPS_H

#include "weights/load_plan.h"

/* Units [first, first + n) of an entry. */
typedef struct ith_extent {
    const ith_entry *entry;
    int64_t first, n;
    size_t at; /* offset in the step's range of the transit; a multiple of 64 where steps list it */
} ith_extent;

typedef struct ith_step {
    ith_extent *extents; /* [n_extents] */
    int n_extents;
    size_t offset, bytes; /* its range of the transit */
    int n_experts;        /* all extents are experts', of so many experts; 0: none is */
    size_t cell_bytes;    /* of its shelf: the largest expert */
    int n_cells;          /* 0 to n_experts; 0 where matrices are cut among nodes */
} ith_step;

typedef struct ith_steps {
    ith_step *items; /* [n] stages of layers, ascending, then the output matrix */
    int64_t n;
    int n_layers, n_stages; /* stages of a layer */
    int64_t *of_stage;      /* [n_layers][n_stages] the step of a stage; -1: it stays in memory */
    int64_t first_output;   /* the first step of the output matrix; n if that stays whole */
    int output_steps;       /* steps of the output matrix; 1 if it stays whole */
    int64_t step_tiles;     /* tiles of each of them */
    size_t transit;         /* 0: everything stays, whole */
    size_t shelves;         /* of all steps, behind the transit */
} ith_steps;

/* Makes the steps of what `plan` marks as streamed; where matrices are `cut` among nodes, of all
 * layers and the output matrix, because passes other than by rows need whole matrices. The caller
 * has set n_layers, n_stages and transit. ITH_E_MEMORY: ith_steps_free frees what was made. */
ith_status ith_steps_make(const ith_load_plan *plan, const ith_matrix *output, bool cut,
                          ith_steps *steps, ith_error *err);

/* Shares `bytes` out to shelves: as many cells in every layer as there is room for, and one more in
 * the first ones. */
void ith_steps_add_shelves(ith_steps *steps, size_t bytes);

/* The step of a layer's stage; -1: it stays in memory. */
static inline int64_t ith_step_of(const ith_steps *steps, int layer, int stage)
{
    return steps->of_stage[layer * steps->n_stages + stage];
}

/* The layer of a step; -1: it is of the output matrix. */
int ith_steps_layer(const ith_steps *steps, int64_t step);

/* Frees n steps and their extents; accepts NULL. */
void ith_step_free(ith_step *steps, int64_t n);

/* Frees the steps that *steps still holds. */
void ith_steps_free(ith_steps *steps);

#endif
