/* model_open.c - opens a model: rotary positions, layers, and the tensors bound to them. */
#include "model/model.h"

#include "formats/tensor_table.h"
#include "formats/widen.h"
#include "model/blocks/block.h"

#include <stdio.h>
#include <stdlib.h>

/* Divisors of frequencies. Llama 3's are 1 to 32. */
static ith_status check_factors(const ith_tensor *t, const float *values, ith_error *err)
{
    for (int64_t i = 0; t != NULL && i < t->dims[0]; i++)
        if (!(values[i] >= 1e-3f && values[i] <= 1e6f))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: tensor %s: number %lld is %g, expected %g to %g", t->file, t->name,
                            (long long)i, (double)values[i], 1e-3, 1e6);
    return ITH_OK;
}

/* Window layers with a base of their own: plain. */
static ith_status open_window_rope(ith_model *m, ith_error *err)
{
    const ith_rope_params plain = {
        .theta = m->hp.window_theta,
        .factor = 1,
        .rotated = m->hp.rope.kind == ITH_ROPE_PROPORTIONAL ? 0 : m->hp.rope.rotated};

    if (m->hp.window_theta == 0)
        return ITH_OK;
    return ith_rope_open(&plain, m->hp.head_dim, m->hp.ctx_train, NULL, &m->window_rope, err);
}

static ith_status open_rope(const ith_source *source, ith_model *m, ith_error *err)
{
    const ith_tensor *factors = NULL;
    float *values = NULL;
    ith_status status;

    if (m->hp.rope.kind != ITH_ROPE_PROPORTIONAL) /* else what they say is among the parameters */
        factors = ith_source_find(source, "rope_freqs.weight");
    if (factors != NULL) {
        ITH_TRY(ith_tensor_check_read(factors, err));
        if (factors->n_dims != 1 || factors->dims[0] != ith_hparams_rotated(&m->hp) / 2)
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s should have %lld elements",
                            factors->file, factors->name,
                            (long long)ith_hparams_rotated(&m->hp) / 2);
        values = malloc((size_t)factors->dims[0] * sizeof *values);
        if (values == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for rotary frequencies");
        ith_dtype_to_f32(factors->dtype, factors->data, factors->dims[0], values);
    }
    status = check_factors(factors, values, err);
    if (status == ITH_OK) {
        status = ith_rope_open(&m->hp.rope, ith_hparams_rope_dim(&m->hp), m->hp.ctx_train, values,
                               &m->rope, err);
        if (status == ITH_OK)
            status = open_window_rope(m, err);
        if (status == ITH_OK && m->hp.rope.kind == ITH_ROPE_LONG)
            status =
                ith_rope_open_long(&m->hp.rope, ith_hparams_rope_dim(&m->hp), &m->long_rope, err);
        if (status != ITH_OK)
            status = ith_fail_prefix(err, status, "%s", ith_source_path(source));
    }
    free(values);
    return status;
}

ith_status ith_model_scale_rope(ith_model *m, const char *text, ith_error *err)
{
    ITH_TRY(ith_rope_scale(text, &m->hp.rope, &m->hp.ctx_train, err));
    ith_rope_close(&m->rope);
    ith_rope_close(&m->long_rope);
    m->long_rope.half = 0;
    return ith_rope_open(&m->hp.rope, ith_hparams_rope_dim(&m->hp), m->hp.ctx_train, NULL, &m->rope,
                         err);
}

static ith_status check_heads(const ith_source *source, const ith_hparams *hp, ith_error *err)
{
    if (hp->n_kv_heads < 1 || hp->n_heads % hp->n_kv_heads != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld attention heads are not a multiple of %lld KV heads",
                        ith_source_path(source), (long long)hp->n_heads, (long long)hp->n_kv_heads);
    return ITH_OK;
}

static void take_state(void *user, int layer, const ith_block *block)
{
    ith_model *m = user;
    ith_layer_state *state = &m->states[layer];
    ith_recurrent_shape recurrent = state->recurrent;

    if (block->kind->recurrent != NULL)
        recurrent = block->kind->recurrent(&m->hp);
    if (block->kind->state != NULL)
        *state = block->kind->state(&m->hp, layer);
    state->recurrent = recurrent;
}

ith_status ith_model_open(const ith_source *source, ith_load_plan *plan, ith_quant quant,
                          bool exact, ith_model **out, ith_error *err)
{
    const ith_hparams *hp = ith_source_hparams(source);
    ith_model *m = calloc(1, sizeof *m);
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
    m->states = calloc((size_t)hp->n_layers, sizeof *m->states);
    if (m->arch == NULL) {
        status = ith_fail(err, ITH_E_UNSUPPORTED, "%s: architecture \"%s\" is not supported",
                          ith_source_path(source), hp->architecture);
        goto done;
    }
    if (m->layers == NULL || m->states == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "no memory for %lld layers", (long long)hp->n_layers);
        goto done;
    }
    ITH_CHECK(check_heads(source, hp, err));
    ITH_CHECK(open_rope(source, m, err));
    ITH_CHECK(ith_model_bind(source, plan, quant, m, err));
    ith_blocks_each(m, take_state, m);
done:
    if (status != ITH_OK) {
        ith_model_close(m);
        return status;
    }
    *out = m;
    return ITH_OK;
}

static void close_layer(ith_layer *layer)
{
    for (int i = 0; i < layer->n; i++) {
        ith_block *b = &layer->sub[i].block;
        if (b->weights != NULL && b->kind->unbind != NULL)
            b->kind->unbind(b);
        free(b->weights);
    }
}

void ith_model_close(ith_model *model)
{
    if (model == NULL)
        return;
    ith_rope_close(&model->rope);
    ith_rope_close(&model->long_rope);
    ith_rope_close(&model->window_rope);
    for (int64_t i = 0; model->layers != NULL && i < model->hp.n_layers; i++)
        close_layer(&model->layers[i]);
    free(model->key_means);
    free(model->ones);
    free(model->layers);
    free(model->states);
    free(model);
}

static void add_size(void *user, const ith_use *use)
{
    *(int64_t *)user += use->matrix->rows * use->matrix->cols;
}

static int64_t norm_size(const ith_model *m, const ith_norm *norm)
{
    return norm->on && !norm->plain ? m->hp.hidden * (m->arch->norm_bias ? 2 : 1) : 0;
}

int64_t ith_model_n_params(const ith_model *model)
{
    const ith_hparams *hp = &model->hp;
    int64_t n = norm_size(model, &model->out_norm) + (hp->output_bias ? hp->n_vocab : 0) +
                (hp->layer_scale ? hp->n_layers : 0);

    add_size(&n, &(ith_use){model->embed, 1});
    if (model->output != model->embed)
        add_size(&n, &(ith_use){model->output, 1});
    for (int64_t i = 0; i < hp->n_layers; i++) {
        const ith_layer *layer = &model->layers[i];
        for (int k = 0; k < layer->n; k++) {
            const ith_block *b = &layer->sub[k].block;
            n += norm_size(model, &layer->sub[k].norm) + norm_size(model, &layer->sub[k].post) +
                 norm_size(model, &layer->sub[k].both) +
                 (b->kind->n_vector_params != NULL ? b->kind->n_vector_params(hp, b) : 0);
            if (b->kind->each_matrix != NULL)
                b->kind->each_matrix(hp, b, add_size, &n);
        }
    }
    return n;
}
