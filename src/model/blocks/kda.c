/* kda.c - the block of Kimi Delta Attention (arXiv 2510.26692; Kimi Linear): Gated DeltaNet with a
 * decay of its own for each channel of a key, and a sigmoid at the gate.
 *
 * For a token, with softplus and exp as the kernels compute them: q, k, v = silu(conv(W x)), q and
 * k of length 1 (q over sqrt(d) besides), decay = exp(A softplus(Wf_b Wf_a x + dt_bias)) for each
 * channel, A = -exp(A_log) for each head, beta = 1 / (1 + e^-b). The state goes on as
 * ith_recurrence says; the result of each head is rmsnorm(result) * norm / (1 + e^-z),
 * z = Wg_b Wg_a x.
 *
 * Wf_a and Wg_a have as many rows as a head has channels: every rank multiplies with all of them,
 * then with the rows of Wf_b and Wg_b that are of the heads that it makes.
 */
#include "base/finite.h"
#include "model/blocks/recur.h"

#include <math.h>
#include <string.h>

enum { STAGE_IN, STAGE_OUT, STAGES };

/* Shapes: hidden h; H heads of d channels; T taps. */
typedef struct kda {
    const ith_matrix *q, *k, *v;           /* [H d, h] */
    const ith_matrix *f_a, *g_a, *b;       /* [d, h], [d, h], [H, h]: whole on every rank */
    const ith_matrix *f_b, *g_b;           /* [H d, d] */
    const ith_matrix *o;                   /* [h, H d] */
    const float *conv_q, *conv_k, *conv_v; /* [T][H d] */
    const float *decay, *dt_bias, *norm;   /* [H] A; [H d]; [d] */
} kda;

/* What a matrix of low rank yields, for the next: [T][ld] and quantized. */
typedef struct low {
    float *x;
    ith_acts acts;
} low;

typedef struct kda_work {
    ith_recur_work recur;
    float *q, *k, *v, *z; /* [T][ld] projections */
    float *f;             /* [T][ld], which become the decays */
    float *b;             /* [T][ld_gate], which become beta */
    low f_low, g_low;
    int64_t ld, ld_gate, ld_low;
} kda_work;

static ith_recurrent_shape shape_of(const ith_hparams *hp)
{
    int64_t d = hp->delta.key_dim;
    return (ith_recurrent_shape){
        .heads = hp->delta.key_heads,
        .groups = hp->delta.key_heads,
        .out = d,
        .cells = d * ith_round_up(d, ITH_STATE_COLS),
        .cell_ops = 7, /* decay; what the state says of the key; change; result */
        .taps = hp->delta.taps - 1,
        .fields = {{d, true}, {d, true}, {d, false}, {d, false}, {1, false}}};
}

/* ---- Weights ---- */

static ith_status bind_of_heads(ith_binder *b, ith_role role, int64_t cols, bool precise,
                                const ith_matrix **out, ith_error *err)
{
    const ith_delta_params *d = &b->model->hp.delta;
    ith_matrix_want want = ith_want(role, d->key_heads * d->key_dim, cols, STAGE_IN);

    want.heads = want.served = d->key_heads;
    want.precise = precise;
    return ith_bind_matrix(b, &want, out, err);
}

static ith_status bind_matrices(ith_binder *b, kda *w, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t h = hp->hidden, d = hp->delta.key_dim;

    ITH_TRY(bind_of_heads(b, ITH_ROLE_REC_Q, h, false, &w->q, err));
    ITH_TRY(bind_of_heads(b, ITH_ROLE_REC_K, h, false, &w->k, err));
    ITH_TRY(bind_of_heads(b, ITH_ROLE_REC_V, h, false, &w->v, err));
    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_REC_A_LOW, d, h, &w->f_a, err));
    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_REC_Z_LOW, d, h, &w->g_a, err));
    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_REC_B, hp->delta.key_heads, h, &w->b, err));
    ITH_TRY(bind_of_heads(b, ITH_ROLE_REC_A, d, true, &w->f_b, err));
    return bind_of_heads(b, ITH_ROLE_REC_Z, d, false, &w->g_b, err);
}

static ith_status bind_convolution(ith_binder *b, ith_role role, const float **out, ith_error *err)
{
    const ith_delta_params *d = &b->model->hp.delta;
    int64_t n = d->key_heads * d->key_dim;
    const ith_vector_want want = {
        .role = role, .n = n * d->taps, .form = {.taps = d->taps, .channels = n}};

    return ith_bind_vector_as(b, &want, out, err);
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t H = hp->delta.key_heads, d = hp->delta.key_dim;
    const ith_matrix_want o = ith_want(ITH_ROLE_REC_OUT, hp->hidden, H * d, STAGE_OUT);
    const ith_vector_want decay = {
        .role = ITH_ROLE_REC_DECAY, .n = H, .form = {.minus_exp = b->hf}};
    kda *w = block->weights;

    ITH_TRY(bind_matrices(b, w, err));
    ITH_TRY(bind_convolution(b, ITH_ROLE_REC_CONV_Q, &w->conv_q, err));
    ITH_TRY(bind_convolution(b, ITH_ROLE_REC_CONV_K, &w->conv_k, err));
    ITH_TRY(bind_convolution(b, ITH_ROLE_REC_CONV_V, &w->conv_v, err));
    ITH_TRY(ith_bind_vector_as(b, &decay, &w->decay, err));
    ITH_TRY(ith_bind_vector(b, ITH_ROLE_REC_DT_BIAS, H * d, &w->dt_bias, err));
    ITH_TRY(ith_bind_vector(b, ITH_ROLE_REC_NORM, d, &w->norm, err));
    return ith_bind_matrix(b, &o, &w->o, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const kda *w = block->weights;
    const ith_matrix *const all[] = {w->q, w->k, w->v, w->f_a, w->g_a, w->f_b, w->g_b, w->b, w->o};

    (void)hp;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        see(user, &(ith_use){all[i], 1});
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    int64_t H = hp->delta.key_heads, d = hp->delta.key_dim;

    (void)block;
    return 3 * H * d * hp->delta.taps + H + H * d + d;
}

/* ---- Workspace ---- */

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_delta_params *d = &s->model->hp.delta;
    const ith_recurrent_shape shape = shape_of(&s->model->hp);
    int64_t T = s->T, groups = (d->key_dim + ITH_GROUP - 1) / ITH_GROUP;
    kda_work *w = work;
    float **const rows[] = {&w->q, &w->k, &w->v, &w->z, &w->f};
    low *const lows[] = {&w->f_low, &w->g_low};

    /* Tiles of rows may stick out at both ends of a range. */
    w->ld = ith_round_up(d->key_heads * d->key_dim, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->ld_gate = ith_round_up(d->key_heads, ITH_TILE_ROWS);
    w->ld_low = ith_round_up(d->key_dim, ITH_TILE_ROWS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ith_request(r, T * w->ld, sizeof(float), rows[i]);
    ith_request(r, T * w->ld_gate, sizeof(float), &w->b);
    for (int i = 0; i < 2; i++) {
        ith_request(r, T * w->ld_low, sizeof(float), &lows[i]->x);
        ith_request_acts(r, s->model->quantized ? T : 1, groups, &lows[i]->acts);
    }
    ith_recur_request(r, s, &shape, 0, &w->recur);
}

/* ---- Rows, of my heads: [d] q, [d] k, [d] v, [d] decay of all of them, then [1] beta ---- */

static void make(const ith_recur *r, int64_t t, ith_range heads, ith_range groups, float *row)
{
    const kda_work *w = r->own;
    int64_t d = r->shape.out, n = ith_range_size(heads), at = t * w->ld;
    const float *const inputs[] = {w->q + at, w->k + at, w->v + at, w->f + at};

    (void)groups; /* the same as heads */
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        row = ith_recur_put(row, ith_recur_projected(inputs[i], r->made_heads, heads.begin, d),
                            n * d);
    ith_recur_put(row, w->b + t * w->ld_gate + heads.begin, n);
}

static void mix(const ith_recur *r, const float *const *rows, float *mixed)
{
    const kda *w = r->weights;
    int64_t d = r->shape.out, heads = ith_range_size(r->heads), n = heads * d,
            all = r->shape.heads * d, first = r->heads.begin * d;

    ith_recur_convolve(r, rows, 0, n, w->conv_q + first, all, mixed);
    ith_recur_convolve(r, rows, n, n, w->conv_k + first, all, mixed);
    ith_recur_convolve(r, rows, 2 * n, n, w->conv_v + first, all, mixed);
    ith_recur_normalize(r, heads, d, 1 / sqrt((double)d), mixed);
    ith_recur_normalize(r, heads, d, 1, mixed + n);
    ith_recur_put(mixed + 3 * n, rows[r->shape.taps] + 3 * n, n + heads);
}

static void advance(const ith_recur *r, int64_t head, ith_range cols, float *s, const float *mixed,
                    int64_t n, float *out, int64_t ld_out)
{
    int64_t d = r->shape.out, all = ith_range_size(r->heads) * d;
    const float *at = mixed + head * d;

    ith_recur_kernels(r)->recur(&(ith_recurrence){.state = s,
                                                  .rows = d,
                                                  .cols = ith_range_size(cols),
                                                  .n_tokens = n,
                                                  .q = at,
                                                  .k = at + all,
                                                  .v = at + 2 * all + cols.begin,
                                                  .ld = r->width,
                                                  .decay = at + 3 * all,
                                                  .beta = mixed + 4 * all + head,
                                                  .ld_gates = r->width,
                                                  .each = true,
                                                  .out = out,
                                                  .ld_out = ld_out});
}

static void finish(const ith_recur *r, int64_t t, int64_t head, const float *x, float *to)
{
    const kda *w = r->weights;
    const kda_work *work = r->own;
    int64_t d = r->shape.out;
    const float *z = ith_recur_projected(work->z + t * work->ld, r->made_heads, head, d);

    if (!(ith_largest_abs(x, d) < ITH_RECUR_VALUE_MOST) || !ith_all_finite(z, d)) /* or NaN */
        ith_pass_note_broken_here(r->pass);
    ith_recur_kernels(r)->rmsnorm(d, x, w->norm, (float)r->pass->model->hp.rms_eps, to);
    ith_recur_kernels(r)->sigmoid_mul(d, z, to, to);
}

static const ith_recur_ops ops = {make, mix, advance, finish, NULL};

/* ---- Passes ---- */

/* The decays and beta of my token t, of the heads that this rank makes. */
static void make_gates(const ith_recur *r, int64_t t)
{
    const ith_kernels *kernels = ith_recur_kernels(r);
    const kda *w = r->weights;
    const kda_work *work = r->own;
    int64_t d = r->shape.out, first = r->made_heads.begin * d,
            n = ith_range_size(r->made_heads) * d, H = r->shape.heads;
    float *f = work->f + t * work->ld + first % ITH_TILE_ROWS, *b = work->b + t * work->ld_gate;

    if (!ith_all_finite(f, n) || !ith_all_finite(b, H))
        ith_pass_note_broken_here(r->pass);
    kernels->softplus(n, f, w->dt_bias + first, f);
    for (int64_t i = 0; i < n / d; i++)
        kernels->scale(d, f + i * d, w->decay[r->made_heads.begin + i]);
    kernels->exponential(n, f);
    ith_recur_sigmoid(r, H, b);
}

/* What the second matrix of a gate reads, of my token t. */
static void quantize_low(const ith_recur *r, const low *l, int64_t t)
{
    const kda_work *work = r->own;

    ith_recur_kernels(r)->quantize(r->shape.out, l->x + t * work->ld_low, &l->acts, t, 0);
    if (!ith_acts_sound(&l->acts, t, 0, l->acts.groups))
        ith_pass_note_broken_here(r->pass);
}

static void project_low(const ith_recur *r, ith_member *me, const ith_matrix *w, const low *l,
                        float *out)
{
    const kda_work *work = r->own;
    const ith_input in = {.x = l->x, .ld = work->ld_low, .acts = l->acts};
    int64_t d = r->shape.out;

    ith_linear(me, r->pass->model, w, (ith_range){r->made_heads.begin * d, r->made_heads.end * d},
               &in, ith_range_size(r->pass->mine), out, work->ld);
}

/* Ends with a barrier. */
static void project_gates(const ith_recur *r, ith_member *me)
{
    const kda *w = r->weights;
    const kda_work *work = r->own;
    ith_range share = ith_my_share(me, ith_range_size(r->pass->mine), 1);

    for (int64_t t = share.begin; t < share.end && r->pass->model->quantized; t++) {
        quantize_low(r, &work->f_low, t);
        quantize_low(r, &work->g_low, t);
    }
    ith_barrier(me);
    project_low(r, me, w->f_b, &work->f_low, work->f);
    project_low(r, me, w->g_b, &work->g_low, work->z);
    ith_barrier(me);
    for (int64_t t = share.begin; t < share.end; t++)
        make_gates(r, t);
}

static void project_all(const ith_recur *r, const ith_block *block, ith_member *me)
{
    ith_pass *p = r->pass;
    const kda *w = r->weights;
    const kda_work *work = r->own;
    int64_t d = r->shape.out;
    const ith_range low_rows = {0, d}, all = {0, r->shape.heads};

    ith_pass_show(p, (const ith_matrix *const[]){w->q, w->k, w->v}, 3, w->q->cols, false, me);
    ith_pass_enter(p, r->layer, block, STAGE_IN, NULL, me);
    ith_recur_project(r, me, w->q, r->made_heads, d, work->q, work->ld);
    ith_recur_project(r, me, w->k, r->made_heads, d, work->k, work->ld);
    ith_recur_project(r, me, w->v, r->made_heads, d, work->v, work->ld);
    ith_recur_project(r, me, w->f_a, low_rows, 1, work->f_low.x, work->ld_low);
    ith_recur_project(r, me, w->g_a, low_rows, 1, work->g_low.x, work->ld_low);
    ith_recur_project(r, me, w->b, all, 1, work->b, work->ld_gate);
    ith_barrier(me);
    project_gates(r, me);
    ith_pass_lap(p, me, r->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, r->layer, block, STAGE_IN, me);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const kda *w = block->weights;
    kda_work *work = p->ws->of[ITH_BLOCK_kda];
    ith_recur r = {.pass = p,
                   .ops = &ops,
                   .weights = w,
                   .own = work,
                   .work = &work->recur,
                   .layer = layer,
                   .shape = shape_of(&p->model->hp),
                   .state_rows = p->model->hp.delta.key_dim};

    ith_recur_open(&r);
    project_all(&r, block, me);
    ith_recur_run(&r, me);
    ith_recur_project_out(&r, block, STAGE_OUT, w->o, me);
}

const ith_block_kind ith_block_kda = {
    .name = "kda",
    .n_stages = STAGES,
    .weight_bytes = sizeof(kda),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .recurrent = shape_of,
    .work_bytes = sizeof(kda_work),
    .request = request,
    .run = run,
    ITH_RECUR_KIND,
};
