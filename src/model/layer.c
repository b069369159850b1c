/* layer.c - one layer: x += residual_scale * post(block(norm(x))), block after block.
 *
 * A block's output waits in ws->y until the next norm adds it to the residual stream: one walk over
 * a token adds, normalizes and quantizes it.
 */
#include "base/finite.h"
#include "model/acts.h"
#include "model/blocks/block.h"
#include "model/pass.h"

#include <limits.h>
#include <string.h>

static int64_t n_mine(const ith_pass *p)
{
    return ith_range_size(p->mine);
}

ith_input ith_pass_input(const ith_pass *p, int64_t cols)
{
    ith_input in = {.x = p->ws->h, .ld = p->ws->ld, .acts = p->ws->acts};
    in.acts.groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    return in;
}

ith_input ith_pass_mid(const ith_pass *p, int64_t cols)
{
    ith_input in = {.x = p->ws->mid, .ld = p->ws->ld, .acts = p->ws->mid_acts};
    in.acts.groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    return in;
}

void ith_pass_enter(const ith_pass *p, int layer, const ith_block *block, int stage,
                    const bool *chosen, ith_member *me)
{
    ith_store_enter(p->model->store, layer, block->first_stage + stage, p->need, chosen, me);
    ith_pass_lap(p, me, layer, ITH_LAP_WEIGHTS);
}

void ith_pass_leave(const ith_pass *p, int layer, const ith_block *block, int stage, ith_member *me)
{
    ith_store_leave(p->model->store, layer, block->first_stage + stage, p->need, me);
}

void ith_quantize_h(ith_pass *p, ith_member *me, int64_t cols)
{
    ith_range mine = ith_my_share(me, n_mine(p), 1);
    ith_input in = ith_pass_input(p, cols);

    if (p->model->quantized)
        for (int64_t t = mine.begin; t < mine.end; t++) {
            p->model->kernels->quantize(cols, p->ws->h + t * p->ws->ld, &in.acts, t, 0);
            if (!ith_acts_sound(&in.acts, t, 0, in.acts.groups))
                ith_pass_note_broken_here(p);
        }
    ith_barrier(me);
}

void ith_norm_apply(const ith_model *m, const ith_norm *norm, int64_t n, const float *x, float *out)
{
    float eps = (float)m->hp.rms_eps;

    if (m->arch->norm == ITH_NORM_LAYER)
        m->kernels->layernorm(n, x, norm->w, norm->b, eps, out);
    else
        m->kernels->rmsnorm(n, x, norm->w, eps, out);
}

/* The squares of so large outputs may exceed a float, and a norm would lose them. */
#define OUTPUT_MOST 0x1p48f

void ith_norm_output(ith_pass *p, const ith_norm *norm, int64_t n, float *y, int place)
{
    if (!norm->on)
        return;
    if (!(ith_largest_abs(y, n) < OUTPUT_MOST)) /* or NaN */
        ith_pass_note_broken(p, place);
    ith_norm_apply(p->model, norm, n, y, y);
}

/* x of my token t, at `place`, takes the output of sub-layer `done`. */
static void settle(ith_pass *p, const ith_sublayer *done, int64_t t, int place)
{
    const ith_model *m = p->model;
    int64_t hidden = m->hp.hidden;
    float *x = p->ws->x + t * hidden, *y = p->ws->y + t * p->ws->ld_y,
          *held = p->ws->held + (m->holds ? t * hidden : 0);

    if (done->block.bias != NULL)
        m->kernels->add(hidden, y, done->block.bias);
    if (done->block.scale != 0)
        m->kernels->scale(hidden, y, done->block.scale);
    ith_norm_output(p, &done->post, hidden, y, place);
    if (done->held) {
        memcpy(held, y, (size_t)hidden * sizeof *y);
        return;
    }
    if (done->both.on)
        m->kernels->add(hidden, y, held);
    ith_norm_output(p, &done->both, hidden, y, place);
    for (int64_t i = 0; done->aside && i < m->hp.altup.streams; i++)
        m->kernels->add(hidden, ith_pass_stream(p, i, t), y);
    if (done->aside)
        return;
    if (m->hp.residual_scale != 1)
        m->kernels->add_scaled(hidden, x, (float)m->hp.residual_scale, y);
    else
        m->kernels->add(hidden, x, y);
    if (done->scale != NULL)
        m->kernels->scale(hidden, x, *done->scale);
}

void ith_add_residual(ith_pass *p, ith_member *me)
{
    const ith_layer *last = &p->model->layers[p->model->hp.n_layers - 1];
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    for (int64_t t = mine.begin; t < mine.end; t++)
        settle(p, &last->sub[last->n - 1], t, ith_pass_place((int)p->model->hp.n_layers, 0));
    ith_barrier(me);
}

void ith_pass_note_broken(ith_pass *p, int place)
{
    int *at = p->broken_at, seen;

    __atomic_store_n(&p->broken, true, __ATOMIC_RELAXED);
    if (at == NULL)
        return;
    seen = __atomic_load_n(at, __ATOMIC_RELAXED); /* becomes the smaller of both */
    while (place < seen &&
           !__atomic_compare_exchange_n(at, &seen, place, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void ith_check_residual(ith_pass *p, const ith_member *me)
{
    int64_t hidden = p->model->hp.hidden;
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    if (!ith_all_finite(p->ws->x + mine.begin * hidden, ith_range_size(mine) * hidden))
        ith_pass_note_broken(p, ith_pass_place((int)p->model->hp.n_layers, 0));
}

/* A norm divides by the root of the sum of squares. Where that exceeds a float, h is 0 whatever x
 * is. */
static bool is_lost(int64_t n, const float *x, const float *h)
{
    double squares = 0;
    int64_t i = 0;

    while (i < n && h[i] == 0)
        i++;
    if (i < n) /* at once, unless something is wrong */
        return false;
    for (i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    return squares >= 0x1p127;
}

void ith_normalize_token(ith_pass *p, const float *x, const ith_norm *norm, int64_t t, int place)
{
    int64_t hidden = p->model->hp.hidden;
    ith_input in = ith_pass_input(p, hidden);
    float *h = p->ws->h + t * p->ws->ld;

    if (norm->on)
        ith_norm_apply(p->model, norm, hidden, x, h);
    else
        memcpy(h, x, (size_t)hidden * sizeof *h);
    if (is_lost(hidden, x, h))
        ith_pass_note_broken(p, place);
    if (!p->model->quantized)
        return;
    p->model->kernels->quantize(hidden, h, &in.acts, t, 0);
    if (!ith_acts_sound(&in.acts, t, 0, in.acts.groups))
        ith_pass_note_broken(p, place + 1);
}

/* At ith_pass_place `place`: x takes the output of sub-layer `done`, if any; h = norm(x). For a
 * block that is beside `done`, in the other order. */
static void normalize(ith_pass *p, ith_member *me, int place, const ith_sublayer *done,
                      const ith_norm *norm, bool beside)
{
    int64_t hidden = p->model->hp.hidden;
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    if (me->tid == 0)
        p->place = place + 1;
    for (int64_t t = mine.begin; t < mine.end; t++) {
        const float *x = p->ws->x + t * hidden;
        if (beside)
            ith_normalize_token(p, x, norm, t, place);
        if (done != NULL)
            settle(p, done, t, place);
        if (p->broken_at != NULL && !ith_all_finite(x, hidden))
            ith_pass_note_broken(p, place);
        if (!beside)
            ith_normalize_token(p, x, norm, t, place);
    }
    ith_barrier(me);
}

void ith_pass_show(ith_pass *p, const ith_matrix *const *readers, int n_readers, int64_t cols,
                   bool groups, ith_member *me)
{
    ith_input in = ith_pass_input(p, cols);
    ith_seen seen = {.tokens = n_mine(p),
                     .cols = cols,
                     .x = groups ? NULL : p->ws->h,
                     .ld = p->ws->ld,
                     .acts = in.acts};
    if (p->probe != NULL && p->probe->reads != NULL)
        p->probe->reads(p->probe->user, readers, n_readers, &seen, me);
}

void ith_show_output(ith_pass *p, ith_member *me)
{
    normalize(p, me, ith_pass_place((int)p->model->hp.n_layers, 0), NULL, &p->model->out_norm,
              false);
    ith_pass_show(p, &p->model->output, 1, p->model->hp.hidden, false, me);
    ith_barrier(me);
}

void ith_layer_forward(ith_pass *p, int number, ith_member *me)
{
    const ith_layer *layer = &p->model->layers[number];
    const ith_sublayer *done = number > 0 ? &layer[-1].sub[layer[-1].n - 1] : NULL;
    const ith_norm *norm = NULL;

    for (int i = 0; i < layer->n; done = &layer->sub[i++]) {
        const ith_sublayer *sub = &layer->sub[i];
        norm = sub->beside && !sub->norm.on ? norm : &sub->norm;
        normalize(p, me, ith_pass_place(number, i), done, norm, sub->beside);
        ith_pass_lap(p, me, number, ITH_LAP_REST);
        sub->block.kind->run(p, number, &sub->block, me);
        if (!sub->block.kind->whole)
            p->way->gather_y(p, me);
        ith_pass_lap(p, me, number, ITH_LAP_EXCHANGE);
    }
}
