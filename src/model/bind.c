/* bind.c - one tensor of a model's files bound to a field. */
#include "model/bind.h"

#include "weights/layout.h"

#include <stdio.h>
#include <string.h>

/* ---- Names ---- */

/* `number` counts for roles of which a layer has several tensors. */
static void name_of(const char *const *names, ith_role role, int layer, int number, char name[128])
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, 128, names[role], layer, number);
#pragma GCC diagnostic pop
}

void ith_bind_name(const ith_binder *b, ith_role role, int number, char name[128])
{
    name_of(b->model->arch->hf_names, role, b->layer, number, name);
}

const ith_tensor *ith_bind_look(const ith_binder *b, ith_role role, int number, char name[128])
{
    const char *const *names = b->gguf ? b->model->arch->gguf_names : b->model->arch->hf_names;

    name[0] = '\0';
    if (names[role] == NULL)
        return NULL;
    name_of(names, role, b->layer, number, name);
    return ith_source_find(b->source, name);
}

/* A tensor whose name has other words before the name without "model.", as some programs save
 * them. */
static const ith_tensor *find_alike(const ith_source *source, const char *name)
{
    const char *tail = strncmp(name, "model.", 6) == 0 ? name + 6 : name;
    size_t end = strlen(tail);

    for (size_t i = 0; i < ith_source_n_tensors(source); i++) {
        const ith_tensor *t = ith_source_tensor(source, i);
        size_t len = strlen(t->name);
        if (len > end && strcmp(t->name + len - end, tail) == 0 && t->name[len - end - 1] == '.')
            return t;
    }
    return NULL;
}

ith_status ith_bind_missing(const ith_binder *b, const char *name, ith_error *err)
{
    const ith_tensor *alike = find_alike(b->source, name);

    if (alike != NULL)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s is missing; there is one named %s: save the model again "
                        "with the names of its class in Transformers",
                        ith_source_path(b->source), name, alike->name);
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is missing", ith_source_path(b->source),
                    name);
}

static ith_status find(const ith_binder *b, ith_role role, const ith_tensor **out, ith_error *err)
{
    char name[128];
    *out = ith_bind_look(b, role, 0, name);
    return *out != NULL ? ITH_OK : ith_bind_missing(b, name, err);
}

/* ---- One tensor ---- */

ith_status ith_bind_vector(const ith_binder *b, ith_role role, int64_t n, const float **out,
                           ith_error *err)
{
    const ith_tensor *tensor;
    char name[128];

    ITH_TRY(find(b, role, &tensor, err));
    ith_bind_name(b, role, 0, name);
    return ith_load_plan_vector(b->plan, name, tensor, n, out, err);
}

static void note_layout(ith_model *m, ith_layout layout)
{
    m->quantized |= ith_layout_is_quantized(layout);
    m->floats |= !ith_layout_is_quantized(layout);
}

ith_layout ith_bind_layout(const ith_binder *b, const ith_tensor *tensor)
{
    ith_layout layout = ith_layout_choose(tensor, b->quant, false, b->model->exact);
    note_layout(b->model, layout);
    return layout;
}

/* Finds a matrix and plans it, under its Hugging Face name. */
static ith_status plan_matrix(const ith_binder *b, const ith_matrix_want *want, ith_quant quant,
                              const ith_matrix **out, ith_error *err)
{
    bool interleaved = want->rotary && b->gguf && b->model->arch->gguf_interleaved_qk;
    const ith_tensor *tensor;
    char name[128];

    ITH_TRY(find(b, want->role, &tensor, err));
    ith_bind_name(b, want->role, 0, name);
    return ith_load_plan_matrix(b->plan, name, tensor, want->rows, want->cols,
                                ith_layout_choose(tensor, quant, want->sensitive, b->model->exact),
                                interleaved ? ITH_ROWS_INTERLEAVED_HALVES : ITH_ROWS_PLAIN,
                                b->model->hp.head_dim, out, err);
}

ith_status ith_bind_matrix(const ith_binder *b, const ith_matrix_want *want, const ith_matrix **out,
                           ith_error *err)
{
    ith_entry *entry;

    ITH_TRY(plan_matrix(b, want, b->quant, out, err));
    note_layout(b->model, (*out)->layout);
    entry = ith_load_plan_entry(b->plan, *out);
    entry->stage = b->first_stage + want->stage;
    entry->heads = want->heads;
    return ITH_OK;
}

ith_status ith_bind_whole_matrix(const ith_binder *b, ith_role role, int64_t rows, int64_t cols,
                                 const ith_matrix **out, ith_error *err)
{
    ith_matrix_want want = {.role = role, .rows = rows, .cols = cols, .sensitive = true};
    ith_entry *entry;

    ITH_TRY(plan_matrix(b, &want, ITH_QUANT_LOSSLESS, out, err));
    b->model->quantized |= ith_layout_is_quantized((*out)->layout);
    entry = ith_load_plan_entry(b->plan, *out);
    entry->layer = ITH_NO_LAYER;
    entry->whole = true;
    return ITH_OK;
}
