/* recurrent.h - recurrent states of one rank: of fixed size, however long the timeline is.
 *
 * The state of a layer consists of heads, which ranks share out (ith_recurrent_heads). A head's is
 * a matrix of `cells` floats that each token changes in turn (simd/kernels.h, ith_recurrence); it
 * cannot be cut back by tokens. So a timeline holds two: `now`, and `saved`, which is a few tokens
 * behind, and between them the inputs of these tokens. A timeline that is cut back to one of them
 * goes on from `saved` by their inputs, without the products that made them: what speculation needs
 * after wrong guesses.
 *
 * A short convolution needs the inputs of `taps` tokens more; they lie before the others. At the
 * beginning of a timeline both are zeros.
 *
 * What is saved on disk is the state of one head: `saved`, ITH_RECURRENT_BACK tokens behind, and
 * the inputs of these tokens and of `taps` before them. Its bits depend on the tokens alone, and
 * whoever reads it can go on anywhere among the last tokens.
 *
 * All functions are local. A pass changes the state in blocks/recur.c; besides, it is restored.
 */
#ifndef ITH_STATE_RECURRENT_H
#define ITH_STATE_RECURRENT_H

#include "base/error.h"
#include "base/range.h"
#include "base/threads.h"

/* A field of a token's inputs: so many floats for each head, or for each group. */
typedef struct ith_recurrent_field {
    int64_t floats;
    bool of_group;
} ith_recurrent_field;

/* Of one layer, over all ranks. */
typedef struct ith_recurrent_shape {
    int64_t heads, groups; /* heads; heads / groups of them share a group's inputs */
    int64_t out;           /* floats of a head's result */
    int64_t cells;         /* floats of a head's matrix; may be 0 */
    int64_t cell_ops;      /* operations of a token on each of them */
    int64_t taps;          /* earlier tokens whose inputs the next one needs */
    /* Of a token's inputs, one after another; then some of 0 floats. */
    ith_recurrent_field fields[5];
} ith_recurrent_shape;

enum {
    ITH_RECURRENT_BACK = 16, /* a timeline can be cut back by so many tokens at least */
    ITH_RECURRENT_LOG = 64   /* the tokens between `saved` and `now`, at most */
};

/* The heads whose state rank r of `ranks` holds, and the groups that they are of. */
ith_range ith_recurrent_heads(const ith_recurrent_shape *shape, int ranks, int r);
ith_range ith_recurrent_groups(const ith_recurrent_shape *shape, int ranks, int r);

/* Floats of a token's inputs for rank r. */
int64_t ith_recurrent_width(const ith_recurrent_shape *shape, int ranks, int r);

/* Floats of a head's state as it is saved: [cells], [taps + ITH_RECURRENT_BACK][inputs]. */
int64_t ith_recurrent_saved_floats(const ith_recurrent_shape *shape);

/* Bytes that rank r holds of a layer. */
int64_t ith_recurrent_bytes(const ith_recurrent_shape *shape, int ranks, int r);

/* In place of `at` and `saved_at`: the states are those of no tokens, and only a timeline that
 * begins anew can use them. */
#define ITH_RECURRENT_LOST INT64_MAX

typedef struct ith_recurrent_layer {
    ith_recurrent_shape shape; /* heads 0: the layer has no such state */
    ith_range heads, groups;   /* held here; perhaps none */
    int64_t width;             /* floats of a token's inputs */
    float *now, *saved;        /* [heads][cells] */
    float *log;                /* [taps + ITH_RECURRENT_LOG][width] from token saved_at - taps on */
    int64_t at, saved_at;      /* tokens that `now` and `saved` have seen */
    bool stale;                /* `now` is not there: a pass makes it of `saved` and the log */
} ith_recurrent_layer;

typedef struct ith_recurrent {
    int n_layers;
    ith_recurrent_layer *layers; /* [n_layers] */
    bool reserved, populated;
    bool to_save; /* passes leave `saved` as far behind as it is saved on disk */
} ith_recurrent;

/* Of rank `rank` of `ranks`; shapes [n_layers]. Allocates tables only. ITH_E_MEMORY. */
ith_status ith_recurrent_open(const ith_recurrent_shape *shapes, int n_layers, int ranks, int rank,
                              ith_recurrent **out, ith_error *err);
void ith_recurrent_close(ith_recurrent *r); /* accepts NULL */

/* Allocates the states; ITH_E_MEMORY leaves nothing. populate: brings them into memory. */
ith_status ith_recurrent_reserve(ith_recurrent *r, ith_error *err);
ith_status ith_recurrent_populate(ith_recurrent *r, ith_error *err);

/* Can a pass follow the first n_tokens tokens? */
bool ith_recurrent_resumes(const ith_recurrent *r, int64_t n_tokens);

/* The tokens that a timeline of n can be cut back by once its states are read from disk. */
int64_t ith_recurrent_back(int64_t n_tokens);

/* Can the states after n_tokens tokens be saved? Of passes with `to_save` they can, unless the
 * timeline was cut back just before. */
bool ith_recurrent_savable(const ith_recurrent *r, int64_t n_tokens);

/* Copies the state of a head that is held here, counted over all ranks, to or from its saved form
 * of ith_recurrent_saved_floats. */
void ith_recurrent_save(const ith_recurrent_layer *layer, int64_t head, float *to);
void ith_recurrent_restore(ith_recurrent_layer *layer, int64_t head, const float *from);

/* All heads of all layers have been restored: their states are those after n_tokens tokens. */
void ith_recurrent_restored(ith_recurrent *r, int64_t n_tokens);

/* The states, which are reserved, become those of another timeline. */
void ith_recurrent_copy(ith_recurrent *r, const ith_recurrent *from);

/* Says that the states, whatever they are, have seen n_tokens tokens: for benchmarks. */
void ith_recurrent_claim(ith_recurrent *r, int64_t n_tokens);

#endif
