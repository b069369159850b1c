/* pass.h - one pass of n tokens through the layers, by all ranks and all their threads.
 *
 * A pass serves one or several timelines: each span is some tokens that follow a timeline's. It
 * runs one of two ways (struct ith_way), with the same bits:
 *
 *   ulysses  prefill. A rank holds a slice of the pass's tokens and computes all rows of every
 *            matrix for them; an all-to-all turns token slices into head subsets before attention,
 *            another turns them back after it. One span, unless there is one rank.
 *   rows     decode and short prefills. A rank holds all of the pass's tokens and computes its
 *            heads and its rows of every matrix; results are all-gathered. No sum is split between
 *            ranks.
 *
 * Inside a pass every thread of the team runs the same functions (SPMD): each takes (pass, me),
 * does its share, and meets the others at the barriers that the functions' comments name.
 * Rank-to-rank communication happens on tid 0.
 *
 * A block reads ws->h and ws->acts, the normalized residual stream, and leaves its output in ws->y,
 * which the next norm adds to the stream: one walk over a token adds, normalizes and quantizes it.
 *
 * The mesh (comm/mesh.h) has U x R ranks. A group of R ranks shares the heads of one Ulysses index;
 * each rank of it holds some segments of the heads' cache and attends to some of the pass's tokens.
 * With R = 1 that is all segments and all tokens.
 */
#ifndef ITH_MODEL_PASS_H
#define ITH_MODEL_PASS_H

#include "comm/comm.h"
#include "comm/mesh.h"
#include "model/linear.h"
#include "model/model.h"
#include "model/probe.h"
#include "model/profile.h"
#include "model/workspace.h"
#include "state/state.h"

typedef struct ith_pass ith_pass;

/* n >= 1 tokens that follow the first `pos` of a timeline, whose state has room for them. No two
 * spans of a pass share a timeline: threads write to their states at the same time. */
typedef struct ith_span {
    ith_state *state;
    int64_t pos, n;
    bool is_long; /* rotated by the model's long_rope */
} ith_span;

/* How tokens and rows are shared among ranks; see above. */
typedef struct ith_way {
    const char *name;
    /* Every rank holds all tokens of the pass; with one rank it does in any way. */
    bool all_tokens;
    /* Rows of a matrix of n_rows that this rank computes. */
    ith_range (*rows)(const ith_pass *pass, int64_t n_rows);
    /* All members, after a barrier, if there are several ranks: the intermediate `mid` [n][columns
     * of down], of which this rank made its rows, becomes whole for my tokens. Ends with a
     * barrier. */
    void (*gather_mid)(ith_pass *pass, ith_member *me, const ith_input *mid, int64_t n,
                       const ith_matrix *down);
    /* All members, after a barrier: ws->y, with the rows of this rank at the start of each token's
     * row, becomes whole. The member that owns a token's share (ith_my_share) may go on with it at
     * once; others need a barrier. */
    void (*gather_y)(ith_pass *pass, ith_member *me);
} ith_way;

extern const ith_way ith_way_ulysses, ith_way_rows;

struct ith_pass {
    const ith_model *model;
    const ith_way *way;
    ith_comm *comm;
    ith_mesh mesh;
    ith_kv_layout kv;
    ith_workspace *ws;
    int head_slices;       /* wanted of each exchange by heads; 0: as many as pay */
    const ith_span *spans; /* [n_spans] */
    int n_spans;
    int64_t n;              /* tokens of the pass: those of span after span */
    const int32_t *ids;     /* [n] */
    ith_need need;          /* what of a layer's matrices it reads on this rank */
    ith_range mine;         /* slots of the tokens that this rank holds; see below */
    const ith_probe *probe; /* NULL: nobody looks */
    ith_profile *profile;   /* NULL: nobody measures */
    /* Wanted after the last n_logits tokens of the pass: 0, 1, or as many as the workspace's limits
     * allow where every rank holds all tokens. */
    int64_t n_logits;
    const int64_t *logit_tokens; /* [n_logits] after these tokens instead; NULL: the last */
    float *logits;               /* rank 0: [n_logits][ith_logits_ld], written if wanted */
    float *outputs; /* rank 0: [n_logits][hidden] what they are made of, behind the last norm; NULL:
                     * nobody asks */
    const int32_t *targets; /* scoring: [n] the token that follows each, -1 for none; NULL: none */
    float *nll;             /* scoring: [n] by slot, on every rank, which writes ith_pass_scored */
    float *score_logits;    /* scoring: [ITH_SCORE_TOKENS][vocabulary rounded up to 16] */
    /* On tid 0, before each layer and after the last, with the number of layers done: shall it go
     * on? The same answer on all ranks. NULL: it does. */
    bool (*goes_on)(void *user, int layers);
    void *user;
    bool stopped; /* it did not: nothing that the pass writes counts */

    /* Set when the pass has run: this rank met a number that is NaN, infinite, or too large for
     * what was computed with it. It looks where such a number would be lost in int8 or in a norm,
     * and at the last residuals of its tokens, its rows of the logits, and its scores. */
    bool broken;

    /* To find out where that begins: the first ith_pass_place at which this rank's tokens have one
     * is written here, if it is less than what is here. NULL: nobody asks. */
    int *broken_at;
    int place; /* after the block that runs */
};

/* A place in the residual stream: before block `sub` of a layer. The place after a block is one
 * more. After the last layer, layer is n_layers and sub 0. */
static inline int ith_pass_place(int layer, int sub)
{
    return layer * ITH_MAX_SUBLAYERS + sub;
}

enum { ITH_SCORE_TOKENS = 16 };

/* What passes of an engine have in common. */
typedef struct ith_pass_env {
    const ith_model *model;
    ith_comm *comm;
    const ith_mesh *mesh;
    ith_kv_layout kv;
    ith_workspace *ws;
    int head_slices;
} ith_pass_env;

/* A pass over spans, which must live until it has run: one span; or several, by rows or on one
 * rank. Their n together are within the limits of the workspace; their states are entered
 * (ith_state_enter). ids: [that many]. Nobody looks, no logits are wanted. */
ith_pass ith_pass_make(const ith_pass_env *env, bool by_rows, const ith_span *spans, int n_spans,
                       const int32_t *ids);

/* Inside ith_team_run; arg is the pass. Embedding, layers, then logits or scores as wanted. */
void ith_pass_run(void *arg, ith_member *me);

/* ---- Spans: the only functions that know which timeline a token belongs to ---- */

/* The span of token `token` of the pass; *in_span: its number there. */
static inline const ith_span *ith_pass_span(const ith_pass *pass, int64_t token, int64_t *in_span)
{
    const ith_span *s = pass->spans;
    for (; token >= s->n; s++)
        token -= s->n;
    *in_span = token;
    return s;
}

/* Its position in its timeline. */
static inline int64_t ith_pass_position(const ith_pass *pass, int64_t token)
{
    int64_t in_span;
    const ith_span *s = ith_pass_span(pass, token, &in_span);
    return s->pos + in_span;
}

/* The state of its timeline. */
static inline ith_state *ith_pass_state(const ith_pass *pass, int64_t token)
{
    int64_t in_span;
    return ith_pass_span(pass, token, &in_span)->state;
}

/* ---- Slots: tokens of a pass by tokens are in the order in which they are dealt (comm/mesh.h),
 * others in their own. My token t is in slot mine.begin + t ---- */

/* The tokens of the first of `slots`, not empty: as many as follow each other. */
static inline ith_range ith_pass_tokens(const ith_pass *pass, ith_range slots)
{
    return pass->way->all_tokens ? slots : ith_mesh_tokens(&pass->mesh, pass->n, slots);
}

/* The pass's token that is my token t. */
static inline int64_t ith_pass_token(const ith_pass *pass, int64_t t)
{
    ith_range slot = {pass->mine.begin + t, pass->mine.begin + t + 1};
    return ith_pass_tokens(pass, slot).begin;
}

/* The slots of a pass whose tokens `rank` scores; this rank's are among `mine`. */
ith_range ith_pass_scored(const ith_pass *pass, int rank);

/* ---- Steps; all members call; each ends with a barrier unless said otherwise ---- */

/* layer.c: leaves the last block's output in ws->y. */
void ith_layer_forward(ith_pass *pass, int layer, ith_member *me);
/* layer.c, one thread: the norm of x [n], to out, which may be x. */
void ith_norm_apply(const ith_model *model, const ith_norm *norm, int64_t n, const float *x,
                    float *out);
/* layer.c, one thread: the norm of an output y [n], in place, unless it is off. Numbers whose
 * squares may exceed a float, which it would lose, are noted as broken at `place`. */
void ith_norm_output(ith_pass *pass, const ith_norm *norm, int64_t n, float *y, int place);
/* layer.c: x takes the output of the last layer's last block, my tokens. */
void ith_add_residual(ith_pass *pass, ith_member *me);
/* layer.c, without a barrier: checks the last residuals of my tokens. */
void ith_check_residual(ith_pass *pass, const ith_member *me);
/* layer.c, one member, without a barrier: row t of h = norm(x), quantized if the model is. `place`:
 * that of x, which lies elsewhere. */
void ith_normalize_token(ith_pass *pass, const float *x, const ith_norm *norm, int64_t t,
                         int place);
/* layer.c: x normalized, to the probe; overwrites h. */
void ith_show_output(ith_pass *pass, ith_member *me);
/* layer.c: h -> acts, by ith_my_share of my tokens. */
void ith_quantize_h(ith_pass *pass, ith_member *me, int64_t cols);
/* My token t of stream i beside x. */
static inline float *ith_pass_stream(const ith_pass *pass, int64_t i, int64_t t)
{
    return pass->ws->streams + (i * pass->ws->max_tokens + t) * pass->model->hp.hidden;
}
/* layer.c, any member, without a barrier: what is at `place`, or what the block that runs computes,
 * is NaN, infinite, or too large. */
void ith_pass_note_broken(ith_pass *pass, int place);
static inline void ith_pass_note_broken_here(ith_pass *pass)
{
    ith_pass_note_broken(pass, pass->place);
}

/* logits.c: of the last n_logits tokens. */
void ith_logits(ith_pass *pass, ith_member *me);
/* logits.c */
void ith_score(ith_pass *pass, ith_member *me);

/* Local. nll[i] = -ln softmax(logits)[targets[i]], as in a score. logits: [n]. */
void ith_negative_log_likelihoods(const ith_kernels *kernels, int64_t n, const float *logits,
                                  const int32_t *targets, size_t n_targets, float *nll);

/* All members: tid 0 notes where the time since the last lap went, if anybody measures. */
static inline void ith_pass_lap(const ith_pass *pass, const ith_member *me, int layer, ith_lap lap)
{
    if (pass->profile == NULL || me->tid != 0)
        return;
    if (lap == ITH_LAP_EXCHANGE && pass->way->all_tokens)
        lap = ITH_LAP_GATHER;
    ith_profile_lap(pass->profile, layer, lap);
}

/* All members: what is under way between ranks moves on. */
static inline void ith_pass_progress(const ith_pass *pass, const ith_member *me)
{
    if (me->tid == 0)
        pass->comm->ops->progress(pass->comm);
}

/* ---- For blocks ---- */

/* All members, around the use of stage `stage` of a block: ith_store_enter and ith_store_leave. The
 * waiting is a lap of its own. chosen: see ith_store_enter. */
void ith_pass_enter(const ith_pass *pass, int layer, const ith_block *block, int stage,
                    const bool *chosen, ith_member *me);
void ith_pass_leave(const ith_pass *pass, int layer, const ith_block *block, int stage,
                    ith_member *me);

/* h and acts as the input of a matrix of `cols` columns; mid and mid_acts likewise. */
ith_input ith_pass_input(const ith_pass *pass, int64_t cols);
ith_input ith_pass_mid(const ith_pass *pass, int64_t cols);

/* Without a barrier: the probe sees what `readers` are about to read, `cols` columns of h, or where
 * `groups`, of acts. Nobody writes to it before the barrier that follows the next product. */
void ith_pass_show(ith_pass *pass, const ith_matrix *const *readers, int n_readers, int64_t cols,
                   bool groups, ith_member *me);

#endif
