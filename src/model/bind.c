#include "model/bind.h"

#include "weights/layout.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct binder { /* what every binding needs */
    const ith_source *source;
    ith_plan *plan;
    ith_model *model;
    ith_quant quant;
    bool gguf;
} binder;

/* `expert` counts for parts that there are one of for each. */
static void part_name(const char *const *names, ith_part part, int layer, int expert, char name[128])
{
    const char *pattern = names[part];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, 128, pattern, layer, expert);
#pragma GCC diagnostic pop
}

/* NULL: not in the file; `name` says what was looked for, "" where the format has no such tensor. */
static const ith_tensor *look_for(const binder *b, ith_part part, int layer, int expert, char name[128])
{
    const char *const *names = b->gguf ? b->model->arch->gguf_names : b->model->arch->hf_names;

    name[0] = '\0';
    if (names[part] == NULL)
        return NULL;
    part_name(names, part, layer, expert, name);
    return ith_source_find(b->source, name);
}

static ith_status missing(const binder *b, const char *name, ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is missing", ith_source_path(b->source), name);
}

static ith_status find(const binder *b, ith_part part, int layer, const ith_tensor **out, ith_error *err)
{
    char name[128];
    *out = look_for(b, part, layer, 0, name);
    return *out != NULL ? ITH_OK : missing(b, name, err);
}

static ith_status bind_vector(const binder *b, ith_part part, int layer, int64_t n, const float **out, ith_error *err)
{
    const ith_tensor *tensor;
    char name[128];

    ITH_TRY(find(b, part, layer, &tensor, err));
    part_name(b->model->arch->hf_names, part, layer, 0, name);
    return ith_plan_vector(b->plan, name, tensor, n, out, err);
}

static const int stage_of[ITH_PARTS] = {
    [ITH_PART_Q] = ITH_STAGE_QKV,
    [ITH_PART_K] = ITH_STAGE_QKV,
    [ITH_PART_V] = ITH_STAGE_QKV,
    [ITH_PART_O] = ITH_STAGE_O,
    [ITH_PART_GATE] = ITH_STAGE_GATE_UP,
    [ITH_PART_UP] = ITH_STAGE_GATE_UP,
    [ITH_PART_DOWN] = ITH_STAGE_DOWN,
    [ITH_PART_EXPERT_GATE] = ITH_STAGE_GATE_UP,
    [ITH_PART_EXPERT_UP] = ITH_STAGE_GATE_UP,
    [ITH_PART_EXPERT_DOWN] = ITH_STAGE_DOWN,
};

static void note_layout(ith_model *m, ith_layout layout)
{
    m->quantized |= ith_layout_is_quantized(layout);
    m->floats |= !ith_layout_is_quantized(layout);
}

/* Finds a matrix and plans it, under its Hugging Face name. */
static ith_status plan_matrix(const binder *b, ith_part part, int layer, ith_quant quant, bool sensitive, int64_t rows,
                              int64_t cols, const ith_matrix **out, ith_error *err)
{
    bool interleaved = b->gguf && b->model->arch->gguf_interleaved_qk && (part == ITH_PART_Q || part == ITH_PART_K);
    const ith_tensor *tensor;
    char name[128];

    ITH_TRY(find(b, part, layer, &tensor, err));
    part_name(b->model->arch->hf_names, part, layer, 0, name);
    return ith_plan_matrix(b->plan, name, tensor, rows, cols,
                           ith_layout_choose(tensor, quant, sensitive, b->model->exact),
                           interleaved ? ITH_ROWS_INTERLEAVED_HALVES : ITH_ROWS_PLAIN, b->model->hp.head_dim, out, err);
}

static ith_status bind_matrix(const binder *b, ith_part part, int layer, int64_t rows, int64_t cols,
                              const ith_matrix **out, ith_error *err)
{
    bool sensitive = part == ITH_PART_EMBED || part == ITH_PART_OUTPUT;
    ith_entry *entry;

    ITH_TRY(plan_matrix(b, part, layer, b->quant, sensitive, rows, cols, out, err));
    note_layout(b->model, (*out)->layout);
    entry = ith_plan_entry(b->plan, *out);
    entry->stage = stage_of[part];
    if (part == ITH_PART_Q || part == ITH_PART_K || part == ITH_PART_V)
        entry->heads = rows / b->model->hp.head_dim;
    return ITH_OK;
}

/* ---- Experts ---- */

/* As precise as the file has it; and small, so every node holds it, in every placement. */
static ith_status bind_router(const binder *b, int layer, const ith_matrix **out, ith_error *err)
{
    ith_entry *entry;

    ITH_TRY(plan_matrix(b, ITH_PART_ROUTER, layer, ITH_QUANT_LOSSLESS, true, b->model->hp.experts.n,
                        b->model->hp.hidden, out, err));
    b->model->quantized |= ith_layout_is_quantized((*out)->layout);
    entry = ith_plan_entry(b->plan, *out);
    entry->layer = ITH_NO_LAYER;
    entry->whole = true;
    return ITH_OK;
}

/* Of a part that there is one of for each expert: the tensor that holds that of all, and where it has its rows. */
static const ith_tensor *look_for_stack(const binder *b, ith_part part, int layer, int expert, int64_t rows,
                                        ith_stack *stack, char name[128])
{
    int64_t n = b->model->hp.experts.n;
    char both[128];
    ith_part all = part - ITH_PART_EXPERT_GATE + ITH_PART_EXPERTS_GATE;

    *stack = (ith_stack){.dims = {n, rows}, .first_row = expert * rows};
    stack->tensor = look_for(b, all, layer, 0, name);
    if (stack->tensor != NULL || part == ITH_PART_EXPERT_DOWN)
        return stack->tensor;
    *stack = (ith_stack){.dims = {n, 2 * rows}, .first_row = (2 * expert + (part == ITH_PART_EXPERT_UP)) * rows};
    stack->tensor = look_for(b, ITH_PART_EXPERTS_GATE_UP, layer, 0, both);
    return stack->tensor;
}

/* `reads`: a matrix with the same input, or NULL. */
static ith_status bind_expert_part(const binder *b, ith_part part, int layer, int expert, int64_t rows, int64_t cols,
                                   const ith_matrix *reads, const ith_matrix **out, ith_error *err)
{
    char name[128], other[128];
    const ith_tensor *tensor = look_for(b, part, layer, expert, name);
    bool stacked = tensor == NULL;
    ith_stack stack;
    ith_entry *entry;
    ith_layout layout;

    if (stacked)
        tensor = look_for_stack(b, part, layer, expert, rows, &stack, other);
    if (tensor == NULL)
        return missing(b, name[0] != '\0' ? name : other, err);
    part_name(b->model->arch->hf_names, part, layer, expert, name);
    layout = ith_layout_choose(tensor, b->quant, false, b->model->exact);
    note_layout(b->model, layout);
    if (stacked)
        ITH_TRY(ith_plan_stacked(b->plan, name, &stack, rows, cols, layout, out, err));
    else
        ITH_TRY(ith_plan_matrix(b->plan, name, tensor, rows, cols, layout, ITH_ROWS_PLAIN, 0, out, err));
    entry = ith_plan_entry(b->plan, *out);
    entry->stage = stage_of[part];
    entry->expert = expert;
    entry->reads = reads;
    return ITH_OK;
}

/* A pass treats all of a layer's experts alike. */
static ith_status check_alike(const binder *b, const ith_ffn *experts, int e, ith_error *err)
{
    const ith_ffn *first = &experts[0], *other = &experts[e];

    if (other->gate->layout == first->gate->layout && other->up->layout == first->up->layout &&
        other->down->layout == first->down->layout)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: %s is of another type than expert 0's: Ithaca wants them alike",
                    ith_source_path(b->source), other->gate->name);
}

static ith_status bind_experts(const binder *b, int i, ith_layer *layer, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t h = hp->hidden, f = hp->experts.ffn;

    layer->experts = calloc((size_t)hp->experts.n, sizeof *layer->experts);
    if (layer->experts == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %lld experts", (long long)hp->experts.n);
    ITH_TRY(bind_router(b, i, &layer->router, err));
    for (int e = 0; e < hp->experts.n; e++) {
        ith_ffn *x = &layer->experts[e];
        ITH_TRY(bind_expert_part(b, ITH_PART_EXPERT_GATE, i, e, f, h, layer->router, &x->gate, err));
        ITH_TRY(bind_expert_part(b, ITH_PART_EXPERT_UP, i, e, f, h, layer->router, &x->up, err));
    }
    for (int e = 0; e < hp->experts.n; e++) {
        ITH_TRY(bind_expert_part(b, ITH_PART_EXPERT_DOWN, i, e, h, f, NULL, &layer->experts[e].down, err));
        ITH_TRY(check_alike(b, layer->experts, e, err));
    }
    return ITH_OK;
}

/* ---- Layers ---- */

static ith_status bind_mlp(const binder *b, int i, ith_ffn *mlp, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;

    ITH_TRY(bind_matrix(b, ITH_PART_GATE, i, hp->ffn, hp->hidden, &mlp->gate, err));
    ITH_TRY(bind_matrix(b, ITH_PART_UP, i, hp->ffn, hp->hidden, &mlp->up, err));
    return bind_matrix(b, ITH_PART_DOWN, i, hp->hidden, hp->ffn, &mlp->down, err);
}

static ith_status bind_layer(const binder *b, int i, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t h = hp->hidden, q = hp->n_heads * hp->head_dim, kv = hp->n_kv_heads * hp->head_dim;
    ith_layer *layer = &b->model->layers[i];

    ITH_TRY(bind_vector(b, ITH_PART_ATTN_NORM, i, h, &layer->attn_norm, err));
    ITH_TRY(bind_matrix(b, ITH_PART_Q, i, q, h, &layer->q, err));
    ITH_TRY(bind_matrix(b, ITH_PART_K, i, kv, h, &layer->k, err));
    ITH_TRY(bind_matrix(b, ITH_PART_V, i, kv, h, &layer->v, err));
    ITH_TRY(bind_matrix(b, ITH_PART_O, i, h, q, &layer->o, err));
    if (b->model->arch->qk_norm) {
        ITH_TRY(bind_vector(b, ITH_PART_Q_NORM, i, hp->head_dim, &layer->q_norm, err));
        ITH_TRY(bind_vector(b, ITH_PART_K_NORM, i, hp->head_dim, &layer->k_norm, err));
    }
    ITH_TRY(bind_vector(b, ITH_PART_FFN_NORM, i, h, &layer->ffn_norm, err));
    return ith_hparams_has_experts(hp, i) ? bind_experts(b, i, layer, err) : bind_mlp(b, i, &layer->mlp, err);
}

static ith_status bind_all(const binder *b, ith_error *err)
{
    ith_model *m = b->model;
    const ith_hparams *hp = &m->hp;

    b->plan->layer = ITH_NO_LAYER;
    ITH_TRY(bind_matrix(b, ITH_PART_EMBED, 0, hp->n_vocab, hp->hidden, &m->embed, err));
    ITH_TRY(bind_vector(b, ITH_PART_OUT_NORM, 0, hp->hidden, &m->out_norm, err));
    m->output = m->embed;
    if (!hp->tied_embeddings)
        ITH_TRY(bind_matrix(b, ITH_PART_OUTPUT, 0, hp->n_vocab, hp->hidden, &m->output, err));
    for (int i = 0; i < hp->n_layers; i++) {
        b->plan->layer = i;
        ITH_TRY(bind_layer(b, i, err));
    }
    return ITH_OK;
}

ith_status ith_model_bind(const ith_source *source, ith_plan *plan, ith_quant quant, ith_model *model, ith_error *err)
{
    binder b = {source, plan, model, quant, ith_source_get_kind(source) == ITH_SOURCE_GGUF};
    return bind_all(&b, err);
}
