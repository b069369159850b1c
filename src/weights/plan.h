/* plan.h - a model's matrices and vectors, each with where it comes from and how its tiles are made; nothing is allocated for them yet.
 *
 *     ith_plan plan = {0};
 *     ith_plan_matrix(&plan, ...)      for every matrix; ith_plan_vector for every norm
 *     ith_produce(p, e, unit, out)     makes a unit, a tile of a matrix or a vector; any number of threads, each with its own ith_producer
 *
 * The store makes units where kernels read them, the packer where they are written from.
 */
#ifndef ITH_WEIGHTS_PLAN_H
#define ITH_WEIGHTS_PLAN_H

#include "base/error.h"
#include "formats/filereader.h"
#include "formats/packfile.h"
#include "formats/source.h"
#include "formats/stats.h"
#include "simd/kernels.h"

typedef struct ith_matrix { /* y[rows] = W [rows, cols] x[cols] */
    char name[96];
    ith_layout layout;
    int64_t rows, cols;
    int64_t groups, n_tiles; /* of 32 columns, of 16 rows */
    size_t tile_bytes;
    const uint8_t *tiles; /* tile first_tile and those behind it; NULL until loaded */
    int64_t first_tile;   /* 0, unless parts of the matrix come and go (feed.h) */
    size_t entry;         /* number of its entry in the plan */
} ith_matrix;

/* How the rows of a tensor are ordered in the file. */
typedef enum ith_row_order {
    ITH_ROWS_PLAIN,
    ITH_ROWS_INTERLEAVED_HALVES /* per head of head_dim rows: 0, d/2, 1, d/2+1, ...: GGUF's llama query and key rows */
} ith_row_order;

enum { ITH_NO_LAYER = -1, ITH_NO_EXPERT = -1 };

typedef struct ith_entry { /* one planned matrix or vector */
    char name[96];         /* Hugging Face's */
    const ith_tensor *tensor;
    int64_t first_row;       /* of the tensor, where it holds several matrices */
    ith_matrix *matrix;      /* NULL: a vector */
    const float **vector;    /* where the vector's address goes */
    int64_t n;               /* vector: elements */
    const ith_matrix *reads; /* another matrix with the same input, whose statistics count for this one; NULL: its own do */
    const float *importance; /* [cols] of a matrix's columns, or NULL: all equal; see ith_layout_pack_tile */
    ith_row_order order;
    int64_t head_dim;
    int64_t heads; /* ranks that share the rows take whole heads of so many; 0: any rows */
    bool whole;    /* every rank multiplies with all rows in any pass: every node holds them */
    int64_t n_units;
    size_t unit_bytes; /* of a tile; of a vector */
    int layer;         /* ITH_NO_LAYER: none's */
    int stage;         /* of its layer: matrices that are used together, from 0 on as a pass comes to them */
    int expert;        /* of its layer, whose it is: a pass may need those of some only. Its matrices of a stage follow each other.
                        * ITH_NO_EXPERT: every pass needs it */
    bool streamed;     /* the store's: not in its memory, or only while it is used */
    bool as_stored;    /* a pack holds the units as they are wanted, perhaps compressed */
    size_t offset;     /* the store's: in its memory, of what the node holds */
} ith_entry;

/* Bytes of all units, rounded up to a cache line. */
static inline size_t ith_entry_bytes(const ith_entry *e)
{
    return ((size_t)e->n_units * e->unit_bytes + 63) / 64 * 64;
}

typedef struct ith_plan {
    ith_entry *entries; /* in the order of the passes through them */
    size_t n_entries, room;
    int64_t max_groups;
    int layer;                /* that what is planned now belongs to */
    const ith_packfile *pack; /* that entries come from; NULL: none */
} ith_plan;

void ith_plan_free(ith_plan *plan); /* what it holds, matrices included; accepts NULL */

/* Plans tensor [rows, cols] in `layout`. ITH_E_FORMAT, naming the tensor, if its shape is another. head_dim is read for
 * ITH_ROWS_INTERLEAVED_HALVES only. The tensor's data must stay mapped until the last unit is made; *out belongs to the plan. */
ith_status ith_plan_matrix(ith_plan *plan, const char *name, const ith_tensor *tensor, int64_t rows, int64_t cols,
                           ith_layout layout, ith_row_order order, int64_t head_dim, const ith_matrix **out,
                           ith_error *err);

/* The same for a tensor that is a stack of matrices, [number][rows of one, perhaps of several together][cols]: rows [first_row, first_row + rows)
 * of all that it has, in the order of the file; `stack`: what its first two dimensions should be. */
typedef struct ith_stack {
    const ith_tensor *tensor;
    int64_t dims[2], first_row;
} ith_stack;
ith_status ith_plan_stacked(ith_plan *plan, const char *name, const ith_stack *stack, int64_t rows, int64_t cols,
                            ith_layout layout, const ith_matrix **out, ith_error *err);

/* Plans a vector of n floats; *out is NULL till somebody puts an address there, and must live until then. */
ith_status ith_plan_vector(ith_plan *plan, const char *name, const ith_tensor *tensor, int64_t n, const float **out,
                           ith_error *err);

/* The entry of a planned matrix. */
ith_entry *ith_plan_entry(const ith_plan *plan, const ith_matrix *matrix);

/* Gives every planned matrix that `stats` know its importance; they must live until the last unit is made. ITH_E_FORMAT: they are of another
 * model. (An embedding that is only looked up has none.) */
ith_status ith_plan_weigh(ith_plan *plan, const ith_stats *stats, ith_error *err);

/* ---- Making units ---- */

typedef struct ith_producer { /* one thread's buffers */
    const ith_plan *plan;
    ith_caching caching;
    ith_pack_reader *reader; /* of packs */
    ith_filereader *file;    /* of other files: the one that was read last */
    uint8_t *tile;           /* of packs: a tile in another layout than is wanted, and its rows as floats */
    float *rows;
} ith_producer;

ith_status ith_producer_open(const ith_plan *plan, ith_caching caching, ith_producer *p, ith_error *err);
void ith_producer_close(ith_producer *p); /* accepts NULL and a zeroed struct */

/* Units [first, first + n) of e into out[n * unit_bytes], 64-byte aligned: in one reading where the file allows it. ITH_E_FORMAT: a weight that
 * the layout cannot hold; what ith_pack_read and ith_filereader_get say. */
ith_status ith_produce(ith_producer *p, const ith_entry *e, int64_t first, int64_t n, void *out, ith_error *err);

/* Bytes that these units take in their file; *packed: are they compressed there? */
size_t ith_stored_bytes(const ith_entry *e, int64_t first, int64_t n, bool *packed);

#endif
