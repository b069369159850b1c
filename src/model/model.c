#include "model/model.h"

#include "weights/layout.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct binder { /* what every binding needs */
    const ith_source *source;
    ith_plan *plan;
    ith_model *model;
    ith_quant quant;
    bool exact, gguf;
} binder;

static void part_name(const char *const *names, ith_part part, int layer, char name[128])
{
    const char *pattern = names[part];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, 128, pattern, layer);
#pragma GCC diagnostic pop
}

static ith_status find(const binder *b, ith_part part, int layer, const ith_tensor **out, ith_error *err)
{
    char name[128];
    part_name(b->gguf ? b->model->arch->gguf_names : b->model->arch->hf_names, part, layer, name);
    *out = ith_source_find(b->source, name);
    if (*out == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is missing", ith_source_path(b->source), name);
    return ITH_OK;
}

static ith_status bind_vector(const binder *b, ith_part part, int layer, int64_t n, const float **out, ith_error *err)
{
    const ith_tensor *tensor;
    char name[128];

    ITH_TRY(find(b, part, layer, &tensor, err));
    part_name(b->model->arch->hf_names, part, layer, name);
    return ith_plan_vector(b->plan, name, tensor, n, out, err);
}

static const int stage_of[ITH_PARTS] = {
    [ITH_PART_Q] = ITH_STAGE_QKV,     [ITH_PART_K] = ITH_STAGE_QKV,        [ITH_PART_V] = ITH_STAGE_QKV,
    [ITH_PART_O] = ITH_STAGE_O,       [ITH_PART_GATE] = ITH_STAGE_GATE_UP, [ITH_PART_UP] = ITH_STAGE_GATE_UP,
    [ITH_PART_DOWN] = ITH_STAGE_DOWN,
};

static ith_status bind_matrix(const binder *b, ith_part part, int layer, int64_t rows, int64_t cols,
                              const ith_matrix **out, ith_error *err)
{
    bool sensitive = part == ITH_PART_EMBED || part == ITH_PART_OUTPUT;
    bool interleaved = b->gguf && b->model->arch->gguf_interleaved_qk && (part == ITH_PART_Q || part == ITH_PART_K);
    const ith_tensor *tensor;
    ith_entry *entry;
    ith_layout layout;
    char name[128];

    ITH_TRY(find(b, part, layer, &tensor, err));
    part_name(b->model->arch->hf_names, part, layer, name);
    layout = ith_layout_choose(tensor, b->quant, sensitive, b->exact);
    b->model->quantized |= ith_layout_is_quantized(layout);
    b->model->floats |= !ith_layout_is_quantized(layout);
    ITH_TRY(ith_plan_matrix(b->plan, name, tensor, rows, cols, layout,
                            interleaved ? ITH_ROWS_INTERLEAVED_HALVES : ITH_ROWS_PLAIN, b->model->hp.head_dim, out,
                            err));
    entry = ith_plan_entry(b->plan, *out);
    entry->stage = stage_of[part];
    if (part == ITH_PART_Q || part == ITH_PART_K || part == ITH_PART_V)
        entry->heads = rows / b->model->hp.head_dim;
    return ITH_OK;
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
    ITH_TRY(bind_matrix(b, ITH_PART_GATE, i, hp->ffn, h, &layer->gate, err));
    ITH_TRY(bind_matrix(b, ITH_PART_UP, i, hp->ffn, h, &layer->up, err));
    return bind_matrix(b, ITH_PART_DOWN, i, h, hp->ffn, &layer->down, err);
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

static ith_status open_rope(const ith_source *source, ith_model *m, ith_error *err)
{
    const ith_tensor *factors = ith_source_find(source, "rope_freqs.weight");
    float *values = NULL;
    ith_status status;

    if (factors != NULL) {
        if (factors->n_dims != 1 || factors->dims[0] != m->hp.head_dim / 2)
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s should have %lld elements", factors->file, factors->name,
                            (long long)m->hp.head_dim / 2);
        values = malloc((size_t)factors->dims[0] * sizeof *values);
        if (values == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for rotary frequencies");
        ith_dtype_to_f32(factors->dtype, factors->data, factors->dims[0], values);
    }
    status = ith_rope_open(&m->hp.rope, m->hp.head_dim, m->hp.ctx_train, values, &m->rope, err);
    free(values);
    return status;
}

ith_status ith_model_scale_rope(ith_model *m, const char *text, ith_error *err)
{
    ITH_TRY(ith_rope_scale(text, &m->hp.rope, &m->hp.ctx_train, err));
    ith_rope_close(&m->rope);
    return ith_rope_open(&m->hp.rope, m->hp.head_dim, m->hp.ctx_train, NULL, &m->rope, err);
}

static ith_status check_heads(const ith_source *source, const ith_hparams *hp, ith_error *err)
{
    if (hp->n_kv_heads < 1 || hp->n_heads % hp->n_kv_heads != 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: %lld attention heads are no multiple of %lld key/value heads",
                        ith_source_path(source), (long long)hp->n_heads, (long long)hp->n_kv_heads);
    return ITH_OK;
}

ith_status ith_model_open(const ith_source *source, ith_plan *plan, ith_quant quant, bool exact, ith_model **out,
                          ith_error *err)
{
    const ith_hparams *hp = ith_source_hparams(source);
    ith_model *m = calloc(1, sizeof *m);
    binder b = {source, plan, m, quant, exact, ith_source_get_kind(source) == ITH_SOURCE_GGUF};
    ith_status status;

    *out = NULL;
    if (m == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the model");
    m->hp = *hp;
    m->exact = exact;
    m->kernels = ith_kernels_get();
    m->caches = ith_caches_default();
    m->arch = ith_arch_find(hp->architecture);
    m->layers = calloc((size_t)hp->n_layers, sizeof *m->layers);
    if (m->arch == NULL) {
        status = ith_fail(err, ITH_E_UNSUPPORTED, "%s: architecture \"%s\" is not supported", ith_source_path(source),
                          hp->architecture);
        goto done;
    }
    if (m->layers == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for %lld layers", (long long)hp->n_layers);
        goto done;
    }
    ITH_CHECK(check_heads(source, hp, err));
    ITH_CHECK(open_rope(source, m, err));
    ITH_CHECK(bind_all(&b, err));
done:
    if (status != ITH_OK) {
        ith_model_close(m);
        return status;
    }
    *out = m;
    return ITH_OK;
}

void ith_model_close(ith_model *model)
{
    if (model == NULL)
        return;
    ith_rope_close(&model->rope);
    free(model->key_bias);
    free(model->layers);
    free(model);
}

static int64_t size_of(const ith_matrix *m)
{
    return m->rows * m->cols;
}

int64_t ith_model_n_params(const ith_model *model)
{
    const ith_hparams *hp = &model->hp;
    int64_t n = size_of(model->embed) + hp->hidden + (model->output != model->embed ? size_of(model->output) : 0);
    for (int i = 0; i < hp->n_layers; i++) {
        const ith_layer *l = &model->layers[i];
        n += 2 * hp->hidden + (model->arch->qk_norm ? 2 * hp->head_dim : 0);
        n += size_of(l->q) + size_of(l->k) + size_of(l->v) + size_of(l->o) + size_of(l->gate) + size_of(l->up) +
             size_of(l->down);
    }
    return n;
}
