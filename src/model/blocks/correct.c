/* correct.c - the block after a layer with alternating updates (altup.h): each stream gets a share
 * of what the layer has changed. Its weights are those of the layer's predict block. */
#include "model/blocks/altup.h"

#include <string.h>

/* Shares of my token t. Stream 0 has the change already: y is what its share exceeds 1 by. */
static void share_out(ith_pass *p, const ith_altup *w, const ith_altup_work *work, int64_t t)
{
    const ith_kernels *kernels = p->model->kernels;
    int64_t n = p->model->hp.altup.streams + 1, h = p->model->hp.hidden;
    const float *m = work->routed + t * work->ld;
    float *y = p->ws->y + t * p->ws->ld_y;

    memcpy(y, p->ws->x + t * h, (size_t)h * sizeof *y);
    kernels->add_scaled(h, y, -1, work->x + t * h);
    for (int64_t i = 1; i < n; i++)
        kernels->add_scaled(h, ith_pass_stream(p, i - 1, t),
                            ith_altup_dot(n, w->correct + i * n, m) + 1, y);
    kernels->scale(h, y, ith_altup_dot(n, w->correct, m));
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const ith_altup *w = ith_block_weights(p->model, layer, ITH_BLOCK_predict);
    const ith_altup_work *work = p->ws->of[ITH_BLOCK_predict];
    const ith_norm *norm = &p->model->layers[layer].sub[0].norm; /* that of the predict block */
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    (void)block;
    for (int64_t t = mine.begin; t < mine.end; t++)
        ith_normalize_token(p, p->ws->x + t * p->model->hp.hidden, norm, t, p->place);
    ith_barrier(me);
    ith_altup_route(p, w, me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        share_out(p, w, work, t);
    ith_barrier(me);
}

const ith_block_kind ith_block_correct = {
    .name = "correct",
    .whole = true,
    .run = run,
};
