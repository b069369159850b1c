/* bind_model.c - all tensors of a model bound: its own, then block by block those of its layers. */
#include "model/bind.h"
#include "model/blocks/block.h"

#include <stdlib.h>

static ith_status bind_block(ith_binder *b, const char *name, ith_block *block, ith_error *err)
{
    block->kind = ith_block_kind_find(name);
    if (block->kind == NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: there is no kind of block \"%s\"",
                        ith_source_path(b->source), name);
    block->first_stage = b->first_stage;
    block->weights = calloc(1, block->kind->weight_bytes);
    if (block->weights == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the weights' table");
    ITH_TRY(block->kind->bind(b, block, err));
    b->first_stage += block->kind->n_stages;
    return ITH_OK;
}

static ith_status bind_layer(ith_binder *b, ith_error *err)
{
    ith_model *m = b->model;
    ith_layer *layer = &m->layers[b->layer];
    ith_layer_form form = m->arch->layer(&m->hp, b->layer);

    b->plan->layer = b->layer;
    b->first_stage = 0;
    layer->n = form.n;
    for (int i = 0; i < form.n; i++) {
        ITH_TRY(ith_bind_vector(b, form.sub[i].norm, m->hp.hidden, &layer->sub[i].norm, err));
        ITH_TRY(bind_block(b, form.sub[i].block, &layer->sub[i].block, err));
    }
    return ITH_OK;
}

static ith_status bind_all(ith_binder *b, ith_error *err)
{
    ith_model *m = b->model;
    const ith_hparams *hp = &m->hp;
    ith_matrix_want embed = {
        .role = ITH_ROLE_EMBED, .rows = hp->n_vocab, .cols = hp->hidden, .sensitive = true};
    ith_matrix_want output = embed;

    output.role = ITH_ROLE_OUTPUT;
    b->plan->layer = ITH_NO_LAYER;
    ITH_TRY(ith_bind_matrix(b, &embed, &m->embed, err));
    ITH_TRY(ith_bind_vector(b, ITH_ROLE_OUT_NORM, hp->hidden, &m->out_norm, err));
    m->output = m->embed;
    if (!hp->tied_embeddings)
        ITH_TRY(ith_bind_matrix(b, &output, &m->output, err));
    for (b->layer = 0; b->layer < hp->n_layers; b->layer++)
        ITH_TRY(bind_layer(b, err));
    return ITH_OK;
}

ith_status ith_model_bind(const ith_source *source, ith_load_plan *plan, ith_quant quant,
                          ith_model *model, ith_error *err)
{
    ith_binder b = {.source = source,
                    .plan = plan,
                    .model = model,
                    .quant = quant,
                    .gguf = ith_source_get_kind(source) == ITH_SOURCE_GGUF};
    return bind_all(&b, err);
}
