/* mamba.c - the block of Mamba2 (arXiv 2405.21060; Granite 4, Bamba, Falcon-H1, Nemotron-H): x, B
 * and C through a short convolution, a state for each head that decays and takes in dt x.
 *
 * For a token, with softplus and exp as the kernels compute them: x, B, C = silu(conv(W h)),
 * dt = softplus(dt + dt_bias), decay = exp(A dt), A = -exp(A_log). The state goes on as
 * ith_recurrence says, with k = B, q = C and v = dt x and without beta; y = its result, fma by
 * skip and x; y * silu(z), and where the family has it rmsnorm of that, group by group.
 */
#include "base/finite.h"
#include "model/blocks/recur.h"

#include <string.h>

enum { STAGE_IN, STAGE_OUT, STAGES };

/* Shapes: hidden h; H heads of P channels in G groups with states of N; T taps. */
typedef struct mamba {
    const ith_matrix *z, *x, *b, *c; /* [H P, h], [H P, h], [G N, h], [G N, h] */
    const ith_matrix *dt;            /* [H, h], whole on every rank */
    const ith_matrix *o;             /* [h, H P] */
    const float *conv, *conv_bias;   /* [T][x, B, C]; [x, B, C], NULL: none */
    const float *decay, *dt_bias;    /* [H] A; */
    const float *skip;               /* [H] */
    const float *norm;               /* [H P]; NULL: none */
} mamba;

typedef struct mamba_work {
    ith_recur_work recur;
    float *z, *x, *b, *c; /* [T][ld_x], [T][ld_x], [T][ld_b], [T][ld_b] projections */
    float *dt, *decay;    /* [T][ld_dt] */
    int64_t ld_x, ld_b, ld_dt;
} mamba_work;

static ith_recurrent_shape shape_of(const ith_hparams *hp)
{
    const ith_mamba_params *m = &hp->mamba;
    return (ith_recurrent_shape){
        .heads = m->heads,
        .groups = m->groups,
        .out = m->head_dim,
        .cells = m->state * ith_round_up(m->head_dim, ITH_STATE_COLS),
        .cell_ops = 5, /* decay, change, result */
        .taps = m->taps - 1,
        .fields = {
            {m->state, true}, {m->state, true}, {m->head_dim, false}, {1, false}, {1, false}}};
}

/* ---- Weights ---- */

/* Rows of the input matrix: of z, x, B, C, dt. */
static ith_matrix_want input(const ith_hparams *hp, ith_role role, int64_t rows, int64_t first)
{
    const ith_mamba_params *m = &hp->mamba;
    ith_matrix_want want = ith_want(role, rows, hp->hidden, STAGE_IN);

    want.fused = ITH_ROLE_REC_QKV;
    want.fused_rows = 2 * (m->heads * m->head_dim + m->groups * m->state) + m->heads;
    want.first_row = first;
    want.served = m->heads;
    return want;
}

static ith_status bind_inputs(ith_binder *b, mamba *w, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t H = hp->mamba.heads, G = hp->mamba.groups, x = H * hp->mamba.head_dim,
            s = G * hp->mamba.state;
    ith_matrix_want z = input(hp, ITH_ROLE_REC_Z, x, 0), v = input(hp, ITH_ROLE_REC_V, x, x),
                    k = input(hp, ITH_ROLE_REC_K, s, 2 * x),
                    q = input(hp, ITH_ROLE_REC_Q, s, 2 * x + s),
                    dt = input(hp, ITH_ROLE_REC_A, H, 2 * x + 2 * s);

    z.heads = v.heads = H;
    k.heads = q.heads = G;
    dt.sensitive = true;
    ITH_TRY(ith_bind_matrix(b, &z, &w->z, err));
    ITH_TRY(ith_bind_matrix(b, &v, &w->x, err));
    ITH_TRY(ith_bind_matrix(b, &k, &w->b, err));
    ITH_TRY(ith_bind_matrix(b, &q, &w->c, err));
    return ith_bind_whole(b, &dt, &w->dt, err);
}

/* A vector that files may have as [rows][n / rows]. */
static ith_status bind_vector(ith_binder *b, ith_role role, int64_t n, const float **out,
                              ith_error *err)
{
    char name[128];
    const ith_tensor *t = ith_bind_look(b, role, 0, name);
    ith_vector_want want = {.role = role, .n = n};

    want.rows = t != NULL && t->n_dims == 2 ? t->dims[0] : 0;
    want.form.minus_exp = b->hf && role == ITH_ROLE_REC_DECAY;
    return ith_bind_vector_as(b, &want, out, err);
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    const ith_mamba_params *m = &hp->mamba;
    int64_t H = m->heads, x = H * m->head_dim, channels = x + 2 * m->groups * m->state;
    const ith_vector_want conv = {.role = ITH_ROLE_REC_CONV,
                                  .n = channels * m->taps,
                                  .form = {.taps = m->taps, .channels = channels}};
    const ith_matrix_want o = ith_want(ITH_ROLE_REC_OUT, hp->hidden, x, STAGE_OUT);
    mamba *w = block->weights;

    block->scale = m->scale_out == 1 ? 0 : (float)m->scale_out;
    ITH_TRY(bind_inputs(b, w, err));
    ITH_TRY(ith_bind_vector_as(b, &conv, &w->conv, err));
    if (m->conv_bias)
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_REC_CONV_BIAS, channels, &w->conv_bias, err));
    ITH_TRY(bind_vector(b, ITH_ROLE_REC_DECAY, H, &w->decay, err));
    ITH_TRY(bind_vector(b, ITH_ROLE_REC_DT_BIAS, H, &w->dt_bias, err));
    ITH_TRY(bind_vector(b, ITH_ROLE_REC_SKIP, H, &w->skip, err));
    if (m->norm)
        ITH_TRY(bind_vector(b, ITH_ROLE_REC_NORM, x, &w->norm, err));
    return ith_bind_matrix(b, &o, &w->o, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const mamba *w = block->weights;
    const ith_matrix *const all[] = {w->z, w->x, w->b, w->c, w->dt, w->o};

    (void)hp;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        see(user, &(ith_use){all[i], 1});
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    const ith_mamba_params *m = &hp->mamba;
    int64_t x = m->heads * m->head_dim, channels = x + 2 * m->groups * m->state;

    (void)block;
    return channels * (m->taps + m->conv_bias) + 3 * m->heads + (m->norm ? x : 0);
}

/* ---- Workspace ---- */

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_mamba_params *m = &s->model->hp.mamba;
    const ith_recurrent_shape shape = shape_of(&s->model->hp);
    mamba_work *w = work;

    /* Tiles of rows may stick out at both ends of a range. */
    w->ld_x = ith_round_up(m->heads * m->head_dim, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->ld_b = ith_round_up(m->groups * m->state, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->ld_dt = ith_round_up(m->heads, ITH_TILE_ROWS);
    ith_request(r, s->T * w->ld_x, sizeof(float), &w->z);
    ith_request(r, s->T * w->ld_x, sizeof(float), &w->x);
    ith_request(r, s->T * w->ld_b, sizeof(float), &w->b);
    ith_request(r, s->T * w->ld_b, sizeof(float), &w->c);
    ith_request(r, s->T * w->ld_dt, sizeof(float), &w->dt);
    ith_request(r, s->T * w->ld_dt, sizeof(float), &w->decay);
    ith_recur_request(r, s, &shape, m->head_dim, &w->recur);
}

/* ---- Rows: [groups][N] B, [groups][N] C, [heads][P] x, [heads] decay, [heads] dt; what is mixed
 * has [heads][P] dt x besides ---- */

static void make(const ith_recur *r, int64_t t, ith_range heads, ith_range groups, float *row)
{
    const ith_mamba_params *m = &r->pass->model->hp.mamba;
    const mamba_work *w = r->own;
    int64_t P = m->head_dim, N = m->state, keys = ith_range_size(groups) * N,
            n = ith_range_size(heads);

    row = ith_recur_put(
        row, ith_recur_projected(w->b + t * w->ld_b, r->made_groups, groups.begin, N), keys);
    row = ith_recur_put(
        row, ith_recur_projected(w->c + t * w->ld_b, r->made_groups, groups.begin, N), keys);
    row = ith_recur_put(row, ith_recur_projected(w->x + t * w->ld_x, r->made_heads, heads.begin, P),
                        n * P);
    row = ith_recur_put(row, w->decay + t * w->ld_dt + heads.begin, n);
    ith_recur_put(row, w->dt + t * w->ld_dt + heads.begin, n);
}

/* n channels, at `at` in a row and from `first` on among those of the convolution. */
static void convolve(const ith_recur *r, const float *const *rows, int64_t at, int64_t n,
                     int64_t first, float *mixed)
{
    const ith_mamba_params *m = &r->pass->model->hp.mamba;
    const mamba *w = r->weights;
    const float *x[ITH_MAX_TAPS];
    int taps = (int)m->taps;

    for (int j = 0; j < taps; j++)
        x[j] = rows[j] + at;
    ith_recur_kernels(r)->conv(
        n, taps, x, w->conv + first, m->heads * m->head_dim + 2 * m->groups * m->state,
        w->conv_bias == NULL ? NULL : w->conv_bias + first, true, mixed + at);
}

static void mix(const ith_recur *r, const float *const *rows, float *mixed)
{
    const ith_mamba_params *m = &r->pass->model->hp.mamba;
    int64_t P = m->head_dim, N = m->state, keys = ith_range_size(r->groups) * N,
            heads = ith_range_size(r->heads), x = m->heads * P;
    float *values = mixed + 2 * keys, *gates = values + heads * P, *taken = gates + 2 * heads;

    convolve(r, rows, 0, keys, x + r->groups.begin * N, mixed);
    convolve(r, rows, keys, keys, x + (m->groups + r->groups.begin) * N, mixed);
    convolve(r, rows, 2 * keys, heads * P, r->heads.begin * P, mixed);
    ith_recur_put(gates, rows[r->shape.taps] + 2 * keys + heads * P, 2 * heads);
    ith_recur_put(taken, values, heads * P);
    for (int64_t head = 0; head < heads; head++)
        ith_recur_kernels(r)->scale(P, taken + head * P, gates[heads + head]);
}

static void advance(const ith_recur *r, int64_t head, ith_range cols, float *s, const float *mixed,
                    int64_t n, float *out, int64_t ld_out)
{
    const ith_mamba_params *m = &r->pass->model->hp.mamba;
    const mamba *w = r->weights;
    int64_t P = m->head_dim, N = m->state, heads = ith_range_size(r->heads),
            keys = ith_range_size(r->groups) * N, all = r->heads.begin + head,
            group = all / (m->heads / m->groups) - r->groups.begin;
    const float *x = mixed + 2 * keys, *gates = x + heads * P, *taken = gates + 2 * heads;

    ith_recur_kernels(r)->recur(&(ith_recurrence){.state = s,
                                                  .rows = N,
                                                  .cols = ith_range_size(cols),
                                                  .n_tokens = n,
                                                  .q = mixed + keys + group * N,
                                                  .k = mixed + group * N,
                                                  .v = taken + head * P + cols.begin,
                                                  .ld = r->mixed,
                                                  .decay = gates + head,
                                                  .ld_gates = r->mixed,
                                                  .out = out,
                                                  .ld_out = ld_out});
    for (int64_t t = 0; t < n; t++)
        ith_recur_kernels(r)->add_scaled(ith_range_size(cols), out + t * ld_out, w->skip[all],
                                         x + t * r->mixed + head * P + cols.begin);
}

static void finish(const ith_recur *r, int64_t t, int64_t head, const float *x, float *to)
{
    const mamba_work *w = r->own;
    int64_t P = r->shape.out;

    if (!(ith_largest_abs(x, P) < ITH_RECUR_VALUE_MOST)) /* or NaN */
        ith_pass_note_broken_here(r->pass);
    ith_recur_kernels(r)->silu_mul(
        P, ith_recur_projected(w->z + t * w->ld_x, r->made_heads, head, P), x, to);
}

static void close(const ith_recur *r, float *x)
{
    const ith_hparams *hp = &r->pass->model->hp;
    const mamba *w = r->weights;
    int64_t n = hp->mamba.heads / hp->mamba.groups * hp->mamba.head_dim;

    if (w->norm != NULL && !(ith_largest_abs(x, hp->mamba.groups * n) < ITH_RECUR_VALUE_MOST))
        ith_pass_note_broken_here(r->pass);
    for (int64_t i = 0; w->norm != NULL && i < hp->mamba.groups; i++)
        ith_recur_kernels(r)->rmsnorm(n, x + i * n, w->norm + i * n, (float)hp->rms_eps, x + i * n);
}

static const ith_recur_ops ops = {make, mix, advance, finish, close};

/* ---- Passes ---- */

/* n items of a row of projections, of `each` rows of a matrix. */
static void scale_field(const ith_recur *r, float *row, ith_range made, int64_t each, double scale)
{
    int64_t first = made.begin * each % ITH_TILE_ROWS;

    if (scale != 1)
        ith_recur_kernels(r)->scale(ith_range_size(made) * each, row + first, (float)scale);
}

/* The projections of my token t, where the family scales them. */
static void scale_all(const ith_recur *r, int64_t t)
{
    const ith_mamba_params *m = &r->pass->model->hp.mamba;
    const mamba_work *w = r->own;

    scale_field(r, w->z + t * w->ld_x, r->made_heads, m->head_dim, m->scale_z);
    scale_field(r, w->x + t * w->ld_x, r->made_heads, m->head_dim, m->scale_x);
    scale_field(r, w->b + t * w->ld_b, r->made_groups, m->state, m->scale_b);
    scale_field(r, w->c + t * w->ld_b, r->made_groups, m->state, m->scale_c);
    scale_field(r, w->dt + t * w->ld_dt, (ith_range){0, m->heads}, 1, m->scale_dt);
}

/* dt and the decay of my token t, of all heads. */
static void make_gates(const ith_recur *r, int64_t t)
{
    const ith_kernels *kernels = ith_recur_kernels(r);
    const mamba *w = r->weights;
    const mamba_work *work = r->own;
    const float least = (float)r->pass->model->hp.mamba.dt_least;
    float *dt = work->dt + t * work->ld_dt, *decay = work->decay + t * work->ld_dt;
    int64_t H = w->dt->rows;

    if (!ith_all_finite(dt, H))
        ith_pass_note_broken_here(r->pass);
    kernels->softplus(H, dt, w->dt_bias, dt);
    for (int64_t i = 0; i < H; i++)
        dt[i] = dt[i] < least ? least : dt[i];
    ith_recur_put(decay, dt, H);
    kernels->mul(H, decay, w->decay);
    kernels->exponential(H, decay);
}

static void project_all(const ith_recur *r, const ith_block *block, ith_member *me)
{
    ith_pass *p = r->pass;
    const ith_mamba_params *m = &p->model->hp.mamba;
    const mamba *w = r->weights;
    const mamba_work *work = r->own;
    ith_range share = ith_my_share(me, ith_range_size(p->mine), 1);

    ith_pass_show(p, (const ith_matrix *const[]){w->z, w->x, w->b, w->c}, 4, w->z->cols, false, me);
    ith_pass_enter(p, r->layer, block, STAGE_IN, NULL, me);
    ith_recur_project(r, me, w->z, r->made_heads, m->head_dim, work->z, work->ld_x);
    ith_recur_project(r, me, w->x, r->made_heads, m->head_dim, work->x, work->ld_x);
    ith_recur_project(r, me, w->b, r->made_groups, m->state, work->b, work->ld_b);
    ith_recur_project(r, me, w->c, r->made_groups, m->state, work->c, work->ld_b);
    ith_recur_project(r, me, w->dt, (ith_range){0, m->heads}, 1, work->dt, work->ld_dt);
    ith_barrier(me);
    for (int64_t t = share.begin; t < share.end; t++) {
        scale_all(r, t);
        make_gates(r, t);
    }
    ith_pass_lap(p, me, r->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, r->layer, block, STAGE_IN, me);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const ith_mamba_params *m = &p->model->hp.mamba;
    const mamba *w = block->weights;
    mamba_work *work = p->ws->of[ITH_BLOCK_mamba];
    ith_recur r = {.pass = p,
                   .ops = &ops,
                   .weights = w,
                   .own = work,
                   .work = &work->recur,
                   .layer = layer,
                   .shape = shape_of(&p->model->hp),
                   .more = m->head_dim,
                   .state_rows = m->state};

    ith_recur_open(&r);
    project_all(&r, block, me);
    ith_recur_run(&r, me);
    ith_recur_project_out(&r, block, STAGE_OUT, w->o, me);
}

const ith_block_kind ith_block_mamba = {
    .name = "mamba",
    .n_stages = STAGES,
    .weight_bytes = sizeof(mamba),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .recurrent = shape_of,
    .work_bytes = sizeof(mamba_work),
    .request = request,
    .run = run,
    ITH_RECUR_KIND,
};
