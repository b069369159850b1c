/* load_plan.c - which tensors become which matrices. */
#include "weights/load_plan.h"

#include "base/grow.h"
#include "base/range.h"
#include "formats/quantized.h"
#include "formats/tensor_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ith_load_plan_free(ith_load_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->n_entries; i++)
        free(plan->entries[i].matrix);
    free(plan->entries);
    *plan = (ith_load_plan){0};
}

static ith_status shape_error(const ith_tensor *t, int64_t rows, int64_t cols, ith_error *err)
{
    char have[100] = "";
    for (int i = 0, used = 0; i < t->n_dims && used < 80; i++)
        used += snprintf(have + used, sizeof have - (size_t)used, "%s%lld", i ? ", " : "",
                         (long long)t->dims[i]);
    if (cols == 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s has shape [%s], expected [%lld] from the configuration",
                        t->file, t->name, have, (long long)rows);
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: tensor %s has shape [%s], expected [%lld, %lld] from the configuration",
                    t->file, t->name, have, (long long)rows, (long long)cols);
}

static ith_status add_entry(ith_load_plan *plan, const char *name, const ith_tensor *tensor,
                            int64_t n_units, size_t unit_bytes, ith_entry **out, ith_error *err)
{
    ITH_TRY(ith_tensor_check_read(tensor, err));
    if (!ith_grow((void **)&plan->entries, &plan->room, plan->n_entries + 1, sizeof *plan->entries))
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of %zu tensors",
                        plan->n_entries + 1);
    *out = &plan->entries[plan->n_entries++];
    **out = (ith_entry){.tensor = tensor,
                        .n_units = n_units,
                        .unit_bytes = unit_bytes,
                        .row_step = 1,
                        .layer = plan->layer,
                        .expert = ITH_NO_EXPERT};
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    if (tensor->packed != NULL)
        plan->pack = tensor->packed->pack;
    return ITH_OK;
}

/* Adds a matrix of a tensor whose shape has been checked. */
static ith_status add_matrix(ith_load_plan *plan, const char *name, const ith_tensor *tensor,
                             int64_t rows, int64_t cols, ith_layout layout, ith_entry **out,
                             ith_error *err)
{
    ith_matrix *m = calloc(1, sizeof *m);
    ith_status status;
    size_t bytes;

    if (m == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of tensors");
    snprintf(m->name, sizeof m->name, "%s", name);
    m->layout = layout;
    m->rows = rows;
    m->cols = cols;
    m->groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    m->n_tiles = (rows + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS;
    m->tile_bytes = ith_tile_bytes(layout, (size_t)m->groups);
    m->entry = plan->n_entries;
    if (!ith_mul_size(m->tile_bytes, (size_t)m->n_tiles, &bytes)) {
        free(m);
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is larger than the address space",
                        tensor->file, tensor->name);
    }
    status = add_entry(plan, name, tensor, m->n_tiles, m->tile_bytes, out, err);
    if (status != ITH_OK) {
        free(m);
        return status;
    }
    (*out)->matrix = m;
    (*out)->as_stored = tensor->packed != NULL && tensor->packed->layout == layout;
    if (m->groups > plan->max_groups)
        plan->max_groups = m->groups;
    return ITH_OK;
}

ith_status ith_load_plan_rows(ith_load_plan *plan, const char *name, const ith_rows_of *from,
                              int64_t rows, int64_t cols, ith_layout layout, const ith_matrix **out,
                              ith_error *err)
{
    const ith_tensor *t = from->tensor;
    int64_t heads = from->head_rows.rows > 0 ? from->all_rows / from->head_rows.of : 0,
            tensor_cols = from->head_rows.turned ? rows / heads : cols;
    ith_entry *e;
    bool row = t->packed == NULL && t->n_dims == 1 && from->all_rows == 1 && t->dims[0] == cols;

    if (!row && (t->n_dims != 2 || t->dims[0] != from->all_rows || t->dims[1] != tensor_cols))
        return shape_error(t, from->all_rows, tensor_cols, err);
    ITH_TRY(add_matrix(plan, name, t, rows, cols, layout, &e, err));
    e->first_row = from->first_row;
    e->order = from->order;
    e->head_rows = from->head_rows;
    plan->max_groups = ith_max(plan->max_groups, (tensor_cols + ITH_GROUP - 1) / ITH_GROUP);
    *out = e->matrix;
    return ITH_OK;
}

ith_status ith_load_plan_matrix(ith_load_plan *plan, const char *name, const ith_tensor *tensor,
                                int64_t rows, int64_t cols, ith_layout layout,
                                const ith_matrix **out, ith_error *err)
{
    const ith_rows_of all = {.tensor = tensor, .all_rows = rows};
    return ith_load_plan_rows(plan, name, &all, rows, cols, layout, out, err);
}

ith_status ith_load_plan_stacked(ith_load_plan *plan, const char *name, const ith_stack *stack,
                                 int64_t rows, int64_t cols, ith_layout layout,
                                 const ith_matrix **out, ith_error *err)
{
    const ith_tensor *t = stack->tensor;
    ith_entry *e;

    int64_t second = stack->turned ? cols : stack->dims[1],
            third = stack->turned ? stack->dims[1] : cols;

    if (t->n_dims != 3 || t->dims[0] != stack->dims[0] || t->dims[1] != second ||
        t->dims[2] != third)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s should have shape [%lld, %lld, %lld] from the configuration",
                        t->file, t->name, (long long)stack->dims[0], (long long)second,
                        (long long)third);
    if (stack->turned && t->dtype != ITH_DT_UNREAD && ith_dtype_get(t->dtype)->block != 1)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: tensor %s has transposed matrices in %s, which Ithaca reads of "
                        "floats only",
                        t->file, t->name, ith_dtype_get(t->dtype)->name);
    ITH_TRY(add_matrix(plan, name, t, rows, cols, layout, &e, err));
    e->first_row = stack->first_row;
    e->row_step = stack->row_step;
    e->turned_rows = stack->turned ? third : 0;
    *out = e->matrix;
    return ITH_OK;
}

/* [channels][taps], with any dimensions of 1 before and between. */
static bool is_convolution(const ith_tensor *t, const ith_vector_form *f)
{
    int64_t all = 1, others = 1; /* but the last and the channels */

    for (int i = 0; i < t->n_dims; i++)
        all *= t->dims[i];
    for (int i = 0; i + 1 < t->n_dims; i++)
        if (t->dims[i] != f->channels)
            others *= t->dims[i];
    return t->n_dims >= 2 && t->dims[t->n_dims - 1] == f->taps && others == 1 &&
           all == f->channels * f->taps;
}

/* n elements, with any dimensions of 1 before and behind. */
static bool is_flat(const ith_tensor *t, int64_t n)
{
    int64_t long_dims = 0, all = 1;

    for (int i = 0; i < t->n_dims; i++) {
        long_dims += t->dims[i] != 1;
        all *= t->dims[i];
    }
    return t->n_dims >= 1 && long_dims <= 1 && all == n;
}

/* In packs all vectors are flat and whole; of a convolution, its form says which channels. */
static bool is_sub_vector(const ith_vector_of *from)
{
    return from->all > 0 && from->form.taps == 0 && from->tensor->packed == NULL;
}

static ith_status check_vector(const ith_vector_of *from, ith_error *err)
{
    const ith_tensor *t = from->tensor;
    bool packed = t->packed != NULL;
    int64_t n = is_sub_vector(from) ? from->all : from->n;

    if (t->quantized != NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: tensor %s is quantized (%s); Ithaca reads quantized matrices only",
                        t->file, t->name, t->quantized->type);
    if (is_sub_vector(from) && t->dtype != ITH_DT_UNREAD && ith_dtype_get(t->dtype)->block != 1)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: tensor %s is in %s, and holds several vectors",
                        t->file, t->name, ith_dtype_get(t->dtype)->name);
    if (from->form.taps > 0 && !packed)
        return is_convolution(t, &from->form)
                   ? ITH_OK
                   : shape_error(t, from->form.channels, from->form.taps, err);
    if (from->rows > 0 && !packed)
        return t->n_dims == 2 && t->dims[0] == from->rows && t->dims[1] * from->rows == n
                   ? ITH_OK
                   : shape_error(t, from->rows, n / from->rows, err);
    if (packed ? t->n_dims == 1 && t->dims[0] == n : is_flat(t, n))
        return ITH_OK;
    return shape_error(t, n, 0, err);
}

ith_status ith_load_plan_vector(ith_load_plan *plan, const char *name, const ith_vector_of *from,
                                const float **out, ith_error *err)
{
    const ith_tensor *t = from->tensor;
    ith_entry *e;

    ITH_TRY(check_vector(from, err));
    ITH_TRY(add_entry(plan, name, t, 1, (size_t)from->n * sizeof(float), &e, err));
    e->vector = out;
    e->n = from->n;
    e->as_stored = t->packed != NULL;
    e->form = from->form;
    e->sub_vector = is_sub_vector(from);
    e->first_row = is_sub_vector(from) ? from->first : 0;
    e->row_step = is_sub_vector(from) && from->step > 1 ? from->step : 1;
    *out = NULL;
    return ITH_OK;
}

size_t ith_load_plan_bytes(const ith_load_plan *plan)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        bytes += ith_entry_bytes(&plan->entries[i]);
    return bytes;
}

ith_entry *ith_load_plan_entry(const ith_load_plan *plan, const ith_matrix *matrix)
{
    return &plan->entries[matrix->entry];
}

ith_status ith_load_plan_weigh(ith_load_plan *plan, const ith_stats *stats, ith_error *err)
{
    size_t known = 0;

    for (size_t i = 0; i < plan->n_entries; i++) {
        ith_entry *e = &plan->entries[i];
        if (e->matrix != NULL)
            ITH_TRY(ith_stats_find(stats, e->reads != NULL ? e->reads->name : e->name,
                                   e->matrix->cols, &e->importance, err));
        known += e->importance != NULL;
    }
    if (known == 0)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s knows none of the model's matrices: these statistics belong to another model",
            ith_stats_path(stats));
    return ITH_OK;
}
