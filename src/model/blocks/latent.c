/* latent.c - the block of multi-head latent attention (DeepSeek-V2, arXiv 2405.04434).
 *
 *   c = norm(Wkv_a x)[0, l)   the latent, for keys and values of all heads; l = kv_rank
 *   r = rope(Wkv_a x)[l, ...) the rotated part of the key, one for all heads
 *   q = Wq x, or Wq_b norm(Wq_a x): for each head n channels, and as many rotated ones as r has
 *   key of head h: (Wk_h c, r); its value: Wv_h c; out = Wo (softmax(q k^T * scale) v of all heads)
 *
 * The cache holds (c, r), in all passes the weights of heads are absorbed: Wk_h is multiplied with
 * the query, which then meets c itself, and Wv_h with the sum of c that attention weighs. That is
 * attention with one KV head of l + |r| channels, whose value is its first l: heads.h, attend.c.
 *
 * Why in prefill too. For each key that a query sees, absorbed attention takes
 * 2 (l + |r|) + 2 l = 2,176 operations a head in DeepSeek's sizes (l 512, |r| 64, n and v 128),
 * expanded attention 2 (n + |r|) + 2 v = 640, and 2 l (n + v) = 262,144 for each key of a chunk
 * that is expanded, which chunks of more than 171 tokens repay. Decode cannot expand: it would
 * take 262,144 operations a head for a key where absorbed it takes 2,176, and read 35 KiB (16
 * heads) or 4 MiB of weights for it instead of 580 bytes. But numbers that are rounded once as c,
 * and once as Wk_h c, differ: prefill and decode would leave the same cache and yet see other
 * scores, and an answer would depend on how a prompt was cut. The one form that both can afford is
 * the absorbed one. It costs prefill up to 3.4 times the operations of attention at great depth,
 * all of them integers at full rate; the cache is 580 bytes a token and layer in int8, as 2 heads
 * of 128 channels would take.
 *
 * Int8 (simd/kernels.h): the latent and the rotated part have scales of their own, in keys and in
 * queries, since their sizes have nothing to do with each other. No means are subtracted from keys:
 * they are values too.
 *
 * Ranks: with one KV head U is 1, so a rank attends for all query heads of its tokens, and segments
 * of latents are dealt to all ranks. By rows each rank makes the queries of its heads and folds
 * their partials.
 */
#include "model/blocking.h"
#include "model/blocks/heads.h"
#include "model/rows.h"

#include "base/finite.h"
#include "base/precise.h"
#include "simd/half.h"

#include <math.h>
#include <string.h>

enum { STAGE_DOWN, STAGE_QUERIES, STAGE_OUT, STAGES };

/* The norms inside have this epsilon whatever the model's own. */
#define EPSILON 1e-6f

/* Hidden h, H heads; in a head n and rope channels of the query, v of the value. */
typedef struct latent {
    ith_attention heads;    /* its rope, and o [h, H * v]; the rest is not used */
    const ith_matrix *q;    /* [H * (n + rope), h, or q_rank: then it reads q_a's output] */
    const ith_matrix *q_a;  /* [q_rank, h]; NULL: none */
    const ith_matrix *kv_a; /* [l + rope, h] */
    const ith_matrix *k_b;  /* [H * l, n]: of each head Wk_h^T */
    const ith_matrix *v_b;  /* [H * v, l] */
    const float *q_norm;    /* [q_rank]; NULL until loaded, likewise */
    const float *kv_norm;   /* [l] */
} latent;

/* T, H as above and in ith_work_sizes. */
typedef struct latent_work {
    ith_heads_work heads; /* q: [T][ld_q] queries of my heads; k: [T][ld_kv] output of kv_a */
    float *low;           /* [T][ld_low] output of q_a */
    int64_t ld_low;
    ith_acts low_acts;  /* of it */
    ith_acts sums_acts; /* [H * T]: what attention yields, head by head; or in floats: */
    float *sums;        /* [T][H * l] */
} latent_work;

/* ---- Weights ---- */

static ith_status bind_queries(ith_binder *b, latent *w, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    const ith_latent_params *l = &hp->latent;
    int64_t rows = hp->n_heads * (l->nope + l->rope);
    bool two = l->q_rank > 0;
    ith_matrix_want q = ith_want(two ? ITH_ROLE_Q_B : ITH_ROLE_Q, rows,
                                 two ? l->q_rank : hp->hidden, two ? STAGE_QUERIES : STAGE_DOWN),
                    q_a = ith_want(ITH_ROLE_Q_A, l->q_rank, hp->hidden, STAGE_DOWN);

    q.heads = hp->n_heads;
    if (two) {
        ITH_TRY(ith_bind_matrix(b, &q_a, &w->q_a, err));
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_Q_A_NORM, l->q_rank, &w->q_norm, err));
    }
    return ith_bind_matrix(b, &q, &w->q, err);
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_model *m = b->model;
    const ith_hparams *hp = &m->hp;
    const ith_latent_params *l = &hp->latent;
    int64_t H = hp->n_heads, head = l->nope + l->value;
    ith_matrix_want kv_a = ith_want(ITH_ROLE_KV_A, l->kv_rank + l->rope, hp->hidden, STAGE_DOWN),
                    k_b = ith_want(ITH_ROLE_K_B, H * l->kv_rank, l->nope, STAGE_QUERIES),
                    v_b = ith_want(ITH_ROLE_V_B, H * l->value, l->kv_rank, STAGE_OUT),
                    o = ith_want(ITH_ROLE_O, hp->hidden, H * l->value, STAGE_OUT);
    latent *w = block->weights;

    /* What keys are made of is small, and all heads at all depths meet its rounding. */
    kv_a.precise = k_b.precise = true;
    k_b.heads = v_b.heads = H;
    k_b.fused = v_b.fused = ITH_ROLE_KV_B;
    k_b.fused_rows = v_b.fused_rows = H * head;
    k_b.head_rows = (ith_head_rows){head, 0, l->nope, true};
    v_b.head_rows = (ith_head_rows){head, l->nope, l->value, false};
    ITH_TRY(ith_bind_matrix(b, &kv_a, &w->kv_a, err));
    ITH_TRY(ith_bind_vector(b, ITH_ROLE_KV_A_NORM, l->kv_rank, &w->kv_norm, err));
    ITH_TRY(bind_queries(b, w, err));
    ITH_TRY(ith_bind_matrix(b, &k_b, &w->k_b, err));
    ITH_TRY(ith_bind_matrix(b, &v_b, &w->v_b, err));
    ITH_TRY(ith_bind_matrix(b, &o, &w->heads.o, err));
    if (!(ith_hparams_traits(hp, b->layer) & ITH_LAYER_NO_ROPE))
        w->heads.rope = &m->rope;
    return ITH_OK;
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const latent *w = block->weights;
    const ith_matrix *const all[] = {w->q_a, w->kv_a, w->q, w->k_b, w->v_b, w->heads.o};

    (void)hp;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] != NULL)
            see(user, &(ith_use){all[i], 1});
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    (void)block;
    return hp->latent.kv_rank + hp->latent.q_rank;
}

/* ---- State and workspace ---- */

static ith_layer_state state(const ith_hparams *hp, int layer)
{
    (void)layer;
    return (ith_layer_state){
        .form = ITH_STATE_KV, .heads = 1, .head_dim = hp->head_dim, .latent = true};
}

static ith_heads_shape shape_of(const ith_hparams *hp, ith_kv_layout kv)
{
    return (ith_heads_shape){.kv = kv,
                             .n_q = hp->n_heads,
                             .n_kv = 1,
                             .d = hp->head_dim,
                             .dv = hp->latent.kv_rank,
                             .latent = true};
}

/* Heads are multiplied with k_b and v_b in blocks of so many tokens. */
enum { BLOCK = 64 };

/* Floats that n tokens' activations of `cols` columns take. */
static int64_t acts_floats(int64_t n, int64_t cols)
{
    return n * ((cols + ITH_GROUP - 1) / ITH_GROUP) *
           (7 + ITH_GROUP / (int64_t)sizeof(float)); /* scales to half128, quants */
}

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_hparams *hp = &s->model->hp;
    const ith_latent_params *l = &hp->latent;
    const ith_heads_shape shape = shape_of(hp, s->kv);
    int64_t low = ith_max(l->q_rank, l->kv_rank + l->rope),
            scratch = BLOCK * l->kv_rank + acts_floats(BLOCK, l->nope);

    (void)block;
    n->input_cols = ith_max(n->input_cols, hp->n_heads * l->value);
    n->wire_bytes = ith_max(n->wire_bytes, low * (int64_t)sizeof(float));
    n->scratch = ith_max(n->scratch, scratch);
    ith_heads_needs(s, &shape, n);
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_hparams *hp = &s->model->hp;
    const ith_latent_params *l = &hp->latent;
    const ith_heads_shape shape = shape_of(hp, s->kv);
    latent_work *w = work;
    int64_t T = s->T, H = hp->n_heads, sums = T * H * l->kv_rank;

    /* Tiles of rows may stick out at both ends of a range. */
    w->heads.ld_q = ith_round_up(H * (l->nope + l->rope), ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->heads.ld_kv = ith_round_up(l->kv_rank + l->rope, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->ld_low = ith_round_up(l->q_rank, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ith_request(r, T * w->heads.ld_q, sizeof(float), &w->heads.q);
    ith_request(r, T * w->heads.ld_kv, sizeof(float), &w->heads.k);
    ith_request(r, T * l->rope / 2, sizeof(float), &w->heads.cos[0]);
    ith_request(r, T * l->rope / 2, sizeof(float), &w->heads.sin[0]);
    ith_request(r, l->q_rank > 0 ? T * w->ld_low : 1, sizeof(float), &w->low);
    ith_request_acts(r, s->model->quantized ? T : 1,
                     (ith_max(l->q_rank, 1) + ITH_GROUP - 1) / ITH_GROUP, &w->low_acts);
    ith_request_acts(r, s->model->quantized ? T * H : 1, l->kv_rank / ITH_GROUP, &w->sums_acts);
    ith_request(r, s->model->floats || s->model->exact ? sums : 1, sizeof(float), &w->sums);
    ith_heads_request(r, s, &shape, 1, &w->heads);
}

/* ---- Traffic and costs ---- */

static ith_heads_traffic traffic_of(const ith_wire *w)
{
    int64_t v = w->hp->latent.value;
    return (ith_heads_traffic){.wire = w,
                               .shape = shape_of(w->hp, w->kv),
                               .d_out = v,
                               .groups = w->quantized && v % ITH_GROUP == 0};
}

static int64_t sends_by_tokens(const ith_wire *w, int layer, int64_t depth, int64_t n)
{
    const ith_heads_traffic traffic = traffic_of(w);

    (void)layer;
    return ith_heads_sends_by_tokens(&traffic, depth, n);
}

static int64_t sends_by_rows(const ith_wire *w, int layer, int64_t n)
{
    const ith_heads_traffic traffic = traffic_of(w);
    const ith_latent_params *l = &w->hp->latent;
    int r = w->mesh->rank;
    int64_t heads = ith_range_size(ith_mesh_own_heads(w->mesh, w->hp->n_heads, r)),
            low = ith_range_size(ith_mesh_rows(w->mesh, l->kv_rank + l->rope, r)) +
                  (l->q_rank > 0 ? ith_range_size(ith_mesh_rows(w->mesh, l->q_rank, r)) : 0);

    (void)layer;
    return n * (w->mesh->ranks - 1) *
           (ith_heads_result_bytes(&traffic, heads) + low * (int64_t)sizeof(float));
}

static int64_t exchange_most(const ith_wire *w, int layer, int64_t n)
{
    const ith_heads_traffic traffic = traffic_of(w);

    (void)layer;
    return ith_heads_exchange_most(&traffic, n);
}

/* The key, and its first channels as the value. */
static double key_ops(const ith_hparams *hp, int layer)
{
    (void)layer;
    return 2 * (double)((hp->head_dim + hp->latent.kv_rank) * hp->n_heads);
}

static ith_key_tile key_tile(const ith_hparams *hp, const ith_caches *caches, ith_kv_layout kv,
                             int64_t n, int n_threads)
{
    const ith_heads_shape shape = shape_of(hp, kv);
    return (ith_key_tile){.head_dim = hp->head_dim,
                          .value_dim = hp->latent.kv_rank,
                          .group = hp->n_heads,
                          .tokens = ith_attend_tile(caches, &shape, n * hp->n_heads, n_threads)};
}

/* ---- Passes: projections ---- */

static latent_work *work_of(const ith_pass *p)
{
    return p->ws->of[ITH_BLOCK_latent];
}

static const latent *weights_of(const ith_heads *a)
{
    return (const latent *)(const void *)a->w; /* its first member */
}

/* Rows `rows` of W times my tokens' input, to where they lie among all rows, or for heads, which
 * need not begin with a tile, among mine. */
static void project(const ith_pass *p, ith_member *me, const ith_matrix *w, ith_range rows,
                    const ith_input *in, float *out, int64_t ld)
{
    ith_linear(me, p->model, w, rows, in, ith_range_size(p->mine), out, ld);
}

/* The output of q_a or kv_a, of which this rank made its rows, becomes whole. Ends with a
 * barrier. */
static void gather_low(ith_pass *p, ith_member *me, float *x, int64_t ld, int64_t cols)
{
    const ith_owners owners = {.n_cols = cols};

    if (p->way->all_tokens && p->comm->size > 1)
        ith_rows_gather_floats(p, me, x, ld, p->n, p->way->rows(p, cols).begin, &owners);
    ith_barrier(me);
}

/* The norm of q_a's output, as q_b reads it. Ends with a barrier. */
static void normalize_low(ith_pass *p, const latent *w, ith_member *me)
{
    const ith_model *m = p->model;
    latent_work *work = work_of(p);
    int64_t n = m->hp.latent.q_rank;
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = mine.begin; t < mine.end; t++) {
        float *x = work->low + t * work->ld_low;
        m->kernels->rmsnorm(n, x, w->q_norm, EPSILON, x);
        if (!m->quantized)
            continue;
        m->kernels->quantize(n, x, &work->low_acts, t, 0);
        if (!ith_acts_sound(&work->low_acts, t, 0, work->low_acts.groups))
            ith_pass_note_broken_here(p);
    }
    ith_barrier(me);
}

static ith_range query_rows(const ith_heads *a)
{
    const ith_latent_params *l = &a->pass->model->hp.latent;
    ith_range heads = a->ops->q_heads(a);
    return (ith_range){heads.begin * (l->nope + l->rope), heads.end * (l->nope + l->rope)};
}

/* What the keys, and the queries of a model without q_a, are made of. Ends with a barrier. */
static void project_down(const ith_heads *a, const ith_block *block, ith_member *me)
{
    ith_pass *p = a->pass;
    const latent *w = weights_of(a);
    latent_work *work = work_of(p);
    ith_input in = ith_pass_input(p, w->kv_a->cols);
    const ith_matrix *first = w->q_a != NULL ? w->q_a : w->q;
    ith_range kv = p->way->rows(p, w->kv_a->rows);

    ith_pass_show(p, (const ith_matrix *const[]){first, w->kv_a}, 2, first->cols, false, me);
    ith_pass_enter(p, a->layer, block, STAGE_DOWN, NULL, me);
    project(p, me, w->kv_a, kv, &in, work->heads.k + kv.begin, work->heads.ld_kv);
    if (w->q_a != NULL) {
        ith_range rows = p->way->rows(p, w->q_a->rows);
        project(p, me, w->q_a, rows, &in, work->low + rows.begin, work->ld_low);
    } else {
        project(p, me, w->q, query_rows(a), &in, work->heads.q, work->heads.ld_q);
    }
    ith_barrier(me);
    ith_pass_lap(p, me, a->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, a->layer, block, STAGE_DOWN, me);
    gather_low(p, me, work->heads.k, work->heads.ld_kv, w->kv_a->rows);
    if (w->q_a != NULL) {
        gather_low(p, me, work->low, work->ld_low, w->q_a->rows);
        ith_pass_lap(p, me, a->layer, ITH_LAP_EXCHANGE);
        normalize_low(p, w, me);
    }
    ith_pass_lap(p, me, a->layer, ITH_LAP_REST);
}

/* ---- Passes: queries and keys ---- */

/* The rotated channels of my token t. Pairs are neighbours in the model; queries and keys both get
 * the order of halves here, which their product does not see. */
static void rotate(const ith_heads *a, int64_t t, const float *x, float *out)
{
    const ith_model *m = a->pass->model;
    int64_t n = m->hp.latent.rope, half = n / 2;

    for (int64_t i = 0; i < half && !m->hp.latent.halves; i++) {
        out[i] = x[2 * i];
        out[half + i] = x[2 * i + 1];
    }
    if (m->hp.latent.halves)
        memcpy(out, x, (size_t)n * sizeof *out);
    if (a->half > 0)
        m->kernels->rope((int)n, out, a->cos + t * a->half, a->sin + t * a->half);
}

/* Room for n tokens of `cols` columns at `at`. */
static ith_acts acts_at(float *at, int64_t n, int64_t cols)
{
    int64_t groups = (cols + ITH_GROUP - 1) / ITH_GROUP, each = n * groups;
    return (ith_acts){.scales = at,
                      .shifts = at + each,
                      .sums = at + 2 * each,
                      .start8 = (int32_t *)(void *)(at + 3 * each),
                      .start128 = (int32_t *)(void *)(at + 4 * each),
                      .half128 = (int32_t *)(void *)(at + 5 * each),
                      .quants = (int8_t *)(void *)(at + 7 * each),
                      .groups = groups};
}

/* A query of head `head` of my token t to its record: `x`, absorbed, and the rotated part of q. */
static void put_query(const ith_heads *a, const ith_head_slice *slice, int64_t head, int64_t t,
                      float *x, const float *q)
{
    const ith_kernels *kernels = a->pass->model->kernels;
    int64_t l = a->shape.dv, n = a->d - l;
    uint8_t *record = a->ops->query_at(a, slice, t, 0), *at = record + head * slice->record.stride;
    float tail[ITH_LATENT_TAIL_MOST], scales[2];

    rotate(a, t, q, tail);
    if (a->pass->kv == ITH_KVL_Q8) {
        scales[0] = kernels->quantize_head((int)l, x, NULL, (int8_t *)at);
        scales[1] = kernels->quantize_head((int)n, tail, NULL, (int8_t *)at + l);
        for (int i = 0; i < 2; i++) {
            ith_heads_check(a, scales[i]);
            scales[i] *= a->q_factor;
        }
        memcpy(record + slice->record.scales + head * slice->record.scale, scales, sizeof scales);
        return;
    }
    ith_heads_check(a, ith_largest_abs(x, l));
    ith_heads_check(a, ith_largest_abs(tail, n));
    kernels->scale(l, x, a->q_factor);
    kernels->scale(n, tail, a->q_factor);
    memcpy(at, x, (size_t)l * sizeof *x);
    memcpy(at + (size_t)l * sizeof *x, tail, (size_t)n * sizeof *tail);
}

/* Head number `i` of mine, my tokens [t, t + n): absorbed, then to their records. */
static void absorb(const ith_heads *a, const ith_head_slice *slice, int64_t i, int64_t t, int64_t n,
                   float *scratch)
{
    ith_pass *p = a->pass;
    const ith_model *m = p->model;
    const ith_latent_params *l = &m->hp.latent;
    const latent *w = weights_of(a);
    const latent_work *work = work_of(p);
    ith_range rows = query_rows(a);
    int64_t head = a->ops->q_heads(a).begin + i, tiles = l->kv_rank / ITH_TILE_ROWS;
    float *x = scratch;
    const float *q =
        work->heads.q + t * work->heads.ld_q + rows.begin % ITH_TILE_ROWS + i * (l->nope + l->rope);
    ith_input in = {.x = q, .ld = work->heads.ld_q};

    if (ith_layout_is_quantized(w->k_b->layout)) {
        in.acts = acts_at(scratch + n * l->kv_rank, n, l->nope);
        for (int64_t k = 0; k < n; k++) {
            m->kernels->quantize(l->nope, q + k * in.ld, &in.acts, k, 0);
            if (!ith_acts_sound(&in.acts, k, 0, in.acts.groups))
                ith_pass_note_broken_here(p);
        }
    }
    ith_linear_tiles(m->kernels, w->k_b, (ith_range){head * tiles, (head + 1) * tiles}, &in, 0, n,
                     x, l->kv_rank);
    for (int64_t k = 0; k < n; k++)
        put_query(a, slice, head, t + k, x + k * l->kv_rank, q + k * in.ld + l->nope);
}

/* All my heads of all my tokens. Ends with a barrier. */
static void make_queries(const ith_heads *a, const ith_head_slice *slice, const ith_block *block,
                         ith_member *me)
{
    ith_pass *p = a->pass;
    const latent *w = weights_of(a);
    latent_work *work = work_of(p);
    int64_t n = ith_range_size(p->mine), heads = ith_range_size(a->ops->q_heads(a)),
            blocks = (n + BLOCK - 1) / BLOCK;
    ith_input low = {.x = work->low, .ld = work->ld_low, .acts = work->low_acts};
    ith_lot lot;

    ith_pass_enter(p, a->layer, block, STAGE_QUERIES, NULL, me);
    if (w->q_a != NULL) {
        project(p, me, w->q, query_rows(a), &low, work->heads.q, work->heads.ld_q);
        ith_barrier(me);
    }
    lot = ith_lot_open(me, ith_help_with(n) ? ITH_SHARE_TASKS : 1, ith_help_with(n));
    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_range(me, &lot, heads * blocks, 1);
        for (int64_t i = units.begin; i < units.end; i++) {
            int64_t t = i % blocks * BLOCK;
            absorb(a, slice, i / blocks, t, ith_min(BLOCK, n - t), p->ws->scratch[me->tid]);
        }
    }
    ith_barrier(me);
    ith_pass_lap(p, me, a->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, a->layer, block, STAGE_QUERIES, me);
}

static void make_kv(const ith_heads *a, int64_t head, int64_t t, uint8_t *record)
{
    const ith_kernels *kernels = a->pass->model->kernels;
    int64_t l = a->shape.dv, n = a->d - l;
    float *x = a->work->k + t * a->work->ld_kv, tail[ITH_LATENT_TAIL_MOST];

    (void)head;
    ith_heads_check(a, ith_largest_abs(x, a->d)); /* a norm might lose what is too large */
    kernels->rmsnorm(l, x, weights_of(a)->kv_norm, EPSILON, x);
    rotate(a, t, x + l, tail);
    if (a->pass->kv == ITH_KVL_Q8) {
        uint16_t scales[2] = {
            kernels->quantize_head_bf16((int)l, x, NULL, (int8_t *)record),
            kernels->quantize_head_bf16((int)n, tail, NULL, (int8_t *)record + l)};
        ith_heads_check(a, ith_bf16_to_f32(scales[0]));
        ith_heads_check(a, ith_bf16_to_f32(scales[1]));
        memcpy(record + a->kv.scales, scales, sizeof scales);
        return;
    }
    ith_heads_put_floats(a->pass->kv, l, x, record);
    ith_heads_put_floats(a->pass->kv, n, tail, record + l * (a->pass->kv == ITH_KVL_F32 ? 4 : 2));
}

static void put_in_cache(const ith_heads *a, int64_t head, int64_t t, const uint8_t *record)
{
    int layer;
    ith_kv *kv = ith_heads_kv(a, t, &layer);
    int64_t pos = ith_pass_position(a->pass, t);
    uint16_t scales[2];

    if (a->pass->kv != ITH_KVL_Q8) {
        ith_kv_put_float(kv, layer, (int)head, pos, record, NULL);
        return;
    }
    memcpy(scales, record + a->kv.scales, sizeof scales);
    a->pass->model->kernels->latent_put_q8(ith_kv_block(kv, layer, (int)head, pos), (int)a->d,
                                           (int)(pos % ITH_KV_BLOCK), (const int8_t *)record,
                                           scales[0], scales[1]);
}

static const ith_heads_form latents = {.make_kv = make_kv, .put = put_in_cache};

/* ---- Passes: values ---- */

/* Head by head, so that each is the input of its rows of v_b. */
static ith_heads_out sums_out(const ith_heads *a, const ith_head_slice *slice)
{
    const latent_work *work = work_of(a->pass);
    int64_t width = ith_range_size(a->ops->q_heads(a)) * a->shape.dv;

    (void)slice;
    return (ith_heads_out){.quantized = ith_layout_is_quantized(weights_of(a)->v_b->layout),
                           .acts = work->sums_acts,
                           .head_rows = ith_range_size(a->attended),
                           .x = work->sums,
                           .ld = width};
}

/* Head number `i` of mine, tokens [t, t + n): its value, to its columns of h. */
static void expand(const ith_heads *a, int64_t i, int64_t t, int64_t n)
{
    ith_pass *p = a->pass;
    const ith_latent_params *l = &p->model->hp.latent;
    const ith_matrix *v_b = weights_of(a)->v_b;
    ith_heads_out from = sums_out(a, NULL);
    int64_t head = a->ops->q_heads(a).begin + i, tiles = l->value / ITH_TILE_ROWS;
    ith_input in = {.x = from.x + i * l->kv_rank, .ld = from.ld, .acts = from.acts};

    if (from.quantized) {
        in.acts = ith_acts_at(&from.acts, i * from.head_rows);
        for (int64_t k = t; k < t + n; k++)
            if (!ith_acts_sound(&in.acts, k, 0, in.acts.groups))
                ith_pass_note_broken_here(p);
    }
    ith_linear_tiles(p->model->kernels, v_b, (ith_range){head * tiles, (head + 1) * tiles}, &in, t,
                     n, p->ws->h + t * p->ws->ld + head * l->value, p->ws->ld);
}

/* My columns of h, as o reads them, and with those of other ranks whole. Ends with a barrier. */
static void gather_values(ith_pass *p, const ith_heads *a, ith_member *me)
{
    const ith_matrix *o = a->w->o;
    const ith_owners owners = {.n_cols = o->cols, .n_heads = a->n_q};
    ith_range mine = ith_my_share(me, p->n, 1), cols = ith_rows_owned(p, &owners, p->comm->rank);
    ith_input in = ith_pass_input(p, o->cols);
    bool groups = ith_layout_is_quantized(o->layout) && p->model->hp.latent.value % ITH_GROUP == 0;

    if (!groups) {
        ith_rows_gather_floats(p, me, p->ws->h, p->ws->ld, p->n, cols.begin, &owners);
        ith_quantize_h(p, me, o->cols);
        return;
    }
    for (int64_t t = mine.begin; t < mine.end; t++) {
        int64_t first = cols.begin / ITH_GROUP, n = ith_range_size(cols);
        p->model->kernels->quantize(n, p->ws->h + t * p->ws->ld + cols.begin, &in.acts, t, first);
        if (!ith_acts_sound(&in.acts, t, first, n / ITH_GROUP))
            ith_pass_note_broken_here(p);
    }
    ith_barrier(me);
    ith_rows_gather_acts(p, me, &in.acts, p->n, &owners);
}

static void project_out(const ith_heads *a, const ith_block *block, ith_member *me)
{
    ith_pass *p = a->pass;
    const ith_matrix *o = a->w->o;
    int64_t n = ith_range_size(a->attended), heads = ith_range_size(a->ops->q_heads(a)),
            blocks = (n + BLOCK - 1) / BLOCK;
    ith_input in = ith_pass_input(p, o->cols);
    ith_lot lot;

    ith_pass_enter(p, a->layer, block, STAGE_OUT, NULL, me);
    lot = ith_lot_open(me, ith_help_with(n) ? ITH_SHARE_TASKS : 1, ith_help_with(n));
    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_range(me, &lot, heads * blocks, 1);
        for (int64_t i = units.begin; i < units.end; i++)
            expand(a, i / blocks, i % blocks * BLOCK, ith_min(BLOCK, n - i % blocks * BLOCK));
    }
    ith_barrier(me);
    ith_pass_lap(p, me, a->layer, ITH_LAP_PRODUCTS);
    if (p->way->all_tokens && p->comm->size > 1)
        gather_values(p, a, me);
    else
        ith_quantize_h(p, me, o->cols);
    ith_pass_lap(p, me, a->layer, ITH_LAP_EXCHANGE);
    ith_pass_show(p, &o, 1, o->cols, ith_layout_is_quantized(o->layout), me);
    project(p, me, o, p->way->rows(p, o->rows), &in, p->ws->y, p->ws->ld_y);
    ith_barrier(me);
    ith_pass_lap(p, me, a->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, a->layer, block, STAGE_OUT, me);
}

/* ---- The pass ---- */

/* Rotary angles of my tokens. */
static void begin(ith_pass *p, ith_member *me)
{
    const ith_rope *rope = &p->model->rope;
    ith_heads_work *work = &work_of(p)->heads;
    ith_range share = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = share.begin; t < share.end; t++)
        ith_rope_angles(rope, ith_pass_position(p, ith_pass_token(p, t)),
                        work->cos[0] + t * rope->half, work->sin[0] + t * rope->half);
}

/* YaRN's magnitude counts twice: queries and keys would both have it if they rotate. */
static float log2_scale(const ith_hparams *hp, bool rotate)
{
    const double log2_e = 1.4426950408889634;
    const ith_rope_params *r = &hp->rope;
    double m = rotate && r->kind == ITH_ROPE_YARN && r->factor > 1 && r->mscale_all_dim > 0
                   ? 0.1 * r->mscale_all_dim * ith_ln(r->factor) + 1
                   : 1;
    return (float)(log2_e * m * m / sqrt((double)(hp->latent.nope + hp->latent.rope)));
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const latent *w = block->weights;
    const ith_heads_shape shape = shape_of(&p->model->hp, p->kv);
    ith_heads a = ith_heads_open(p, layer, &w->heads, &shape, &work_of(p)->heads,
                                 log2_scale(&p->model->hp, w->heads.rope != NULL));
    ith_heads_ops ops = *a.ops;
    ith_head_slice slice = ith_head_slice_of(&a, 0);

    ops.out = sums_out;
    a.ops = &ops;
    a.form = &latents;
    project_down(&a, block, me);
    make_queries(&a, &slice, block, me);
    ith_heads_make(&a, &slice, me);
    ith_heads_take(&a, &slice, me);
    ith_pass_lap(p, me, layer, ITH_LAP_REST);
    ith_attend(&a, &slice, me);
    ith_pass_lap(p, me, layer, ITH_LAP_ATTENTION);
    project_out(&a, block, me);
}

const ith_block_kind ith_block_latent = {
    .name = "latent",
    .n_stages = STAGES,
    .weight_bytes = sizeof(latent),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .state = state,
    .needs = needs,
    .work_bytes = sizeof(latent_work),
    .request = request,
    .sends_by_tokens = sends_by_tokens,
    .sends_by_rows = sends_by_rows,
    .exchange_most = exchange_most,
    .key_ops = key_ops,
    .key_tile = key_tile,
    .begin = begin,
    .run = run,
};
