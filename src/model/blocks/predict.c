/* predict.c - the block before a layer with alternating updates (altup.h): each stream gets a
 * mixture of all. It also makes the streams of the embeddings, and joins them behind the last
 * layer. */
#include "base/finite.h"
#include "model/blocks/altup.h"
#include "model/blocks/ffn.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int64_t n_streams(const ith_hparams *hp)
{
    return hp->altup.streams + 1;
}

/* ---- Weights ---- */

static ith_status bind_ends(ith_binder *b, ith_altup *w, ith_error *err)
{
    int64_t h = b->model->hp.hidden;
    int n = (int)b->model->hp.altup.streams;

    for (int i = 0; i < n; i++) {
        ITH_TRY(ith_bind_whole_of(b, ITH_ROLE_STREAM_BEGIN, ITH_ROLE_STREAMS_BEGIN, i, n, h, h,
                                  &w->begin[i], err));
        ITH_TRY(ith_bind_whole_of(b, ITH_ROLE_STREAM_END, ITH_ROLE_STREAMS_END, i, n, h, h,
                                  &w->end[i], err));
    }
    return ITH_OK;
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t n = n_streams(hp);
    const ith_vector_want predict = {.role = ITH_ROLE_STREAM_PREDICT,
                                     .n = n * n * n,
                                     .rows = n * n},
                          correct = {.role = ITH_ROLE_STREAM_CORRECT, .n = n * n, .rows = n};
    ith_altup *w = block->weights;

    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_STREAM_ROUTER, n, hp->hidden, &w->router, err));
    ITH_TRY(ith_bind_vector_as(b, &predict, &w->predict, err));
    ITH_TRY(ith_bind_vector_as(b, &correct, &w->correct, err));
    return b->layer == 0 ? bind_ends(b, w, err) : ITH_OK;
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const ith_altup *w = block->weights;

    see(user, &(ith_use){w->router, 1});
    for (int64_t i = 0; i < hp->altup.streams && w->begin[i] != NULL; i++) {
        see(user, &(ith_use){w->begin[i], 1});
        see(user, &(ith_use){w->end[i], 1});
    }
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    int64_t n = n_streams(hp);
    (void)block;
    return n * n * (n + 1);
}

/* ---- Workspace ---- */

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_hparams *hp = &s->model->hp;

    (void)block;
    n->scratch = ith_max(n->scratch, n_streams(hp) * hp->hidden); /* mixtures of a token */
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_hparams *hp = &s->model->hp;
    ith_altup_work *w = work;

    w->ld = ith_round_up(n_streams(hp), ITH_TILE_ROWS);
    ith_request(r, s->T * w->ld, sizeof(float), &w->routed);
    ith_request(r, s->T * hp->hidden, sizeof(float), &w->x);
}

/* ---- What both blocks need ---- */

void ith_altup_route(ith_pass *p, const ith_altup *w, ith_member *me)
{
    const ith_model *m = p->model;
    const ith_altup_work *work = p->ws->of[ITH_BLOCK_predict];
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);
    int64_t n = n_streams(&m->hp);

    ith_small_product(p, w->router, work->routed, work->ld, me);
    for (int64_t t = mine.begin; t < mine.end; t++) {
        float *routed = work->routed + t * work->ld;
        if (!ith_all_finite(routed, n)) /* infinity would count as 1 */
            ith_pass_note_broken_here(p);
        m->kernels->scale(n, routed, (float)(1 / (double)m->hp.hidden));
        m->kernels->softcap(n, routed, 1);
    }
}

float ith_altup_dot(int64_t n, const float *row, const float *m)
{
    float sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += row[i] * m[i];
    return sum;
}

/* ---- Passes ---- */

static float *token_of(float *x, const ith_pass *p, int64_t t)
{
    return x + t * p->model->hp.hidden;
}

/* The mixtures of my token t: what stream 0 gets goes to y. mixtures: [n][hidden] */
static void mix(ith_pass *p, const ith_altup *w, const ith_altup_work *work, int64_t t,
                float *mixtures)
{
    const ith_kernels *kernels = p->model->kernels;
    int64_t n = n_streams(&p->model->hp), h = p->model->hp.hidden;
    const float *m = work->routed + t * work->ld;
    float *x = token_of(p->ws->x, p, t), *y = p->ws->y + t * p->ws->ld_y;

    memset(mixtures, 0, (size_t)(n * h) * sizeof *mixtures);
    for (int64_t to = 0; to < n; to++)
        for (int64_t from = 0; from < n; from++)
            kernels->add_scaled(h, mixtures + to * h,
                                ith_altup_dot(n, w->predict + (to * n + from) * n, m),
                                from == 0 ? x : ith_pass_stream(p, from - 1, t));
    for (int64_t i = 1; i < n; i++)
        kernels->add(h, ith_pass_stream(p, i - 1, t), mixtures + i * h);
    memcpy(y, mixtures, (size_t)h * sizeof *y);
    memcpy(token_of(work->x, p, t), x, (size_t)h * sizeof *x);
    kernels->add(h, token_of(work->x, p, t), y);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const ith_altup_work *work = p->ws->of[ITH_BLOCK_predict];
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    (void)layer;
    ith_altup_route(p, block->weights, me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        mix(p, block->weights, work, t, p->ws->scratch[me->tid]);
    ith_barrier(me);
}

/* The root of the mean square of x [hidden]. */
static float magnitude(ith_pass *p, const float *x)
{
    int64_t h = p->model->hp.hidden;
    float squares = p->model->kernels->sum_squares(h, x);

    if (!(squares <= FLT_MAX)) /* too large, or NaN: dividing by it would lose x */
        ith_pass_note_broken_here(p);
    return sqrtf(squares / (float)h);
}

/* y [hidden] with the magnitude of x. */
static void rescale(ith_pass *p, const float *x, float *y)
{
    const float least = sqrtf(1e-5f), own = magnitude(p, y);
    p->model->kernels->scale(p->model->hp.hidden, y, magnitude(p, x) / (own > least ? own : least));
}

/* ws->y = w from, for my tokens [hidden] of `from`. */
static void product(ith_pass *p, const ith_matrix *w, const float *from, ith_member *me)
{
    const ith_norm none = {.on = false};
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = mine.begin; t < mine.end; t++)
        ith_normalize_token(p, from + t * p->model->hp.hidden, &none, t, p->place);
    ith_barrier(me);
    ith_small_product(p, w, p->ws->y, p->ws->ld_y, me);
}

/* The streams of my tokens' embeddings. */
static void begin(ith_pass *p, ith_member *me)
{
    const ith_altup *w = ith_block_weights(p->model, 0, ITH_BLOCK_predict);
    int64_t h = p->model->hp.hidden;
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t i = 0; i < p->model->hp.altup.streams; i++) {
        product(p, w->begin[i], p->ws->x, me);
        for (int64_t t = mine.begin; t < mine.end; t++) {
            float *stream = ith_pass_stream(p, i, t);
            memcpy(stream, p->ws->y + t * p->ws->ld_y, (size_t)h * sizeof *stream);
            rescale(p, token_of(p->ws->x, p, t), stream);
        }
        ith_barrier(me);
    }
}

/* x becomes the mean of all streams. */
static void end(ith_pass *p, ith_member *me)
{
    const ith_altup *w = ith_block_weights(p->model, 0, ITH_BLOCK_predict);
    const ith_altup_work *work = p->ws->of[ITH_BLOCK_predict];
    const ith_kernels *kernels = p->model->kernels;
    int64_t h = p->model->hp.hidden, n = n_streams(&p->model->hp);
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);
    size_t bytes = (size_t)(ith_range_size(mine) * h) * sizeof *work->x;

    memcpy(token_of(work->x, p, mine.begin), token_of(p->ws->x, p, mine.begin), bytes);
    for (int64_t i = 0; i < n - 1; i++) {
        product(p, w->end[i], ith_pass_stream(p, i, 0), me);
        for (int64_t t = mine.begin; t < mine.end; t++) {
            float *y = p->ws->y + t * p->ws->ld_y;
            rescale(p, token_of(p->ws->x, p, t), y);
            kernels->add(h, token_of(work->x, p, t), y);
        }
        ith_barrier(me);
    }
    memcpy(token_of(p->ws->x, p, mine.begin), token_of(work->x, p, mine.begin), bytes);
    kernels->scale(ith_range_size(mine) * h, token_of(p->ws->x, p, mine.begin),
                   (float)(1 / (double)n));
    ith_barrier(me);
}

const ith_block_kind ith_block_predict = {
    .name = "predict",
    .whole = true,
    .weight_bytes = sizeof(ith_altup),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .needs = needs,
    .work_bytes = sizeof(ith_altup_work),
    .request = request,
    .begin = begin,
    .run = run,
    .end = end,
};
