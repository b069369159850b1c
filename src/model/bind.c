/* bind.c - one tensor of a model's files bound to a field. */
#include "model/bind.h"

#include "base/range.h"
#include "weights/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names ---- */

void ith_bind_name(const ith_binder *b, ith_role role, int number, char name[128])
{
    ith_arch_tensor_name(b->model->arch, false, role, b->layer, number, name);
}

const ith_tensor *ith_bind_look(const ith_binder *b, ith_role role, int number, char name[128])
{
    name[0] = '\0';
    if (!ith_arch_tensor_name(b->model->arch, b->gguf, role, b->layer, number, name))
        return NULL;
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

static ith_status find(const ith_binder *b, ith_role role, int number, const ith_tensor **out,
                       ith_error *err)
{
    char name[128];
    *out = ith_bind_look(b, role, number, name);
    return *out != NULL ? ITH_OK : ith_bind_missing(b, name, err);
}

/* A pack holds everything as it is computed with. */
static bool is_packed(const ith_binder *b)
{
    return !b->hf && !b->gguf;
}

/* How heads lie in the file, which has `order` but for the pairs of queries and keys. Families have
 * pairs where they rotate, GGUF's converter makes them in the whole head. */
static ith_head_order order_of(const ith_binder *b, bool rotary, ith_head_order order)
{
    const ith_arch *arch = b->model->arch;
    bool converted = b->gguf && arch->gguf_interleaved_qk;

    if (is_packed(b))
        return (ith_head_order){0};
    if (!rotary || (!arch->rope_pairs && !converted))
        return order;
    order.head_dim = ith_hparams_head_dim(&b->model->hp, b->layer);
    order.rotated =
        converted ? order.head_dim : ith_min(ith_hparams_rotated(&b->model->hp), order.head_dim);
    return order;
}

/* ---- One tensor ---- */

ith_status ith_bind_vector_as(const ith_binder *b, const ith_vector_want *want, const float **out,
                              ith_error *err)
{
    bool minus_1 = want->norm && b->hf && b->model->arch->hf_norms_minus_1;
    ith_vector_of from = {.n = want->n, .rows = want->rows};
    char name[128];

    if (!is_packed(b))
        from.form = want->form;
    from.form.add = minus_1 ? 1 : 0;
    from.form.order = order_of(b, want->rotary, want->form.order);
    if (want->fused != ITH_ROLE_NONE && ith_bind_look(b, want->role, 0, name) == NULL)
        from.tensor = ith_bind_look(b, want->fused, 0, name);
    if (from.tensor != NULL) {
        from.all = want->fused_n;
        from.first = want->first;
        from.step = want->step;
    } else {
        ITH_TRY(find(b, want->role, want->number, &from.tensor, err));
    }
    ith_bind_name(b, want->role, want->number, name);
    return ith_load_plan_vector(b->plan, name, &from, out, err);
}

ith_status ith_bind_vector(const ith_binder *b, ith_role role, int64_t n, const float **out,
                           ith_error *err)
{
    return ith_bind_vector_as(b, &(ith_vector_want){.role = role, .n = n}, out, err);
}

/* The weights of a norm over the hidden size that has none. */
static ith_status bind_ones(ith_model *m, int64_t n, const float **out, ith_error *err)
{
    if (m->ones == NULL)
        m->ones = malloc((size_t)n * sizeof *m->ones);
    if (m->ones == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %lld weights of a norm", (long long)n);
    for (int64_t i = 0; i < n; i++)
        m->ones[i] = 1;
    *out = m->ones;
    return ITH_OK;
}

ith_status ith_bind_norm(const ith_binder *b, ith_role role, ith_role bias, int64_t n,
                         ith_norm *out, ith_error *err)
{
    const ith_vector_want weight = {.role = role, .n = n, .norm = true};

    out->on = true;
    out->plain = ith_arch_pattern(b->model->arch, b->gguf, role) == NULL;
    if (out->plain)
        return bind_ones(b->model, n, &out->w, err);
    ITH_TRY(ith_bind_vector_as(b, &weight, &out->w, err));
    if (bias == ITH_ROLE_NONE || !b->model->arch->norm_bias)
        return ITH_OK;
    return ith_bind_vector(b, bias, n, &out->b, err);
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

/* Where the file has a matrix's rows: in a tensor of their own, or among others'. */
static ith_status find_rows(const ith_binder *b, const ith_matrix_want *want, ith_rows_of *from,
                            ith_error *err)
{
    char name[128], fused[128];

    *from = (ith_rows_of){.all_rows = want->rows, .order = order_of(b, want->rotary, want->order)};
    from->tensor = ith_bind_look(b, want->role, 0, name);
    if (want->file_rows > 0 && !is_packed(b)) {
        from->all_rows = want->file_rows;
        from->first_row = want->first_row;
    }
    if (from->tensor != NULL || want->fused == ITH_ROLE_NONE)
        return from->tensor != NULL ? ITH_OK : ith_bind_missing(b, name, err);
    from->tensor = ith_bind_look(b, want->fused, 0, fused);
    if (from->tensor == NULL)
        return ith_bind_missing(b, name[0] != '\0' ? name : fused, err);
    from->all_rows = want->fused_rows;
    from->first_row = want->first_row;
    from->head_rows = want->head_rows;
    return ITH_OK;
}

/* Blocks of quants run along rows: a matrix that is turned cannot keep them. It is as precise in
 * floats. */
static ith_layout layout_of(const ith_binder *b, const ith_matrix_want *want,
                            const ith_rows_of *from, ith_quant quant)
{
    const ith_tensor *t = from->tensor;
    bool blocks = ith_layout_is_quantized(ith_layout_choose(t, ITH_QUANT_LOSSLESS, false, false));

    if (from->head_rows.turned && blocks && !b->model->exact)
        return ITH_F32T;
    if (want->precise && quant == ITH_QUANT_AUTO && t->quantized == NULL)
        quant = ITH_QUANT_LOSSLESS;
    return ith_layout_choose(t, quant, want->sensitive, b->model->exact);
}

/* Finds a matrix and plans it, under its Hugging Face name. */
static ith_status plan_matrix(const ith_binder *b, const ith_matrix_want *want, ith_quant quant,
                              const ith_matrix **out, ith_error *err)
{
    ith_rows_of from;
    ith_layout layout;
    char name[128];

    ITH_TRY(find_rows(b, want, &from, err));
    ith_bind_name(b, want->role, 0, name);
    layout = layout_of(b, want, &from, quant);
    if (from.tensor->n_dims == 3 && want->heads > 0) {
        const ith_stack stack = {
            .tensor = from.tensor, .dims = {want->heads, want->rows / want->heads}, .row_step = 1};
        return ith_load_plan_stacked(b->plan, name, &stack, want->rows, want->cols, layout, out,
                                     err);
    }
    return ith_load_plan_rows(b->plan, name, &from, want->rows, want->cols, layout, out, err);
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
    entry->served = want->served;
    return ITH_OK;
}

ith_status ith_bind_whole_matrix(const ith_binder *b, ith_role role, int64_t rows, int64_t cols,
                                 const ith_matrix **out, ith_error *err)
{
    return ith_bind_whole(
        b, &(ith_matrix_want){.role = role, .rows = rows, .cols = cols, .sensitive = true}, out,
        err);
}

ith_status ith_bind_whole(const ith_binder *b, const ith_matrix_want *want, const ith_matrix **out,
                          ith_error *err)
{
    ith_entry *entry;

    ITH_TRY(plan_matrix(b, want, ITH_QUANT_LOSSLESS, out, err));
    b->model->quantized |= ith_layout_is_quantized((*out)->layout);
    entry = ith_load_plan_entry(b->plan, *out);
    entry->layer = ITH_NO_LAYER;
    entry->whole = true;
    return ITH_OK;
}

ith_status ith_bind_whole_of(const ith_binder *b, ith_role role, ith_role stack, int number,
                             int count, int64_t rows, int64_t cols, const ith_matrix **out,
                             ith_error *err)
{
    ith_binder at = *b;
    char name[128], stack_name[128];
    const ith_tensor *t = ith_bind_look(b, stack, 0, stack_name);
    ith_stack from = {
        .tensor = t, .dims = {count, rows}, .first_row = number * rows, .row_step = 1};
    ith_entry *entry;

    at.layer = number; /* the number in the name */
    if (t == NULL && stack_name[0] == '\0')
        return ith_bind_whole_matrix(&at, role, rows, cols, out, err);
    if (t == NULL)
        return ith_bind_missing(b, stack_name, err);
    ith_bind_name(&at, role, 0, name);
    ITH_TRY(ith_load_plan_stacked(b->plan, name, &from, rows, cols,
                                  ith_layout_choose(t, ITH_QUANT_LOSSLESS, true, b->model->exact),
                                  out, err));
    b->model->quantized |= ith_layout_is_quantized((*out)->layout);
    entry = ith_load_plan_entry(b->plan, *out);
    entry->layer = ITH_NO_LAYER;
    entry->whole = true;
    return ITH_OK;
}

ith_status ith_bind_table(const ith_binder *b, ith_role role, int64_t rows, int64_t cols,
                          const ith_matrix **out, ith_error *err)
{
    const ith_matrix_want want = {.role = role, .rows = rows, .cols = cols, .sensitive = true};
    ith_entry *entry;

    ITH_TRY(plan_matrix(b, &want, b->quant, out, err));
    entry = ith_load_plan_entry(b->plan, *out);
    entry->layer = ITH_NO_LAYER;
    entry->whole = true;
    return ITH_OK;
}
