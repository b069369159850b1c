/* bind_model.c - all tensors of a model bound: its own, then block by block those of its layers. */
#include "formats/tensor_table.h"
#include "model/bind.h"
#include "model/blocks/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ith_status bind_block(ith_binder *b, const char *name, ith_block *block, ith_error *err)
{
    block->kind = ith_block_kind_find(name);
    if (block->kind == NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: there is no kind of block \"%s\"",
                        ith_source_path(b->source), name);
    block->first_stage = b->first_stage;
    if (block->kind->bind != NULL) {
        block->weights = calloc(1, block->kind->weight_bytes);
        if (block->weights == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for the weights' table");
        ITH_TRY(block->kind->bind(b, block, err));
    }
    b->first_stage += block->kind->n_stages;
    return ITH_OK;
}

/* A layer's norm, with its bias. */
static ith_status bind_norm(const ith_binder *b, ith_role role, ith_norm *norm, ith_error *err)
{
    ith_role bias = role == ITH_ROLE_ATTN_NORM  ? ITH_ROLE_ATTN_NORM_BIAS
                    : role == ITH_ROLE_FFN_NORM ? ITH_ROLE_FFN_NORM_BIAS
                                                : ITH_ROLE_NONE;
    if (role == ITH_ROLE_NONE)
        return ITH_OK;
    return ith_bind_norm(b, role, bias, b->model->hp.hidden, norm, err);
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
        ith_sublayer *sub = &layer->sub[i];
        sub->beside = form.sub[i].beside;
        sub->held = form.sub[i].held;
        sub->aside = form.sub[i].aside;
        sub->own_scale = form.sub[i].scale;
        if (sub->own_scale != 0)
            sub->scale = &sub->own_scale;
        m->holds |= sub->held;
        ITH_TRY(bind_norm(b, form.sub[i].norm, &sub->norm, err));
        ITH_TRY(bind_block(b, form.sub[i].block, &sub->block, err));
        ITH_TRY(bind_norm(b, form.sub[i].post, &sub->post, err));
        ITH_TRY(bind_norm(b, form.sub[i].both, &sub->both, err));
    }
    return m->hp.layer_scale
               ? ith_bind_vector(b, ITH_ROLE_LAYER_SCALE, 1, &layer->sub[form.n - 1].scale, err)
               : ITH_OK;
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
    ITH_TRY(
        ith_bind_norm(b, ITH_ROLE_OUT_NORM, ITH_ROLE_OUT_NORM_BIAS, hp->hidden, &m->out_norm, err));
    m->output = m->embed;
    if (!hp->tied_embeddings)
        ITH_TRY(ith_bind_matrix(b, &output, &m->output, err));
    if (hp->output_bias)
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_OUTPUT_BIAS, hp->n_vocab, &m->output_bias, err));
    for (b->layer = 0; b->layer < hp->n_layers; b->layer++)
        ITH_TRY(bind_layer(b, err));
    return ITH_OK;
}

/* ---- What is left ---- */

/* Keys and values of a layer that reads those of another: some files hold them. */
static bool is_unread_kv(const ith_binder *b, const ith_tensor *t)
{
    static const ith_role roles[] = {ITH_ROLE_K, ITH_ROLE_V, ITH_ROLE_K_NORM, ITH_ROLE_K_BIAS,
                                     ITH_ROLE_V_BIAS};
    const ith_hparams *hp = &b->model->hp;
    char name[ITH_TENSOR_NAME];

    for (int64_t i = hp->n_layers - hp->shared_kv; i < hp->n_layers; i++)
        for (size_t k = 0; k < sizeof roles / sizeof *roles; k++)
            if (ith_arch_tensor_name(b->model->arch, b->gguf, roles[k], (int)i, 0, name) &&
                strcmp(t->name, name) == 0)
                return true;
    return false;
}

static bool may_be_left(const ith_binder *b, const ith_tensor *t)
{
    const char *output = ith_arch_pattern(b->model->arch, false, ITH_ROLE_OUTPUT);

    return ith_arch_ignores_tensor(t->name) || ith_tensor_is_integers(t) || is_unread_kv(b, t) ||
           strcmp(t->name, "rope_freqs.weight") == 0 || /* read by ith_model_open */
           (b->model->hp.rope.kind == ITH_ROPE_LONG &&  /* among the hyperparameters */
            strncmp(t->name, "rope_factors_", 13) == 0) ||
           (ith_source_get_kind(b->source) == ITH_SOURCE_HF && b->model->hp.tied_embeddings &&
            strcmp(t->name, output) == 0); /* the source has compared them */
}

/* Some of the names, with the number of all in the end. */
typedef struct left_over {
    char names[500];
    size_t used, n;
} left_over;

static void add_name(left_over *l, const char *name)
{
    l->n++;
    if (l->used + strlen(name) + 3 < sizeof l->names)
        l->used += (size_t)snprintf(l->names + l->used, sizeof l->names - l->used, "%s%s",
                                    l->n == 1 ? "" : ", ", name);
}

static ith_status check_left_over(const ith_binder *b, ith_error *err)
{
    size_t n = ith_source_n_tensors(b->source);
    const ith_tensor *all = ith_source_tensor(b->source, 0);
    bool *bound = calloc(n + 1, sizeof *bound);
    left_over left = {.n = 0};

    if (bound == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %zu tensors", n);
    for (size_t i = 0; i < b->plan->n_entries; i++)
        bound[b->plan->entries[i].tensor - all] = true;
    for (size_t i = 0; i < n; i++)
        if (!bound[i] && !may_be_left(b, &all[i]))
            add_name(&left, all[i].name);
    free(bound);
    if (left.n == 0)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: %zu tensors belong to nothing that Ithaca computes for %s, so its answers "
                    "would be wrong: %s",
                    ith_source_path(b->source), left.n, b->model->arch->name, left.names);
}

ith_status ith_model_bind(const ith_source *source, ith_load_plan *plan, ith_quant quant,
                          ith_model *model, ith_error *err)
{
    ith_binder b = {.source = source,
                    .plan = plan,
                    .model = model,
                    .quant = quant,
                    .gguf = ith_source_get_kind(source) == ITH_SOURCE_GGUF,
                    .hf = ith_source_get_kind(source) == ITH_SOURCE_HF};
    ITH_TRY(bind_all(&b, err));
    return check_left_over(&b, err);
}
