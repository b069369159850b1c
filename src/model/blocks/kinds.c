/* kinds.c - the table of kinds, and what the blocks of a model have in common. */
#include "model/blocks/block.h"

#include <string.h>

#define BLOCK(name) extern const ith_block_kind ith_block_##name;
#include "model/blocks/kinds.inc"
#undef BLOCK

const ith_block_kind *const ith_block_kinds[] = {
#define BLOCK(name) &ith_block_##name,
#include "model/blocks/kinds.inc"
#undef BLOCK
};

_Static_assert((int)ITH_BLOCKS <= (int)ITH_BLOCKS_MOST,
               "a workspace has room for the buffers of each kind");

const ith_block_kind *ith_block_kind_find(const char *name)
{
    for (int k = 0; k < ITH_BLOCKS; k++)
        if (strcmp(ith_block_kinds[k]->name, name) == 0)
            return ith_block_kinds[k];
    return NULL;
}

void ith_blocks_each(const ith_model *model, ith_block_fn see, void *user)
{
    for (int64_t i = 0; i < model->hp.n_layers; i++)
        for (int k = 0; k < model->layers[i].n; k++)
            see(user, (int)i, &model->layers[i].sub[k].block);
}

const void *ith_block_weights(const ith_model *model, int layer, int kind)
{
    const ith_layer *l = &model->layers[layer];
    int i = 0;

    while (l->sub[i].block.kind != ith_block_kinds[kind])
        i++;
    return l->sub[i].block.weights;
}

void ith_blocks_each_matrix(const ith_model *model, ith_use_fn see, void *user)
{
    for (int64_t i = 0; i < model->hp.n_layers; i++)
        for (int k = 0; k < model->layers[i].n; k++) {
            const ith_block *b = &model->layers[i].sub[k].block;
            if (b->kind->each_matrix != NULL)
                b->kind->each_matrix(&model->hp, b, see, user);
        }
}

typedef struct gathering {
    const ith_work_sizes *sizes;
    ith_work_needs needs;
} gathering;

static void add_needs(void *user, int layer, const ith_block *block)
{
    gathering *g = user;
    (void)layer;
    if (block->kind->needs != NULL)
        block->kind->needs(g->sizes, block, &g->needs);
}

ith_work_needs ith_blocks_needs(const ith_work_sizes *sizes)
{
    gathering g = {.sizes = sizes};
    ith_blocks_each(sizes->model, add_needs, &g);
    return g.needs;
}

ith_key_tile ith_blocks_key_tile(const ith_hparams *hp, const ith_caches *caches, ith_kv_layout kv,
                                 int64_t n, int n_threads)
{
    const ith_arch *arch = ith_arch_find(hp->architecture);

    for (int64_t i = 0; arch != NULL && i < hp->n_layers; i++) {
        ith_layer_form form = arch->layer(hp, i);
        for (int s = 0; s < form.n; s++) {
            const ith_block_kind *kind = ith_block_kind_find(form.sub[s].block);
            if (kind != NULL && kind->key_tile != NULL)
                return kind->key_tile(hp, caches, kv, n, n_threads);
        }
    }
    return (ith_key_tile){0};
}

static void take_least(void *user, const ith_use *use)
{
    double *least = user;
    *least = use->share < *least ? use->share : *least;
}

double ith_blocks_least_share(const ith_model *model)
{
    double least = 1;
    ith_blocks_each_matrix(model, take_least, &least);
    return least;
}

bool ith_blocks_have(const ith_model *model, int kind)
{
    for (int64_t i = 0; i < model->hp.n_layers; i++)
        for (int k = 0; k < model->layers[i].n; k++)
            if (model->layers[i].sub[k].block.kind == ith_block_kinds[kind])
                return true;
    return false;
}
