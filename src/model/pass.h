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
 * The mesh (comm/mesh.h) has U x R ranks. A group of R ranks shares the heads of one Ulysses index; each rank of it holds some segments of
 * the heads' cache and attends to some of the pass's tokens. With R = 1 that is all segments and all tokens.
 *
 * By tokens, a pass may be cut into parts by heads: part i is the i-th share of the KV heads of every Ulysses index, and of the query heads that
 * read those. Then the exchange of one part is under way while the next one's heads are projected, and while another's attention runs
 * (parts.c chooses how many). What is exchanged lies part after part in its buffer, with the layout below inside each.
 *
 * What travels to attention, in the form that its kernel and the cache want; d is the head size, dp = d rounded up to 16:
 *   query record   of a token, all query heads of a group:  q8: [heads][dp] i8, [heads] f32 scales;  else [heads][d] f32
 *   piece          key and value of a token and head:       q8: [dp] i8, [dp] i8, two bf16 scales;  else [d], [d] of the cache's type
 */
#ifndef ITH_MODEL_PASS_H
#define ITH_MODEL_PASS_H

#include "comm/comm.h"
#include "comm/mesh.h"
#include "state/kv.h"
#include "model/linear.h"
#include "model/model.h"
#include "model/probe.h"
#include "model/profile.h"

typedef struct ith_record { /* in bytes */
    int64_t stride;         /* from head to head */
    int64_t scales, bytes;  /* where the scales begin; of the whole */
} ith_record;

typedef struct ith_kv_piece { /* in bytes; the key is at 0 */
    int64_t value, scales, bytes;
} ith_kv_piece;

typedef struct ith_pass ith_pass;

enum { ITH_PARTS_MOST = ITH_FLIGHTS / 2 }; /* of each, queries and pieces are two exchanges */

typedef struct ith_heads_part { /* of a pass, by heads */
    int number;
    ith_range heads;   /* KV heads, counted from a group's first */
    ith_record record; /* of their query heads */
    int64_t before;    /* bytes of a token's records in the parts before */
} ith_heads_part;

typedef struct
    ith_heads_out { /* query head h of token t, counted from the first that I attend for, the first that I attend to */
    bool
        quantized; /* into acts, row t, groups first_group + h * d / 32 ...; else floats at x + t * ld + (h - first) * d */
    ith_acts acts;
    int64_t first_group;
    float *x;
    int64_t ld, first;
} ith_heads_out;

typedef struct ith_way {
    const char *name;
    bool
        all_tokens; /* every rank holds all tokens of the pass, and attends to them; with one rank it does in any way */
    /* Rows of a matrix of n_rows that this rank computes. */
    ith_range (*rows)(const ith_pass *pass, int64_t n_rows);
    /* Query and KV heads that this rank projects, for its tokens. */
    ith_range (*q_heads)(const ith_pass *pass);
    ith_range (*kv_heads)(const ith_pass *pass);
    /* Where the part's query record of my token `token` for Ulysses index u is made, and the piece of a KV head of it. */
    uint8_t *(*record_at)(const ith_pass *pass, const ith_heads_part *part, int64_t token, int u);
    uint8_t *(*piece_at)(const ith_pass *pass, const ith_heads_part *part, int64_t token, int64_t kv_head);
    /* tid 0 only, unless this rank makes all records and pieces that it needs. After a barrier, the part's are sent; before one, the records of
     * the tokens that I attend to come together in ws->queries, the pieces that I hold arrive. */
    void (*send_heads)(ith_pass *pass, const ith_heads_part *part);
    void (*receive_heads)(ith_pass *pass, const ith_heads_part *part);
    /* Where the piece of the pass's token `token` and my group's head `head`, which I hold, has arrived. */
    const uint8_t *(*arrived)(const ith_pass *pass, const ith_heads_part *part, int64_t token, int64_t head);
    /* Where attention's result for my heads of the part goes, the input of the output matrix `o`. */
    ith_heads_out (*heads_out)(const ith_pass *pass, const ith_heads_part *part, const ith_matrix *o);
    /* All members, after a barrier: that result is sent. */
    void (*send_back)(ith_pass *pass, const ith_heads_part *part, const ith_matrix *o, ith_member *me);
    /* All members, after that of all parts: the results become the input of `o` for my tokens. Ends with a barrier. */
    void (*to_tokens)(ith_pass *pass, const ith_matrix *o, ith_member *me);
    /* All members, after a barrier, if there are several ranks: the intermediate `mid` [n][columns of down], of which this rank made its rows,
     * becomes whole for my tokens. Ends with a barrier. */
    void (*gather_mid)(ith_pass *pass, ith_member *me, const ith_input *mid, int64_t n, const ith_matrix *down);
    /* All members, after a barrier: ws->y, with the rows of this rank at the start of each token's row, becomes whole. The member that
     * owns a token's share (ith_my_share) may go on with it at once; others need a barrier. */
    void (*gather_y)(ith_pass *pass, ith_member *me);
} ith_way;

extern const ith_way ith_way_ulysses, ith_way_rows;

typedef struct ith_comm_plan { /* byte counts and displacements of one side of an exchange, [ranks] each */
    int64_t *counts, *displs;
} ith_comm_plan;

/* Where the tokens of a layer with experts go (experts.h). An assignment is a token and an expert. */
typedef struct ith_routes {
    float *logits; /* [T][ld] */
    int64_t ld;
    int32_t *chosen; /* [T][used] */
    float *weights;  /* [T][used] */
    int64_t *first;  /* [n + 1]: expert e has the assignments first[e] ... first[e + 1] - 1 */
    bool *chosen_by_any; /* [n] */
    int64_t *costs;  /* [n + 1] of a group of rows, of all experts before: 0 for those that no token goes to */
    int32_t *token;  /* [T * used] of each assignment */
    float *weight;   /* [T * used] */
} ith_routes;

typedef struct
    ith_workspace { /* all buffers of a pass, allocated once for the largest: T tokens per rank, C over all ranks */
    int64_t max_tokens, max_chunk; /* T, C */
    int64_t ld;    /* floats per token of wide buffers: the widest row count, rounded up, with room for tile edges */
    float *x;      /* [T][hidden]: the residual stream */
    float *y;      /* [T][ld_y]: what the next norm adds to it */
    float *h;      /* [T][ld]: input of the next matrix */
    float *mid;    /* [T][ld]: silu(gate) * up, where down is a float matrix; with experts a row for each assignment */
    ith_acts acts; /* of h */
    ith_acts mid_acts; /* of silu(gate) * up, in rows as mid's */
    ith_routes routes; /* if layers have experts */
    float *q, *k, *v;  /* [T][ld_q], [T][ld_kv], [T][ld_kv] projections */
    int64_t ld_q, ld_kv, ld_y;
    float *wire;      /* [T][ld] blocks that arrive from ranks */
    float *cos, *sin; /* [T][d / 2] */
    /* In each part (below, its heads in place of all): */
    uint8_t *queries;     /* [A][record]: of the tokens that I attend to, A = min(C, U T) at most */
    uint8_t *records_out; /* [U][T][record] */
    uint8_t *pieces_out;  /* [T][KV heads][piece], in the order of the ranks they go to */
    uint8_t *pieces_in;   /* [C][heads held][piece], places ascending */
    uint8_t *back; /* [A][my group's query heads * d / 32] groups: attention's result on its way to the tokens' ranks */
    float *attn;   /* [A][my group's query heads * d]: the same in floats */
    int64_t *plans;  /* [ITH_FLIGHTS][2][2][ranks]: see ith_workspace_plan */
    float **scratch; /* [threads]: for attention's tiles, for blocks of the MLP */
    int n_threads;
    float *cells;        /* decode attention: partials of my segments, see attention.c */
    float *cells_in;     /* those that arrive from my group */
    uint8_t *ring[2];    /* R > 1, prefill: segments of one head that others hold, [segments][segment bytes] */
    ith_parcel *parcels; /* R > 1: lists of an exchange, sends and receives: [2][n_parcels] */
    int64_t n_parcels;
    float *logits_rows; /* several ranks: [ITH_DECODE_TOKENS][n_vocab rounded up]: my rows of the vocabulary */
} ith_workspace;

/* Side 0 (send) or 1 (receive) of an exchange. */
static inline ith_comm_plan ith_workspace_plan(const ith_workspace *ws, int ranks, int flight, int side)
{
    int64_t *at = ws->plans + (int64_t)ranks * 2 * (2 * flight + side);
    return (ith_comm_plan){at, at + ranks};
}

struct ith_pass {
    const ith_model *model;
    const ith_way *way;
    ith_comm *comm;
    ith_mesh mesh;
    ith_kv *kv;
    ith_workspace *ws;
    ith_record record;
    ith_kv_piece piece;
    ith_range heads;        /* my group's KV heads; query heads are these times group */
    int64_t group;          /* query heads per KV head */
    int n_parts;            /* by heads: see above */
    ith_range attended;     /* places whose tokens' queries I attend to */
    float q_factor;         /* log2(e) / sqrt(d) */
    const int32_t *ids;     /* [n] */
    int64_t pos;            /* timeline position of token 0 of the pass */
    int64_t n;              /* tokens of the pass */
    ith_range mine;         /* places of those that this rank holds */
    const ith_probe *probe; /* NULL: nobody looks */
    ith_profile *profile;   /* NULL: nobody measures */
    int64_t n_logits;       /* wanted after the last n_logits tokens: 0, 1, or up to
                             * ITH_DECODE_TOKENS where every rank holds all tokens */
    float *logits;          /* rank 0: [n_logits][ith_logits_ld], written if wanted */
    const int32_t *targets; /* scoring: [n] the token that follows each, -1 for none; NULL: no scoring */
    float *nll;             /* scoring: [n] by place, on every rank, which writes those of ith_pass_scored */
    float *score_logits;    /* scoring: [ITH_SCORE_TOKENS][vocabulary rounded up to 16] */
    /* On tid 0, before each layer and after the last, with the number of layers done: shall it go on? The same answer on all ranks. NULL: it does. */
    bool (*goes_on)(void *user, int layers);
    void *user;
    bool stopped; /* it did not: nothing that the pass writes counts */
};

enum {
    ITH_SCORE_TOKENS = 16,
    ITH_DECODE_TOKENS = 16 /* up to this many, attention can be shared out by segments and logits of each had */
};

ith_record ith_record_layout(ith_kv_layout layout, int64_t n_heads, int64_t head_dim);
ith_kv_piece ith_kv_piece_layout(ith_kv_layout layout, int64_t head_dim);

typedef struct ith_limits { /* of the passes of a session */
    int64_t chunk;          /* tokens over all ranks */
    int64_t max_tokens;     /* on any */
    int64_t rows_tokens;    /* by rows */
    int n_threads;
    int64_t ctx; /* tokens of the timeline */
} ith_limits;

ith_status ith_workspace_open(const ith_model *model, const ith_mesh *mesh, ith_kv_layout layout,
                              const ith_limits *limits, ith_workspace **ws, ith_error *err);
int64_t ith_workspace_bytes(const ith_model *model, const ith_mesh *mesh, ith_kv_layout layout,
                            const ith_limits *limits);
void ith_workspace_close(ith_workspace *ws); /* accepts NULL */

/* Inside ith_team_run; arg is the pass. Embedding, layers, then logits or scores as wanted. */
void ith_pass_run(void *arg, ith_member *me);

/* Places: tokens of a pass by tokens are in the order in which they are dealt (comm/mesh.h), others in their own. My token t is at place
 * mine.begin + t. */

/* The tokens of the first of `places`, not empty: as many as follow each other. */
static inline ith_range ith_pass_tokens(const ith_pass *pass, ith_range places)
{
    return pass->way->all_tokens ? places : ith_mesh_tokens(&pass->mesh, pass->n, places);
}

/* The pass's token that is my token t. */
static inline int64_t ith_pass_token(const ith_pass *pass, int64_t t)
{
    return ith_pass_tokens(pass, (ith_range){pass->mine.begin + t, pass->mine.begin + t + 1}).begin;
}

/* The places of a pass whose tokens this rank scores; all are among `mine`. */
ith_range ith_pass_scored(const ith_pass *pass, int rank);

/* ---- The steps, one file each; all members call; each ends with a barrier unless said otherwise ---- */

void ith_layer_forward(ith_pass *pass, int layer, ith_member *me); /* layer.c; leaves its last product in ws->y */
void ith_add_residual(ith_pass *pass, ith_member *me);             /* layer.c: x += y, my tokens */
void ith_show_output(ith_pass *pass, ith_member *me); /* layer.c: x normalized, to the probe; overwrites h */
void ith_quantize_h(ith_pass *pass, ith_member *me,
                    int64_t cols); /* layer.c: h -> acts, by ith_my_share of my tokens */
/* heads.c: q, k, v of a part -> records and pieces, on their way; without a barrier where the pass has several parts */
void ith_heads_make(ith_pass *pass, int layer, const ith_heads_part *part, ith_member *me);
/* heads.c: a part's pieces, as they have arrived -> cache; resets the team's counter */
void ith_heads_take(ith_pass *pass, int layer, const ith_heads_part *part, ith_member *me);
void ith_attention(ith_pass *pass, int layer, const ith_heads_part *part,
                   ith_member *me); /* attention.c: records, cache -> way->heads_out; takes the counter reset */
/* attention.c: tokens of a prefill tile, `group` query heads each, where n_threads work on `rows` queries of all KV heads side by side. */
int64_t ith_attention_tile(const ith_caches *caches, ith_kv_layout layout, int64_t head_dim, int64_t group,
                           int64_t rows, int n_threads);
float ith_attention_q_factor(int64_t head_dim); /* log2(e) / sqrt(d), folded into queries */
int64_t ith_attention_scratch(const ith_model *model, ith_kv_layout layout); /* floats per thread */
void ith_mlp(ith_pass *pass, int layer, ith_member *me);                     /* mlp.c: h, acts -> y, my rows */
int64_t ith_mlp_scratch(const ith_model *model);                             /* floats per thread */
/* mlp.c, one thread's work: silu(gate x) * up x of rows `rows`, from a group's first on, of tokens [t, t + n) of `in`, to [to, to + n) of `mid`
 * as w->down reads it. */
void ith_mlp_block(ith_pass *pass, const ith_ffn *w, ith_range rows, const ith_input *in, int64_t t, int64_t n,
                   const ith_input *mid, int64_t to, float *scratch);
void ith_experts(ith_pass *pass, int layer, ith_member *me); /* experts.c: as ith_mlp, for layers with experts */
int64_t ith_experts_scratch(const ith_model *model);         /* floats per thread */
int64_t ith_attention_cells(const ith_model *model, const ith_mesh *mesh, int64_t n_tokens,
                            int64_t n_segments); /* floats of ws->cells for passes by segments */
void ith_logits(ith_pass *pass, ith_member *me); /* logits.c: of the last n_logits tokens */
void ith_score(ith_pass *pass, ith_member *me);  /* logits.c */

/* Floats from one token's logits to the next: whole tiles of rows. */
static inline int64_t ith_logits_ld(const ith_model *model)
{
    return ith_round_up(model->hp.n_vocab, ITH_TILE_ROWS);
}

/* All members: tid 0 notes where the time since the last lap went, if anybody measures. */
static inline void ith_pass_lap(const ith_pass *pass, const ith_member *me, int layer, ith_lap lap)
{
    if (pass->profile != NULL && me->tid == 0)
        ith_profile_lap(pass->profile, layer, lap);
}

/* Part i of the pass; and how many parts a pass is to have, all else of it being set. wanted 0: as many as pay. The same on all ranks. */
ith_heads_part ith_pass_part(const ith_pass *pass, int i);
int ith_pass_choose_parts(const ith_pass *pass, int wanted);

/* A part's runs of adjacent heads, among the `all` that this rank projects, `each` (1, or query heads) for a KV head: run i of so many. */
int ith_heads_runs(const ith_pass *pass);
ith_range ith_heads_run(const ith_pass *pass, const ith_heads_part *part, ith_range all, int64_t each, int i);

/* All members: what is under way between ranks moves on. */
static inline void ith_pass_progress(const ith_pass *pass, const ith_member *me)
{
    if (me->tid == 0)
        pass->comm->ops->progress(pass->comm);
}

/* experts.c: may weights wait until it is known which experts the pass goes to? The same on all ranks. */
bool ith_experts_are_few(const ith_pass *pass);

/* What of a layer's matrices the pass reads on this rank. */
static inline ith_need ith_pass_need(const ith_pass *pass)
{
    if (ith_experts_are_few(pass))
        return ITH_NEED_CHOSEN;
    return pass->way->all_tokens ? ITH_NEED_HELD : ITH_NEED_ALL;
}

/* All members, around the use of a stage's matrices: ith_store_enter and ith_store_leave. The waiting is a lap of its own. */
static inline void ith_pass_enter(const ith_pass *pass, int layer, enum ith_stage stage, ith_member *me)
{
    ith_store_enter(pass->model->store, layer, (int)stage, ith_pass_need(pass), NULL, me);
    ith_pass_lap(pass, me, layer, ITH_LAP_WEIGHTS);
}
static inline void ith_pass_leave(const ith_pass *pass, int layer, enum ith_stage stage, ith_member *me)
{
    ith_store_leave(pass->model->store, layer, (int)stage, ith_pass_need(pass), me);
}

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
