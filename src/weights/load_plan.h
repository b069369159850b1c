/* load_plan.h - the load plan: which tensors become which matrices and vectors, in which layout.
 *
 *     ith_load_plan plan = {0};
 *     ith_load_plan_matrix(&plan, ...)   for every matrix; ith_load_plan_vector for every vector
 *
 * Planning reads shapes only and allocates no weights: sizes are known before any memory is taken.
 * produce.h makes the planned units; store.h keeps them.
 */
#ifndef ITH_WEIGHTS_LOAD_PLAN_H
#define ITH_WEIGHTS_LOAD_PLAN_H

#include "base/error.h"
#include "base/range.h"
#include "formats/packfile.h"
#include "formats/source.h"
#include "formats/stats.h"
#include "simd/kernels.h"

/* Tiles that have some of these rows; {0, 0} if there are no rows. */
static inline ith_range ith_tiles_of(ith_range rows)
{
    if (rows.begin >= rows.end)
        return (ith_range){0, 0};
    return (ith_range){rows.begin / ITH_TILE_ROWS, (rows.end + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS};
}

/* Units [first, first + n) of an entry (a matrix's are its tiles), one after another in memory. */
typedef struct ith_strip {
    int64_t first, n;
    int rank;          /* because of which they are held (shards.h) */
    int region;        /* of the spread (spread.h) */
    size_t offset;     /* in the memory of what stays; for experts on shelves, of cell 0, */
    size_t cell_bytes; /* and from each cell to the next */
} ith_strip;

/* y[rows] = W [rows, cols] x[cols] */
typedef struct ith_matrix {
    char name[96];
    ith_layout layout;
    int64_t rows, cols;
    int64_t groups, n_tiles; /* of 32 columns; of 16 rows */
    size_t tile_bytes;
    const uint8_t *tiles; /* tile first_tile; NULL until loaded */
    int64_t first_tile;   /* 0, unless the matrix is held or fetched tile by tile (feed.h) */
    /* [n_strips], ascending from first_tile on; 0: all tiles lie one after another. Read them by
     * ith_matrix_tiles and ith_matrix_run (store.h). */
    const ith_strip *strips;
    int n_strips;
    int64_t cell; /* of the strips; 0 for what stays */
    size_t entry; /* its number in the plan */
} ith_matrix;

/* How rows of heads lie in the file; all zeros: in order. */
typedef struct ith_head_order {
    int64_t head_dim; /* rows of a head */
    /* The first d = `rotated` of these: 0, d/2, 1, d/2+1, ... (GGUF's llama query and key rows). */
    int64_t rotated;
    int64_t stride; /* rows from a head to the next, between which others lie; 0: head_dim */
    /* The file has the first of the heads that belong to each of so many groups, then the second of
     * each, and so on (GGUF's Qwen3.5); 0: group after group. */
    int64_t tiles, n_heads;
} ith_head_order;

/* Rows of each head: of `of` rows of the tensor, `rows` from `first` on. rows 0: a matrix has all
 * rows of its tensor. Turned: the rows of each head are transposed; the matrix then has as many
 * rows for each head as the tensor has columns, and `rows` columns. */
typedef struct ith_head_rows {
    int64_t of, first, rows;
    bool turned;
} ith_head_rows;

/* What a vector's numbers are made of; zeros: of the tensor's as they are. A pack holds the result,
 * so nothing of this is done again. */
typedef struct ith_vector_form {
    ith_head_order order;
    float add; /* to each element */
    /* A short convolution: of a tensor [channels][taps] or [channels][1][taps] the channels from
     * `first` on, tap by tap: [taps][n / taps]. The order is that of the channels. */
    int64_t taps, channels, first;
    bool minus_exp; /* -exp(x) */
} ith_vector_form;

enum { ITH_NO_LAYER = -1, ITH_NO_EXPERT = -1 };

/* A planned matrix or vector. Its units are made and held one by one: the tiles of a matrix, or the
 * whole vector. */
typedef struct ith_entry {
    char name[96]; /* Hugging Face's */
    const ith_tensor *tensor;
    int64_t first_row;    /* of the tensor, where it holds several matrices; of a vector, element */
    int64_t row_step;     /* from a row to the next, in rows of the tensor; likewise */
    int64_t turned_rows;  /* the tensor stacks matrices [columns][so many rows]; 0: it does not */
    ith_matrix *matrix;   /* NULL: a vector */
    const float **vector; /* where the vector's address goes */
    bool sub_vector;      /* the tensor has more than the vector's elements */
    int64_t n;            /* vector: elements */
    /* Another matrix with the same input, whose statistics count for this one; NULL: its own do. */
    const ith_matrix *reads;
    const float *importance; /* [cols] of columns; NULL: all equal; see ith_layout_pack_tile */
    ith_head_order order;    /* of a matrix's rows */
    ith_head_rows head_rows;
    ith_vector_form form; /* of a vector */
    int64_t heads;        /* ranks share the rows by whole heads of so many; 0: by any rows */
    /* The heads are shared as those of a recurrent block: so many of them are, and each of `heads`
     * goes with as many of these; 0: as attention's. */
    int64_t served;
    bool whole; /* every rank multiplies with all rows in any pass, so every node holds them */
    int64_t n_units;
    size_t unit_bytes; /* of a tile; of a vector */
    int layer;         /* ITH_NO_LAYER: none */
    int stage;         /* of its layer: matrices used together; from 0 on, in the order of a pass */
    /* The expert of its layer that it belongs to, which a pass may not need; ITH_NO_EXPERT: every
     * pass needs it. The matrices of an expert in a stage follow each other. */
    int expert;
    bool as_stored; /* a pack holds the units in this layout, perhaps compressed */
    bool streamed;  /* set by the store: in memory only while it is used, or never */
    size_t strip;   /* set by spread.h: its first strip there; */
    int n_strips;   /* 0: not there */
} ith_entry;

/* Bytes of all units, rounded up to a cache line. */
static inline size_t ith_entry_bytes(const ith_entry *e)
{
    return ((size_t)e->n_units * e->unit_bytes + 63) / 64 * 64;
}

/* A load plan. It owns its entries and their matrices. */
typedef struct ith_load_plan {
    ith_entry *entries; /* [n_entries] in the order in which a pass uses them */
    size_t n_entries, room;
    int64_t max_groups;       /* of any matrix */
    int layer;                /* set by the caller: what is planned now belongs to it */
    const ith_packfile *pack; /* that entries come from; NULL: none */
} ith_load_plan;

void ith_load_plan_free(ith_load_plan *plan); /* leaves a zeroed plan; accepts NULL */

/* Plans rows [first_row, first_row + rows) of a tensor of shape [all_rows, cols], in `layout`; the
 * dimension of a single row may be left out. The
 * tensor's data must stay mapped until the last unit is made. *out belongs to the plan.
 * ITH_E_FORMAT, naming the tensor: its shape is another. ITH_E_MEMORY. */
typedef struct ith_rows_of {
    const ith_tensor *tensor;
    int64_t all_rows, first_row;
    ith_head_order order;
    ith_head_rows
        head_rows; /* the matrix's only these rows of each head; rotated heads have none */
} ith_rows_of;
ith_status ith_load_plan_rows(ith_load_plan *plan, const char *name, const ith_rows_of *from,
                              int64_t rows, int64_t cols, ith_layout layout, const ith_matrix **out,
                              ith_error *err);

/* The same of a whole tensor, its rows as they are. */
ith_status ith_load_plan_matrix(ith_load_plan *plan, const char *name, const ith_tensor *tensor,
                                int64_t rows, int64_t cols, ith_layout layout,
                                const ith_matrix **out, ith_error *err);

/* A matrix of rows first_row, first_row + row_step, ... in a tensor that stacks several matrices.
 * The tensor must have shape [dims[0], dims[1], cols], or turned, [dims[0], cols, dims[1]]; rows
 * are counted over dims, in the order of the file. ITH_E_UNSUPPORTED: turned, and of blocks. */
typedef struct ith_stack {
    const ith_tensor *tensor;
    int64_t dims[2], first_row, row_step;
    bool turned;
} ith_stack;
ith_status ith_load_plan_stacked(ith_load_plan *plan, const char *name, const ith_stack *stack,
                                 int64_t rows, int64_t cols, ith_layout layout,
                                 const ith_matrix **out, ith_error *err);

/* Plans a vector of n floats, of one dimension (or two, [1, n]) or, if rows is not 0, of two:
 * [rows, n / rows], or a convolution's. *out is NULL until the store puts the address there; it
 * must live until then. Errors as above. */
typedef struct ith_vector_of {
    const ith_tensor *tensor;
    int64_t n, rows;
    /* n elements of a tensor of `all`: from `first` on every step-th (0: each); all 0: the whole.
     * Of `rows`, it has as many. ITH_E_UNSUPPORTED: blocks that would be cut. */
    int64_t all, first, step;
    ith_vector_form form;
} ith_vector_of;
ith_status ith_load_plan_vector(ith_load_plan *plan, const char *name, const ith_vector_of *from,
                                const float **out, ith_error *err);

/* Bytes of all entries. */
size_t ith_load_plan_bytes(const ith_load_plan *plan);

/* The entry of a planned matrix. */
ith_entry *ith_load_plan_entry(const ith_load_plan *plan, const ith_matrix *matrix);

/* Gives every planned matrix that `stats` know its importance. `stats` must live until the last
 * unit is made. ITH_E_FORMAT: they know none of the matrices, so they are of another model. (An
 * embedding that is only looked up has no statistics.) */
ith_status ith_load_plan_weigh(ith_load_plan *plan, const ith_stats *stats, ith_error *err);

#endif
