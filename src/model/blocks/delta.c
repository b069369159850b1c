/* delta.c - the block of Gated DeltaNet (arXiv 2412.06464; Qwen3-Next, Qwen3.5): queries, keys and
 * values through short convolutions, a state for each value head that decays and learns by the
 * delta rule, and a gated norm of what it says.
 *
 * For a token, with softplus and exp as the kernels compute them: q, k, v = silu(conv(W x)), q and
 * k of length 1 (q over sqrt(key_dim) besides), decay = exp(A softplus(a + dt_bias)),
 * A = -exp(A_log), beta = 1 / (1 + e^-b). The state goes on as ith_recurrence says; the result of
 * each value head is rmsnorm(result) * norm * silu(z).
 */
#include "base/finite.h"
#include "model/blocks/recur.h"

#include <math.h>
#include <string.h>

enum { STAGE_IN, STAGE_OUT, STAGES };

/* Shapes: hidden h; K key heads of dk, V value heads of dv channels; T taps. */
typedef struct delta {
    const ith_matrix *q, *k, *v, *z; /* [K dk, h], [K dk, h], [V dv, h], [V dv, h] */
    const ith_matrix *a, *b;         /* [V, h], whole on every rank */
    const ith_matrix *o;             /* [h, V dv] */
    const float *conv_qk, *conv_v;   /* [T][2 K dk], [T][V dv] */
    const float *decay, *dt_bias;    /* [V] A; */
    const float *norm;               /* [dv] */
} delta;

typedef struct delta_work {
    ith_recur_work recur;
    float *q, *k, *v, *z; /* [T][ld_k], [T][ld_k], [T][ld_v], [T][ld_v] projections */
    float *a, *b;         /* [T][ld_gate], which become the decay and beta */
    int64_t ld_k, ld_v, ld_gate;
} delta_work;

static ith_recurrent_shape shape_of(const ith_hparams *hp)
{
    const ith_delta_params *d = &hp->delta;
    return (ith_recurrent_shape){
        .heads = d->value_heads,
        .groups = d->key_heads,
        .out = d->value_dim,
        .cells = d->key_dim * ith_round_up(d->value_dim, ITH_STATE_COLS),
        .cell_ops = 7, /* decay; what the state says of the key; change; result */
        .taps = d->taps - 1,
        .fields = {
            {d->key_dim, true}, {d->key_dim, true}, {d->value_dim, false}, {1, false}, {1, false}}};
}

/* ---- Weights ---- */

/* The order of value heads' rows, `each` a head, in files that have them in another. */
static ith_head_order value_order(const ith_binder *b, int64_t each)
{
    const ith_delta_params *d = &b->model->hp.delta;

    if (!d->tiled || !b->gguf)
        return (ith_head_order){0};
    return (ith_head_order){.head_dim = each, .tiles = d->key_heads, .n_heads = d->value_heads};
}

/* A matrix whose rows the file may have among others': `each` rows of each of n heads from `first`
 * on, in tensors with `stride` rows for such a head; stride 0: all heads' rows from `first` on. */
static ith_matrix_want fused(ith_matrix_want want, ith_role role, int64_t all, int64_t first,
                             int64_t each, int64_t stride)
{
    want.fused = role;
    want.fused_rows = all;
    want.first_row = first;
    if (stride > 0)
        want.order = (ith_head_order){.head_dim = each, .stride = stride};
    return want;
}

static bool has(const ith_binder *b, ith_role role)
{
    char name[128];
    return ith_bind_look(b, role, 0, name) != NULL;
}

static ith_status bind_projections(ith_binder *b, delta *w, ith_error *err)
{
    const ith_delta_params *d = &b->model->hp.delta;
    int64_t h = b->model->hp.hidden, K = d->key_heads, V = d->value_heads, keys = K * d->key_dim,
            values = V * d->value_dim, of_key = V / K * d->value_dim,
            unit = 2 * (d->key_dim + of_key);
    ith_matrix_want q = ith_want(ITH_ROLE_REC_Q, keys, h, STAGE_IN),
                    k = ith_want(ITH_ROLE_REC_K, keys, h, STAGE_IN),
                    v = ith_want(ITH_ROLE_REC_V, values, h, STAGE_IN),
                    z = ith_want(ITH_ROLE_REC_Z, values, h, STAGE_IN);
    const ith_role all = ITH_ROLE_REC_QKVZ, some = ITH_ROLE_REC_QKV;

    q.heads = k.heads = K;
    v.heads = z.heads = V;
    q.served = k.served = v.served = z.served = V;
    v.order = z.order = value_order(b, d->value_dim);
    if (has(b, all)) {
        q = fused(q, all, K * unit, 0, d->key_dim, unit);
        k = fused(k, all, K * unit, d->key_dim, d->key_dim, unit);
        v = fused(v, all, K * unit, 2 * d->key_dim, of_key, unit);
        z = fused(z, all, K * unit, 2 * d->key_dim + of_key, of_key, unit);
    } else {
        q = fused(q, some, 2 * keys + values, 0, 0, 0);
        k = fused(k, some, 2 * keys + values, keys, 0, 0);
        v = fused(v, some, 2 * keys + values, 2 * keys, 0, 0);
    }
    ITH_TRY(ith_bind_matrix(b, &q, &w->q, err));
    ITH_TRY(ith_bind_matrix(b, &k, &w->k, err));
    ITH_TRY(ith_bind_matrix(b, &v, &w->v, err));
    return ith_bind_matrix(b, &z, &w->z, err);
}

static ith_status bind_gates(ith_binder *b, delta *w, ith_error *err)
{
    const ith_delta_params *d = &b->model->hp.delta;
    int64_t V = d->value_heads, each = V / d->key_heads;
    ith_matrix_want a = ith_want(ITH_ROLE_REC_A, V, b->model->hp.hidden, 0),
                    beta = ith_want(ITH_ROLE_REC_B, V, b->model->hp.hidden, 0);
    ith_vector_want decay = {.role = ITH_ROLE_REC_DECAY, .n = V},
                    bias = {.role = ITH_ROLE_REC_DT_BIAS, .n = V};

    a.sensitive = beta.sensitive = true;
    a.order = beta.order = decay.form.order = bias.form.order = value_order(b, 1);
    decay.form.minus_exp = b->hf;
    if (has(b, ITH_ROLE_REC_BA)) {
        beta = fused(beta, ITH_ROLE_REC_BA, 2 * V, 0, each, 2 * each);
        a = fused(a, ITH_ROLE_REC_BA, 2 * V, each, each, 2 * each);
    }
    ITH_TRY(ith_bind_whole(b, &a, &w->a, err));
    ITH_TRY(ith_bind_whole(b, &beta, &w->b, err));
    ITH_TRY(ith_bind_vector_as(b, &decay, &w->decay, err));
    return ith_bind_vector_as(b, &bias, &w->dt_bias, err);
}

static ith_status bind_convolutions(ith_binder *b, delta *w, ith_error *err)
{
    const ith_delta_params *d = &b->model->hp.delta;
    int64_t keys = d->key_heads * d->key_dim, values = d->value_heads * d->value_dim;
    ith_vector_want qk = {.role = ITH_ROLE_REC_CONV_QK,
                          .n = 2 * keys * d->taps,
                          .fused = ITH_ROLE_REC_CONV,
                          .form = {.taps = d->taps, .channels = 2 * keys + values}},
                    v = {.role = ITH_ROLE_REC_CONV_V,
                         .n = values * d->taps,
                         .fused = ITH_ROLE_REC_CONV,
                         .form = {.taps = d->taps, .channels = 2 * keys + values}};

    v.form.first = 2 * keys;
    v.form.order = value_order(b, d->value_dim);
    ITH_TRY(ith_bind_vector_as(b, &qk, &w->conv_qk, err));
    return ith_bind_vector_as(b, &v, &w->conv_v, err);
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    const ith_matrix_want o = ith_want(ITH_ROLE_REC_OUT, hp->hidden,
                                       hp->delta.value_heads * hp->delta.value_dim, STAGE_OUT);
    delta *w = block->weights;

    ITH_TRY(bind_projections(b, w, err));
    ITH_TRY(bind_gates(b, w, err));
    ITH_TRY(bind_convolutions(b, w, err));
    ITH_TRY(ith_bind_vector(b, ITH_ROLE_REC_NORM, hp->delta.value_dim, &w->norm, err));
    return ith_bind_matrix(b, &o, &w->o, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const delta *w = block->weights;
    const ith_matrix *const all[] = {w->q, w->k, w->v, w->z, w->a, w->b, w->o};

    (void)hp;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        see(user, &(ith_use){all[i], 1});
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    const ith_delta_params *d = &hp->delta;

    (void)block;
    return (2 * d->key_heads * d->key_dim + d->value_heads * d->value_dim) * d->taps +
           2 * d->value_heads + d->value_dim;
}

/* ---- Workspace ---- */

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_delta_params *d = &s->model->hp.delta;
    const ith_recurrent_shape shape = shape_of(&s->model->hp);
    delta_work *w = work;

    /* Tiles of rows may stick out at both ends of a range. */
    w->ld_k = ith_round_up(d->key_heads * d->key_dim, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->ld_v = ith_round_up(d->value_heads * d->value_dim, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->ld_gate = ith_round_up(d->value_heads, ITH_TILE_ROWS);
    ith_request(r, s->T * w->ld_k, sizeof(float), &w->q);
    ith_request(r, s->T * w->ld_k, sizeof(float), &w->k);
    ith_request(r, s->T * w->ld_v, sizeof(float), &w->v);
    ith_request(r, s->T * w->ld_v, sizeof(float), &w->z);
    ith_request(r, s->T * w->ld_gate, sizeof(float), &w->a);
    ith_request(r, s->T * w->ld_gate, sizeof(float), &w->b);
    ith_recur_request(r, s, &shape, 0, &w->recur);
}

/* ---- Rows: [groups][dk] q, [groups][dk] k, [heads][dv] v, [heads] decay, [heads] beta ---- */

static void make(const ith_recur *r, int64_t t, ith_range heads, ith_range groups, float *row)
{
    const ith_delta_params *d = &r->pass->model->hp.delta;
    const delta_work *w = r->own;
    int64_t dk = d->key_dim, dv = d->value_dim, keys = ith_range_size(groups) * dk,
            n = ith_range_size(heads);

    row = ith_recur_put(
        row, ith_recur_projected(w->q + t * w->ld_k, r->made_groups, groups.begin, dk), keys);
    row = ith_recur_put(
        row, ith_recur_projected(w->k + t * w->ld_k, r->made_groups, groups.begin, dk), keys);
    row = ith_recur_put(
        row, ith_recur_projected(w->v + t * w->ld_v, r->made_heads, heads.begin, dv), n * dv);
    row = ith_recur_put(row, w->a + t * w->ld_gate + heads.begin, n);
    ith_recur_put(row, w->b + t * w->ld_gate + heads.begin, n);
}

static void mix(const ith_recur *r, const float *const *rows, float *mixed)
{
    const ith_delta_params *d = &r->pass->model->hp.delta;
    const delta *w = r->weights;
    int64_t dk = d->key_dim, all = d->key_heads * dk, groups = ith_range_size(r->groups),
            keys = groups * dk, values = ith_range_size(r->heads) * d->value_dim,
            gates = 2 * ith_range_size(r->heads);
    const float *key_taps = w->conv_qk + r->groups.begin * dk,
                *value_taps = w->conv_v + r->heads.begin * d->value_dim;

    ith_recur_convolve(r, rows, 0, keys, key_taps, 2 * all, mixed);
    ith_recur_convolve(r, rows, keys, keys, key_taps + all, 2 * all, mixed);
    ith_recur_convolve(r, rows, 2 * keys, values, value_taps, d->value_heads * d->value_dim, mixed);
    ith_recur_normalize(r, groups, dk, 1 / sqrt((double)dk), mixed);
    ith_recur_normalize(r, groups, dk, 1, mixed + keys);
    ith_recur_put(mixed + 2 * keys + values, rows[r->shape.taps] + 2 * keys + values, gates);
}

static void advance(const ith_recur *r, int64_t head, ith_range cols, float *s, const float *mixed,
                    int64_t n, float *out, int64_t ld_out)
{
    const ith_delta_params *d = &r->pass->model->hp.delta;
    int64_t dk = d->key_dim, each = d->value_heads / d->key_heads, heads = ith_range_size(r->heads),
            keys = ith_range_size(r->groups) * dk,
            group = (r->heads.begin + head) / each - r->groups.begin;
    const float *v = mixed + 2 * keys, *gates = v + heads * d->value_dim;

    ith_recur_kernels(r)->recur(&(ith_recurrence){.state = s,
                                                  .rows = dk,
                                                  .cols = ith_range_size(cols),
                                                  .n_tokens = n,
                                                  .q = mixed + group * dk,
                                                  .k = mixed + keys + group * dk,
                                                  .v = v + head * d->value_dim + cols.begin,
                                                  .ld = r->width,
                                                  .decay = gates + head,
                                                  .beta = gates + heads + head,
                                                  .ld_gates = r->width,
                                                  .out = out,
                                                  .ld_out = ld_out});
}

static void finish(const ith_recur *r, int64_t t, int64_t head, const float *x, float *to)
{
    const ith_hparams *hp = &r->pass->model->hp;
    const delta *w = r->weights;
    const delta_work *work = r->own;
    int64_t dv = hp->delta.value_dim;
    const float *z = ith_recur_projected(work->z + t * work->ld_v, r->made_heads, head, dv);

    if (!(ith_largest_abs(x, dv) < ITH_RECUR_VALUE_MOST)) /* or NaN */
        ith_pass_note_broken_here(r->pass);
    ith_recur_kernels(r)->rmsnorm(dv, x, w->norm, (float)hp->rms_eps, to);
    ith_recur_kernels(r)->silu_mul(dv, z, to, to);
}

static const ith_recur_ops ops = {make, mix, advance, finish, NULL};

/* ---- Passes ---- */

/* The decay and beta of my token t, of all value heads. */
static void make_gates(const ith_recur *r, int64_t t)
{
    const ith_kernels *kernels = ith_recur_kernels(r);
    const delta *w = r->weights;
    const delta_work *work = r->own;
    float *a = work->a + t * work->ld_gate, *b = work->b + t * work->ld_gate;
    int64_t V = w->a->rows;

    if (!ith_all_finite(a, V) || !ith_all_finite(b, V))
        ith_pass_note_broken_here(r->pass);
    kernels->softplus(V, a, w->dt_bias, a);
    kernels->mul(V, a, w->decay);
    kernels->exponential(V, a);
    ith_recur_sigmoid(r, V, b);
}

static void project_all(const ith_recur *r, const ith_block *block, ith_member *me)
{
    ith_pass *p = r->pass;
    const ith_delta_params *d = &p->model->hp.delta;
    const delta *w = r->weights;
    const delta_work *work = r->own;
    ith_range share = ith_my_share(me, ith_range_size(p->mine), 1);

    ith_pass_show(p, (const ith_matrix *const[]){w->q, w->k, w->v, w->z}, 4, w->q->cols, false, me);
    ith_pass_enter(p, r->layer, block, STAGE_IN, NULL, me);
    ith_recur_project(r, me, w->q, r->made_groups, d->key_dim, work->q, work->ld_k);
    ith_recur_project(r, me, w->k, r->made_groups, d->key_dim, work->k, work->ld_k);
    ith_recur_project(r, me, w->v, r->made_heads, d->value_dim, work->v, work->ld_v);
    ith_recur_project(r, me, w->z, r->made_heads, d->value_dim, work->z, work->ld_v);
    ith_recur_project(r, me, w->a, (ith_range){0, w->a->rows}, 1, work->a, work->ld_gate);
    ith_recur_project(r, me, w->b, (ith_range){0, w->b->rows}, 1, work->b, work->ld_gate);
    ith_barrier(me);
    for (int64_t t = share.begin; t < share.end; t++)
        make_gates(r, t);
    ith_pass_lap(p, me, r->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, r->layer, block, STAGE_IN, me);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const ith_delta_params *d = &p->model->hp.delta;
    delta_work *work = p->ws->of[ITH_BLOCK_delta];
    ith_recur r = {.pass = p,
                   .ops = &ops,
                   .weights = block->weights,
                   .own = work,
                   .work = &work->recur,
                   .layer = layer,
                   .shape = shape_of(&p->model->hp),
                   .state_rows = d->key_dim,
                   .tiles = d->tiled ? d->key_heads : 0};

    ith_recur_open(&r);
    project_all(&r, block, me);
    ith_recur_run(&r, me);
    ith_recur_project_out(&r, block, STAGE_OUT, ((const delta *)block->weights)->o, me);
}

const ith_block_kind ith_block_delta = {
    .name = "delta",
    .n_stages = STAGES,
    .weight_bytes = sizeof(delta),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .recurrent = shape_of,
    .work_bytes = sizeof(delta_work),
    .request = request,
    .run = run,
    ITH_RECUR_KIND,
};
