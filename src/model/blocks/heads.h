/* heads.h - how heads travel: from token slices to head subsets, and back.
 *
 * A rank projects heads for its tokens; attention works on all tokens for its group's heads. What
 * travels to attention, in the form that its kernel and the cache want; d is the head size, dp = d
 * rounded up to 16:
 *
 *   query record   of a token, all query heads of a group
 *                  q8: [heads][dp] i8, [heads] f32 scales;  else [heads][d] f32
 *   KV record      key and value of a token and head
 *                  q8: [dp] i8, [dp] i8, two bf16 scales;   else [d], [d] of the cache's type
 *
 * Of latents (latent.c), whose value is the first dv channels of the key, a query has two scales
 * for each head, and the KV record is the key alone, in q8 with its two scales.
 *
 * By tokens, the heads may be cut into slices: slice i is the i-th share of the KV heads of every
 * Ulysses index, and of the query heads that read those. Then the exchange of one slice is under
 * way while the next one's heads are projected, and while another's attention runs (head_slices.c
 * chooses how many). What is exchanged lies slice after slice in its buffer, with the layout of its
 * record inside each.
 */
#ifndef ITH_MODEL_BLOCKS_HEADS_H
#define ITH_MODEL_BLOCKS_HEADS_H

#include "model/blocks/block.h"
#include "model/pass.h"

enum { ITH_HEAD_SLICES_MOST = ITH_FLIGHTS / 2 }; /* each takes two exchanges: queries, KV records */

/* The heads of a block: sizes of keys and values, query heads of a KV head. */
typedef struct ith_heads_shape {
    ith_kv_layout kv;
    int64_t n_q, n_kv, d, dv;
    bool latent; /* the value is the key's first dv channels; else dv is d */
} ith_heads_shape;

/* In bytes. */
typedef struct ith_query_record {
    int64_t stride;        /* from head to head */
    int64_t scales, bytes; /* where the scales begin; of the whole */
    int64_t scale;         /* of a head's scales */
} ith_query_record;

/* In bytes; the key is at 0. */
typedef struct ith_kv_record {
    int64_t value, scales, bytes;
} ith_kv_record;

ith_query_record ith_query_record_layout(const ith_heads_shape *shape, int64_t n_heads);
ith_kv_record ith_kv_record_layout(const ith_heads_shape *shape);

/* Bytes of a block of 64 tokens of a KV head in the cache, and of a segment. */
int64_t ith_heads_block_bytes(const ith_heads_shape *shape);
int64_t ith_heads_segment_bytes(const ith_heads_shape *shape);

typedef struct ith_head_slice {
    int number;
    ith_range heads; /* KV heads, counted from a group's first */
    ith_query_record record;
    int64_t before; /* bytes of a token's query records in the slices before */
} ith_head_slice;

/* The bound tensors of an attention block, and what distinguishes its layer. Shapes: hidden h, nq
 * query and nkv KV heads of size d. Vectors are NULL until they are loaded. */
typedef struct ith_attention {
    const ith_matrix *q;    /* [nq * d, h] */
    const ith_matrix *k;    /* [nkv * d, h]; NULL: keys and values are those of another layer */
    const ith_matrix *v;    /* [nkv * d, h]; NULL: a value is its key's projection */
    const ith_matrix *o;    /* [h, nq * d] */
    const ith_matrix *gate; /* [nq * d, h]; NULL: none */
    const float *q_bias;    /* [nq * d]; NULL: none; likewise */
    const float *k_bias;    /* [nkv * d] */
    const float *v_bias;    /* [nkv * d] */
    const float **q_norm;   /* [1] of all heads (ITH_QK_NORM_HEAD: [d]; _WHOLE: [nq * d]; _HEADS: */
    const float **k_norm;   /* [heads][d]), or [heads] if each is a tensor; NULL: none */
    bool norm_each;         /* each is a tensor */
    const float *sinks;     /* [nq] a score of each query head that has no value; NULL: none */
    const ith_rope *rope;   /* NULL: positions are not rotated */
    int64_t n_kv, d;        /* the layer's */
    int64_t window;         /* keys that a token sees, itself among them; 0: all before it */
} ith_attention;

/* Buffers. T, C, A: see ith_work_sizes. In each slice (its heads in place of all): */
typedef struct ith_heads_work {
    float *q, *k, *v; /* [T][ld_q], [T][ld_kv], [T][ld_kv] projections */
    float *gate;      /* [T][ld_q] likewise, if there is one */
    int64_t ld_q, ld_kv;
    float *cos[2], *sin[2]; /* [T][half] of the model's two ropes */
    float *sums;            /* ITH_QK_NORM_WHOLE: [T][ld_sums] sums of squares, of query heads, */
    int64_t ld_sums;        /* then of KV heads; at last their inverse roots, at 0 and nq */
    uint8_t *queries;       /* [A][query record]: of the tokens that I attend to */
    uint8_t *queries_out;   /* [U][T][query record] */
    uint8_t *kv_out;        /* [T][KV heads][KV record], in the order of the ranks they go to */
    uint8_t *kv_in;         /* [C][heads held][KV record], slots ascending */
    uint8_t *back;          /* [A][my group's query heads * d / 32] groups: results on their way */
    float *attn;            /* [A][my group's query heads * d]: the same in floats */
    float *cells;           /* decode: partials of my segments, see attend.c */
    float *cells_in;        /* those that arrive from my group */
    uint8_t *ring[2];       /* R > 1, prefill: segments of one head that others hold */
    ith_parcel *parcels;    /* R > 1: lists of an exchange, sends and receives [2][n_parcels] */
    int64_t n_parcels;
} ith_heads_work;

typedef struct ith_heads ith_heads;

/* Where attention's result goes: query head h of token t, counted from the first that I attend for
 * and the first that I attend to. */
typedef struct ith_heads_out {
    bool quantized; /* into acts: row t, groups first_group + h * dv / 32 ...; else into floats: */
    ith_acts acts;
    int64_t first_group;
    int64_t head_rows; /* if not 0: into acts, row h * head_rows + t, groups 0 ... */
    float *x;          /* at x + t * ld + (h - first) * dv */
    int64_t ld, first;
} ith_heads_out;

/* How heads travel in one way of a pass (ith_way). */
typedef struct ith_heads_ops {
    /* Query and KV heads that this rank projects, for its tokens. */
    ith_range (*q_heads)(const ith_heads *a);
    ith_range (*kv_heads)(const ith_heads *a);
    /* Where the slice's query record of my token `token` for Ulysses index u is made, and the KV
     * record of a head of it. */
    uint8_t *(*query_at)(const ith_heads *a, const ith_head_slice *slice, int64_t token, int u);
    uint8_t *(*kv_at)(const ith_heads *a, const ith_head_slice *slice, int64_t token,
                      int64_t kv_head);
    /* tid 0 only, unless this rank makes all records that it needs. After a barrier, the slice's
     * are sent; before one, the query records of the tokens that I attend to come together in
     * work->queries, the KV records that I hold arrive. */
    void (*send)(const ith_heads *a, const ith_head_slice *slice);
    void (*receive)(const ith_heads *a, const ith_head_slice *slice);
    /* Where the KV record of the pass's token `token` and my group's head `head`, which I hold, has
     * arrived. */
    const uint8_t *(*arrived)(const ith_heads *a, const ith_head_slice *slice, int64_t token,
                              int64_t head);
    /* Where attention's result for my heads of the slice goes: the input of the output matrix. */
    ith_heads_out (*out)(const ith_heads *a, const ith_head_slice *slice);
    /* All members, after a barrier: that result is sent. */
    void (*send_back)(const ith_heads *a, const ith_head_slice *slice, ith_member *me);
    /* All members, after that of all slices: the results become the input of the output matrix for
     * my tokens. Ends with a barrier. */
    void (*to_tokens)(const ith_heads *a, ith_member *me);
} ith_heads_ops;

extern const ith_heads_ops ith_heads_by_tokens, ith_heads_by_rows;

/* What heads are made of. Tokens are mine, heads are counted as in q_heads and kv_heads. */
typedef struct ith_heads_form {
    /* The record of a query head; NULL: those of all have been made. */
    void (*make_query)(const ith_heads *a, const ith_head_slice *slice, int64_t head,
                       int64_t token);
    /* The record of a KV head. */
    void (*make_kv)(const ith_heads *a, int64_t head, int64_t token, uint8_t *record);
    /* A record to the cache, of the pass's token `token`, my group's head `head`. */
    void (*put)(const ith_heads *a, int64_t head, int64_t token, const uint8_t *record);
} ith_heads_form;

extern const ith_heads_form ith_heads_plain;

/* One attention block in one pass: what every function below sees. */
struct ith_heads {
    ith_pass *pass;
    ith_mesh mesh; /* the pass's, for the layer's KV heads */
    const ith_attention *w;
    const ith_heads_ops *ops;
    const ith_heads_form *form;
    ith_heads_work *work;
    int layer;
    int from; /* the layer whose cache it reads: itself, unless that has no keys and values */
    ith_heads_shape shape;
    int64_t d, n_q, n_kv, group; /* of the shape; group: query heads of a KV head */
    ith_range heads;             /* my group's KV heads; query heads are these times `group` */
    ith_query_record record;     /* of all of them */
    ith_kv_record kv;
    ith_range attended; /* slots whose tokens' queries I attend to */
    int n_slices;
    int64_t head_tasks;     /* attend.c: tasks into which a KV head's query heads are divided */
    const float *cos, *sin; /* [T][half] of the layer's rope */
    int64_t half;           /* of the channels that are rotated; 0: none */
    float q_factor;         /* log2(e) times the scale of scores */
    float cap;              /* log2(e) times their soft cap; 0: none */
};

/* log2_scale: log2(e) times the scale of scores. */
ith_heads ith_heads_open(ith_pass *pass, int layer, const ith_attention *w,
                         const ith_heads_shape *shape, ith_heads_work *work, float log2_scale);

/* The KV cache of token `token`'s timeline, and the layer's number there. */
static inline ith_kv *ith_heads_kv(const ith_heads *a, int64_t token, int *layer)
{
    return ith_state_kv(ith_pass_state(a->pass, token), a->from, layer);
}

/* Does the layer make keys and values? */
static inline bool ith_heads_make_kv(const ith_heads *a)
{
    return a->from == a->layer;
}

/* Is the output matrix quantized, whole groups of 32 channels belong to one head, and no gate has
 * to be applied to them before? Then attention quantizes its result where it is made, and it
 * travels as int8. A group's quants depend on its 32 values only. */
static inline bool ith_heads_are_groups(const ith_heads *a)
{
    return ith_layout_is_quantized(a->w->o->layout) && a->d % ITH_GROUP == 0 && a->w->gate == NULL;
}

/* ---- Records (heads.c) ---- */

/* Notes a head whose largest number or, in int8, whose scale is beyond the limit. */
void ith_heads_check(const ith_heads *a, float largest);

/* Part of a KV record in a float layout (ITH_KVL_BF16 or ITH_KVL_F32): x [n]. */
void ith_heads_put_floats(ith_kv_layout layout, int64_t n, const float *x, uint8_t *out);

/* ---- Slices (head_slices.c) ---- */

ith_head_slice ith_head_slice_of(const ith_heads *a, int i);

/* What decides how many slices heads have in a pass by tokens. */
typedef struct ith_heads_slicing {
    const ith_mesh *mesh;
    ith_heads_shape shape;
    int64_t heads, n;     /* KV heads of a rank; tokens of the pass */
    bool whole;           /* is there a norm over all heads? */
    const ith_comm *comm; /* NULL: exchanges of any size overlap with compute */
} ith_heads_slicing;

/* So many; `wanted` 0: as many as pay. The same on all ranks. */
int ith_head_slices_of(const ith_heads_slicing *slicing, int wanted);

/* How many slices the heads are to have, all else being set. */
int ith_head_slices_choose(const ith_heads *a);

/* A slice's runs of adjacent heads, among the `all` that this rank projects, `each` (1, or query
 * heads) for a KV head: run i of so many. */
int ith_head_runs(const ith_heads *a);
ith_range ith_head_run(const ith_heads *a, const ith_head_slice *slice, ith_range all, int64_t each,
                       int i);

/* ---- Steps; all members call ---- */

/* heads.c, ITH_QK_NORM_WHOLE only: what the norm over all heads needs, of the projections. Ends
 * with a barrier. */
void ith_heads_measure(const ith_heads *a, ith_member *me);

/* heads.c, without a barrier: the results x of the query heads that I project, of my token t, are
 * multiplied by the sigmoid of their gates, if there are any. */
void ith_heads_gate(const ith_heads *a, int64_t t, float *x);

/* heads.c: q, k, v of a slice -> records, on their way. Without a barrier where there are several
 * slices. */
void ith_heads_make(const ith_heads *a, const ith_head_slice *slice, ith_member *me);

/* heads.c: a slice's KV records, as they have arrived -> cache. Resets the team's counter; ends
 * with a barrier. */
void ith_heads_take(const ith_heads *a, const ith_head_slice *slice, ith_member *me);

/* attend.c: query records, cache -> ops->out. Takes the counter reset; ends with a barrier. */
void ith_attend(const ith_heads *a, const ith_head_slice *slice, ith_member *me);

/* ---- Sizes ---- */

/* attend.c: tokens of a prefill tile where n_threads work on `rows` queries of all KV heads side by
 * side. */
int64_t ith_attend_tile(const ith_caches *caches, const ith_heads_shape *shape, int64_t rows,
                        int n_threads);

/* attend.c: floats per thread. */
int64_t ith_attend_scratch(const ith_caches *caches, const ith_heads_shape *shape);

/* attend.c: floats of work->cells for passes of n_tokens by segments. */
int64_t ith_attend_cells(const ith_heads_shape *shape, const ith_mesh *mesh, int64_t n_tokens,
                         int64_t n_segments);

/* heads_sizes.c: what a block of this shape needs; what blocks of n shapes request, latents all or
 * none of them; their traffic. Query heads' results
 * of d_out channels each go to the output matrix, `groups`: as int8. */
typedef struct ith_heads_traffic {
    const ith_wire *wire;
    ith_heads_shape shape;
    int64_t d_out;
    bool groups;
    bool no_kv;     /* keys and values are those of another layer */
    int64_t window; /* keys that a token sees, itself among them; 0: all before it */
} ith_heads_traffic;
void ith_heads_needs(const ith_work_sizes *sizes, const ith_heads_shape *shape,
                     ith_work_needs *needs);
void ith_heads_request(ith_requests *requests, const ith_work_sizes *sizes,
                       const ith_heads_shape *shapes, int n, ith_heads_work *work);
int64_t ith_heads_sends_by_tokens(const ith_heads_traffic *traffic, int64_t depth, int64_t n);
int64_t ith_heads_result_bytes(const ith_heads_traffic *traffic, int64_t heads);
int64_t ith_heads_exchange_most(const ith_heads_traffic *traffic, int64_t n);

#endif
