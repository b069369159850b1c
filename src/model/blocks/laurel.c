/* laurel.c - the block beside attention in Gemma 3n (LAuReL, arXiv 2411.07501): h + norm(right left
 * h), a product of low rank. Its matrices are small: every rank has them whole. */
#include "model/blocks/ffn.h"

typedef struct laurel {
    const ith_matrix *left;  /* [rank, h] */
    const ith_matrix *right; /* [h, rank] */
    ith_norm norm;
} laurel;

/* [T][ld]: left h, in both forms. */
typedef struct low {
    float *x;
    int64_t ld;
    ith_acts acts;
} low;

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    int64_t h = b->model->hp.hidden, rank = b->model->hp.laurel_rank;
    laurel *w = block->weights;

    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_LAUREL_LEFT, rank, h, &w->left, err));
    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_LAUREL_RIGHT, h, rank, &w->right, err));
    return ith_bind_norm(b, ITH_ROLE_LAUREL_NORM, ITH_ROLE_NONE, h, &w->norm, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const laurel *w = block->weights;

    (void)hp;
    see(user, &(ith_use){w->left, 1});
    see(user, &(ith_use){w->right, 1});
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    (void)block;
    return hp->hidden;
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    int64_t rank = s->model->hp.laurel_rank;
    low *l = work;

    l->ld = ith_round_up(rank, ITH_TILE_ROWS);
    ith_request(r, s->T * l->ld, sizeof(float), &l->x);
    ith_request_acts(r, s->model->quantized ? s->T : 1, ith_round_up(rank, ITH_GROUP) / ITH_GROUP,
                     &l->acts);
}

static void quantize(ith_pass *p, const low *l, int64_t t)
{
    p->model->kernels->quantize(p->model->hp.laurel_rank, l->x + t * l->ld, &l->acts, t, 0);
    if (!ith_acts_sound(&l->acts, t, 0, l->acts.groups))
        ith_pass_note_broken_here(p);
}

static void finish(ith_pass *p, const laurel *w, int64_t t)
{
    int64_t h = p->model->hp.hidden;
    float *y = p->ws->y + t * p->ws->ld_y;

    ith_norm_output(p, &w->norm, h, y, p->place);
    p->model->kernels->add(h, y, p->ws->h + t * p->ws->ld);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const laurel *w = block->weights;
    const low *l = p->ws->of[ITH_BLOCK_laurel];
    const ith_input in = {.x = l->x, .ld = l->ld, .acts = l->acts};
    int64_t n = ith_range_size(p->mine);
    ith_range mine = ith_my_share(me, n, 1);

    (void)layer;
    ith_small_product(p, w->left, l->x, l->ld, me);
    for (int64_t t = mine.begin; p->model->quantized && t < mine.end; t++)
        quantize(p, l, t);
    ith_barrier(me);
    ith_linear(me, p->model, w->right, (ith_range){0, w->right->rows}, &in, n, p->ws->y,
               p->ws->ld_y);
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        finish(p, w, t);
    ith_barrier(me);
}

const ith_block_kind ith_block_laurel = {
    .name = "laurel",
    .whole = true,
    .weight_bytes = sizeof(laurel),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .work_bytes = sizeof(low),
    .request = request,
    .run = run,
};
