/* shortconv.c - the block of LFM2's gated short convolutions: C * conv(B * u), where B, C and u are
 * projections. Its state is the input of the last tokens; ranks share it in heads of a few channels
 * that do not see each other. */
#include "base/finite.h"
#include "model/blocks/recur.h"

#include <string.h>

enum { STAGE_IN, STAGE_OUT, STAGES };

/* Shapes: hidden h; T taps. */
typedef struct shortconv {
    const ith_matrix *b, *c, *u; /* [h, h] */
    const ith_matrix *o;         /* [h, h] */
    const float *conv;           /* [T][h] */
} shortconv;

typedef struct shortconv_work {
    ith_recur_work recur;
    float *b, *c, *u; /* [T][ld] projections */
    int64_t ld;
} shortconv_work;

/* Channels of a head: as many as divide the hidden size, up to a group. */
static int64_t channels_of(const ith_hparams *hp)
{
    int64_t n = ITH_GROUP;
    while (hp->hidden % n != 0)
        n /= 2;
    return n;
}

static ith_recurrent_shape shape_of(const ith_hparams *hp)
{
    int64_t each = channels_of(hp), heads = hp->hidden / each;
    return (ith_recurrent_shape){.heads = heads,
                                 .groups = heads,
                                 .out = each,
                                 .taps = hp->conv_taps - 1,
                                 .fields = {{each, false}}};
}

/* ---- Weights ---- */

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    static const ith_role roles[] = {ITH_ROLE_REC_K, ITH_ROLE_REC_Q, ITH_ROLE_REC_V};
    const ith_hparams *hp = &b->model->hp;
    int64_t h = hp->hidden;
    shortconv *w = block->weights;
    const ith_matrix **const to[] = {&w->b, &w->c, &w->u};
    const ith_vector_want conv = {.role = ITH_ROLE_REC_CONV,
                                  .n = h * hp->conv_taps,
                                  .form = {.taps = hp->conv_taps, .channels = h}};
    const ith_matrix_want o = ith_want(ITH_ROLE_REC_OUT, h, h, STAGE_OUT);

    /* Rows of B, of C, of u. */
    for (int i = 0; i < 3; i++) {
        ith_matrix_want want = ith_want(roles[i], h, h, STAGE_IN);
        want.fused = ITH_ROLE_REC_QKV;
        want.fused_rows = 3 * h;
        want.first_row = i * h;
        want.heads = want.served = shape_of(hp).heads;
        ITH_TRY(ith_bind_matrix(b, &want, to[i], err));
    }
    ITH_TRY(ith_bind_vector_as(b, &conv, &w->conv, err));
    return ith_bind_matrix(b, &o, &w->o, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const shortconv *w = block->weights;
    const ith_matrix *const all[] = {w->b, w->c, w->u, w->o};

    (void)hp;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        see(user, &(ith_use){all[i], 1});
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    (void)block;
    return hp->hidden * hp->conv_taps;
}

/* ---- Workspace ---- */

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_hparams *hp = &s->model->hp;
    const ith_recurrent_shape shape = shape_of(hp);
    shortconv_work *w = work;

    /* Tiles of rows may stick out at both ends of a range. */
    w->ld = ith_round_up(hp->hidden, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ith_request(r, s->T * w->ld, sizeof(float), &w->b);
    ith_request(r, s->T * w->ld, sizeof(float), &w->c);
    ith_request(r, s->T * w->ld, sizeof(float), &w->u);
    ith_recur_request(r, s, &shape, 0, &w->recur);
}

/* ---- Rows: [heads][channels] of B * u ---- */

static void make(const ith_recur *r, int64_t t, ith_range heads, ith_range groups, float *row)
{
    const shortconv_work *w = r->own;
    int64_t n = ith_range_size(heads) * r->shape.out;

    (void)groups;
    if (n == 0)
        return;
    memcpy(row, ith_recur_projected(w->u + t * w->ld, r->made_heads, heads.begin, r->shape.out),
           (size_t)n * sizeof *row);
    r->pass->model->kernels->mul(
        n, row, ith_recur_projected(w->b + t * w->ld, r->made_heads, heads.begin, r->shape.out));
}

static void mix(const ith_recur *r, const float *const *rows, float *results)
{
    const ith_hparams *hp = &r->pass->model->hp;
    const shortconv *w = r->weights;

    r->pass->model->kernels->conv(r->width, (int)hp->conv_taps, rows,
                                  w->conv + r->heads.begin * r->shape.out, hp->hidden, NULL, false,
                                  results);
}

static void finish(const ith_recur *r, int64_t t, int64_t head, const float *x, float *to)
{
    const shortconv_work *w = r->own;

    memmove(to, x, (size_t)r->shape.out * sizeof *to);
    r->pass->model->kernels->mul(
        r->shape.out, to, ith_recur_projected(w->c + t * w->ld, r->made_heads, head, r->shape.out));
}

static const ith_recur_ops ops = {make, mix, NULL, finish, NULL};

/* ---- Passes ---- */

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const shortconv *w = block->weights;
    shortconv_work *work = p->ws->of[ITH_BLOCK_shortconv];
    ith_recur r = {.pass = p,
                   .ops = &ops,
                   .weights = w,
                   .own = work,
                   .work = &work->recur,
                   .layer = layer,
                   .shape = shape_of(&p->model->hp)};

    ith_recur_open(&r);
    ith_pass_show(p, (const ith_matrix *const[]){w->b, w->c, w->u}, 3, w->b->cols, false, me);
    ith_pass_enter(p, layer, block, STAGE_IN, NULL, me);
    ith_recur_project(&r, me, w->b, r.made_heads, r.shape.out, work->b, work->ld);
    ith_recur_project(&r, me, w->c, r.made_heads, r.shape.out, work->c, work->ld);
    ith_recur_project(&r, me, w->u, r.made_heads, r.shape.out, work->u, work->ld);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, block, STAGE_IN, me);
    ith_recur_run(&r, me);
    ith_recur_project_out(&r, block, STAGE_OUT, w->o, me);
}

const ith_block_kind ith_block_shortconv = {
    .name = "shortconv",
    .n_stages = STAGES,
    .weight_bytes = sizeof(shortconv),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .recurrent = shape_of,
    .work_bytes = sizeof(shortconv_work),
    .request = request,
    .run = run,
    ITH_RECUR_KIND,
};
