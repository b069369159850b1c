#include "model/model.h"

#include "model/bind.h"

#include <stdio.h>
#include <stdlib.h>

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
    ITH_CHECK(ith_model_bind(source, plan, quant, m, err));
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
    for (int64_t i = 0; model->layers != NULL && i < model->hp.n_layers; i++)
        free(model->layers[i].experts);
    free(model->key_bias);
    free(model->layers);
    free(model);
}

/* ---- Looking at it ---- */

static void see_ffn(const ith_ffn *f, double share, ith_use_fn see, void *user)
{
    see(user, f->gate, share);
    see(user, f->up, share);
    see(user, f->down, share);
}

void ith_layer_each(const ith_model *model, int64_t layer, ith_use_fn see, void *user)
{
    const ith_experts_params *e = &model->hp.experts;
    const ith_layer *l = &model->layers[layer];

    see(user, l->q, 1);
    see(user, l->k, 1);
    see(user, l->v, 1);
    see(user, l->o, 1);
    if (l->experts == NULL) {
        see_ffn(&l->mlp, 1, see, user);
        return;
    }
    see(user, l->router, 1);
    for (int64_t i = 0; i < e->n; i++)
        see_ffn(&l->experts[i], (double)e->used / (double)e->n, see, user);
}

int64_t ith_model_mid(const ith_model *model)
{
    const ith_hparams *hp = &model->hp;
    int64_t most = 0;

    for (int64_t i = 0; i < hp->n_layers; i++) {
        int64_t values = model->layers[i].experts != NULL ? hp->experts.used * ith_round_up(hp->experts.ffn, ITH_GROUP)
                                                          : ith_round_up(hp->ffn, ITH_GROUP);
        most = values > most ? values : most;
    }
    return most;
}

static void add_size(void *user, const ith_matrix *m, double share)
{
    (void)share;
    *(int64_t *)user += m->rows * m->cols;
}

int64_t ith_model_n_params(const ith_model *model)
{
    const ith_hparams *hp = &model->hp;
    int64_t n = hp->hidden;

    add_size(&n, model->embed, 1);
    if (model->output != model->embed)
        add_size(&n, model->output, 1);
    for (int64_t i = 0; i < hp->n_layers; i++) {
        n += 2 * hp->hidden + (model->arch->qk_norm ? 2 * hp->head_dim : 0);
        ith_layer_each(model, i, add_size, &n);
    }
    return n;
}
