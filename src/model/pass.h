/* pass.h - one pass of n tokens through the layers, by all ranks and all their threads.
 *
 * A pass runs one of two ways (struct ith_way), with the same bits:
 *
 *   ulysses  prefill. A rank holds a slice of the pass's tokens and computes all rows of every matrix for them; an all-to-all
 *            turns token slices into head subsets before attention, another turns them back after it.
 *   rows     decode and short prefills. A rank holds all of the pass's tokens and computes its heads and its rows
 *            of every matrix; results are all-gathered. No sum is split between ranks.
 *
 * Inside a pass every thread of the team runs the same functions (SPMD): each takes (pass, me), does its share, and meets the
 * others at the barriers that the functions' comments name. Rank-to-rank communication happens on tid 0.
 *
 * A record is what one token brings to one rank's heads: its query, key and value in the form that the attention kernel
 * and the cache want. With nq, nkv the heads of a rank, d the head size, dp = d rounded up to 16:
 *   q8          [nq][dp] i8 queries, [nq] f32 their scales, [nkv][dp] i8 keys, [nkv][dp] i8 values, [nkv] bf16, [nkv] bf16 scales
 *   bf16, f32   [nq][d] f32 queries, [nkv][d] keys, [nkv][d] values of that type
 */
#ifndef ITH_MODEL_PASS_H
#define ITH_MODEL_PASS_H

#include "comm/mesh.h"
#include "kv/kv.h"
#include "model/linear.h"
#include "model/model.h"
#include "model/probe.h"

typedef struct ith_record { /* offsets in bytes */
    int64_t q, q_scale, k, v, k_scale, v_scale, bytes;
    int64_t q_stride, kv_stride; /* bytes from head to head */
} ith_record;

typedef struct ith_pass ith_pass;

typedef struct ith_heads_out { /* query head h of token t, h from this rank's first one */
    bool quantized;            /* into acts, row t, groups first_group + h * d / 32 ...; else floats at x + t * ld + h * d */
    ith_acts acts;
    int64_t first_group;
    float *x;
    int64_t ld;
} ith_heads_out;

typedef struct ith_way {
    const char *name;
    /* Rows of a matrix of n_rows that this rank computes. */
    ith_range (*rows)(const ith_pass *pass, int64_t n_rows);
    /* KV heads that this rank projects. */
    ith_range (*kv_heads)(const ith_pass *pass);
    /* Where the record of my token `token` for rank r's heads is to be written. */
    uint8_t *(*record_at)(const ith_pass *pass, int64_t token, int r);
    /* tid 0 only, barriers around it: the records of all the pass's tokens for my heads come together in ws->records. NULL if
     * they are made there. */
    void (*to_heads)(ith_pass *pass);
    /* Where attention's result for my heads goes, the input of the output matrix `o`. */
    ith_heads_out (*heads_out)(const ith_pass *pass, const ith_matrix *o);
    /* All members, after a barrier: that result becomes the input of `o` for my tokens. Ends with a barrier. */
    void (*to_tokens)(ith_pass *pass, const ith_matrix *o, ith_member *me);
    /* All members, after a barrier, if there are several ranks: the wide intermediate, of which this rank made its rows, becomes whole
     * for my tokens. Ends with a barrier. */
    void (*gather_mid)(ith_pass *pass, ith_member *me, const ith_matrix *down);
    /* All members, after a barrier: ws->y, with the rows of this rank at the start of each token's row, becomes whole. The member that
     * owns a token's share (ith_my_share) may go on with it at once; others need a barrier. */
    void (*gather_y)(ith_pass *pass, ith_member *me);
} ith_way;

extern const ith_way ith_way_ulysses, ith_way_rows;

typedef struct ith_comm_plan { /* byte counts and displacements of one side of an exchange, [ranks] each */
    int64_t *counts, *displs;
} ith_comm_plan;

typedef struct
    ith_workspace { /* all buffers of a pass, allocated once for the largest: T tokens per rank, C over all ranks */
    int64_t max_tokens, max_chunk; /* T, C */
    int64_t ld;        /* floats per token of wide buffers: the widest row count, rounded up, with room for tile edges */
    float *x;          /* [T][hidden]: the residual stream */
    float *y;          /* [T][ld_y]: what the next norm adds to it */
    float *h;          /* [T][ld]: input of the next matrix */
    float *mid;        /* [T][ld]: silu(gate) * up, where down is a float matrix */
    ith_acts acts;     /* of h */
    ith_acts mid_acts; /* of silu(gate) * up */
    float *q, *k, *v;  /* [T][ld_q], [T][ld_kv], [T][ld_kv] projections */
    int64_t ld_q, ld_kv, ld_y;
    float *wire;      /* [T][ld] blocks that arrive from ranks */
    float *cos, *sin; /* [T][d / 2] */
    uint8_t *send;    /* [U][T][record] */
    uint8_t *records; /* [C][record] */
    uint8_t *back;    /* [C][my query heads * d / 32] groups: attention's result on its way to the tokens' ranks */
    float *attn;      /* [C][my query heads * d]: the same in floats */
    int64_t *plans;   /* [2][2][ranks]: see ith_workspace_plan */
    float **scratch;  /* [threads]: for attention's tiles, for blocks of the MLP */
    int n_threads;
    float *partials; /* decode attention: [my KV heads][partial_segments], see attention.c */
    int64_t partial_segments;
    float *logits_rows; /* [n_vocab rounded up]: my rows of the vocabulary */
} ith_workspace;

/* Side 0 (send) or 1 (receive) of the exchange in hand. */
static inline ith_comm_plan ith_workspace_plan(const ith_workspace *ws, int ranks, int side)
{
    return (ith_comm_plan){ws->plans + 2 * ranks * side, ws->plans + 2 * ranks * side + ranks};
}

struct ith_pass {
    const ith_model *model;
    const ith_way *way;
    ith_comm *comm;
    ith_mesh mesh;
    ith_kv *kv;
    ith_workspace *ws;
    ith_record record;
    ith_range heads;    /* my KV heads; query heads are these times group */
    int64_t group;      /* query heads per KV head */
    float q_factor;     /* log2(e) / sqrt(d) */
    const int32_t *ids; /* [n] */
    int64_t pos;        /* timeline position of token 0 of the pass */
    int64_t n;          /* tokens of the pass */
    ith_range mine;     /* those that this rank holds */
    const ith_probe *probe; /* NULL: nobody looks */
    bool want_logits;       /* after the last token */
    float *logits;          /* rank 0: [n_vocab], written if wanted */
    const int32_t *targets; /* scoring: [n] the token that follows each, -1 for none; NULL: no scoring */
    float *nll;             /* scoring: [n] on every rank, of which it writes those of ith_pass_scored */
    float *score_logits;    /* scoring: [ITH_SCORE_TOKENS][vocabulary rounded up to 16] */
};

enum { ITH_SCORE_TOKENS = 16 };

ith_record ith_record_layout(ith_kv_layout layout, int64_t n_heads, int64_t n_kv_heads, int64_t head_dim);

/* For passes of up to `chunk` tokens over all ranks and up to `max_tokens` on this one, timelines of up to ctx tokens. */
ith_status ith_workspace_open(const ith_model *model, const ith_mesh *mesh, ith_kv_layout layout, int64_t chunk,
                              int64_t max_tokens, int n_threads, int64_t ctx, ith_workspace **ws, ith_error *err);
void ith_workspace_close(ith_workspace *ws); /* accepts NULL */

/* Inside ith_team_run; arg is the pass. Embedding, layers, then logits or scores as wanted. */
void ith_pass_run(void *arg, ith_member *me);

/* The tokens of a pass that this rank scores; all are among `mine`. */
ith_range ith_pass_scored(const ith_pass *pass, int rank);

/* ---- The steps, one file each; all members call; each ends with a barrier unless said otherwise ---- */

void ith_layer_forward(ith_pass *pass, int layer, ith_member *me); /* layer.c; leaves its last product in ws->y */
void ith_add_residual(ith_pass *pass, ith_member *me);             /* layer.c: x += y, my tokens */
void ith_show_output(ith_pass *pass, ith_member *me);              /* layer.c: x normalized, to the probe; overwrites h */
void ith_quantize_h(ith_pass *pass, ith_member *me, int64_t cols); /* layer.c: h -> acts, by ith_my_share of my tokens */
void ith_heads_to_cache(ith_pass *pass, int layer, ith_member *me); /* heads.c: q, k, v -> records, cache; resets the team's counter */
void ith_attention(ith_pass *pass, int layer, ith_member *me);     /* attention.c: records, cache -> way->heads_out; takes the counter reset */
float ith_attention_q_factor(int64_t head_dim);                    /* log2(e) / sqrt(d), folded into queries */
int64_t ith_attention_scratch(const ith_model *model);             /* floats per thread */
void ith_mlp(ith_pass *pass, int layer, ith_member *me);           /* mlp.c: h, acts -> y, my rows */
int64_t ith_mlp_scratch(void);                                     /* floats per thread */
int64_t ith_attention_partials(const ith_model *model, int64_t kv_heads, int64_t segments); /* floats */
void ith_logits_last(ith_pass *pass, ith_member *me);                                       /* logits.c */
void ith_score(ith_pass *pass, ith_member *me);                                             /* logits.c */

/* h and acts as the input of a matrix of `cols` columns; and the MLP's intermediate. */
ith_input ith_pass_input(const ith_pass *pass, int64_t cols);
ith_input ith_pass_mid(const ith_pass *pass, int64_t cols);

/* Is the output matrix quantized, and whole groups of 32 channels belong to one head? Then attention quantizes its result where
 * it is made, and it travels as int8. A group's quants depend on its 32 values only. */
static inline bool ith_heads_are_groups(const ith_model *model, const ith_matrix *o)
{
    return ith_layout_is_quantized(o->layout) && model->hp.head_dim % ITH_GROUP == 0;
}

#endif
