#include "weights/plan.h"

#include "base/mem.h"
#include "base/range.h"
#include "weights/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Planning ---- */

void ith_plan_free(ith_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->n_entries; i++)
        free(plan->entries[i].matrix);
    free(plan->entries);
    *plan = (ith_plan){0};
}

static ith_status shape_error(const ith_tensor *t, int64_t rows, int64_t cols, ith_error *err)
{
    char have[100] = "";
    for (int i = 0, used = 0; i < t->n_dims && used < 80; i++)
        used += snprintf(have + used, sizeof have - (size_t)used, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
    if (cols == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has shape [%s], expected [%lld] from the configuration",
                        t->file, t->name, have, (long long)rows);
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has shape [%s], expected [%lld, %lld] from the configuration",
                    t->file, t->name, have, (long long)rows, (long long)cols);
}

static ith_status add_entry(ith_plan *plan, const char *name, const ith_tensor *tensor, int64_t n_units,
                            size_t unit_bytes, ith_entry **out, ith_error *err)
{
    if (plan->n_entries == plan->room) {
        size_t room = plan->room ? 2 * plan->room : 64;
        ith_entry *grown = realloc(plan->entries, room * sizeof *grown);
        if (grown == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for the table of %zu tensors", room);
        plan->entries = grown;
        plan->room = room;
    }
    *out = &plan->entries[plan->n_entries++];
    **out = (ith_entry){
        .tensor = tensor, .n_units = n_units, .unit_bytes = unit_bytes, .layer = plan->layer, .expert = ITH_NO_EXPERT};
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    if (tensor->packed != NULL)
        plan->pack = tensor->packed->pack;
    return ITH_OK;
}

/* A matrix that the tensor holds, whose shape has been checked. */
static ith_status add_matrix(ith_plan *plan, const char *name, const ith_tensor *tensor, int64_t rows, int64_t cols,
                             ith_layout layout, ith_entry **out, ith_error *err)
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
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is larger than the address space", tensor->file,
                        tensor->name);
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

ith_status ith_plan_matrix(ith_plan *plan, const char *name, const ith_tensor *tensor, int64_t rows, int64_t cols,
                           ith_layout layout, ith_row_order order, int64_t head_dim, const ith_matrix **out,
                           ith_error *err)
{
    ith_entry *e;

    if (tensor->n_dims != 2 || tensor->dims[0] != rows || tensor->dims[1] != cols)
        return shape_error(tensor, rows, cols, err);
    ITH_TRY(add_matrix(plan, name, tensor, rows, cols, layout, &e, err));
    e->order = order;
    e->head_dim = head_dim;
    *out = e->matrix;
    return ITH_OK;
}

ith_status ith_plan_stacked(ith_plan *plan, const char *name, const ith_stack *stack, int64_t rows, int64_t cols,
                            ith_layout layout, const ith_matrix **out, ith_error *err)
{
    const ith_tensor *t = stack->tensor;
    ith_entry *e;

    if (t->n_dims != 3 || t->dims[0] != stack->dims[0] || t->dims[1] != stack->dims[1] || t->dims[2] != cols)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s should have shape [%lld, %lld, %lld] by the configuration",
                        t->file, t->name, (long long)stack->dims[0], (long long)stack->dims[1], (long long)cols);
    ITH_TRY(add_matrix(plan, name, t, rows, cols, layout, &e, err));
    e->first_row = stack->first_row;
    *out = e->matrix;
    return ITH_OK;
}

ith_status ith_plan_vector(ith_plan *plan, const char *name, const ith_tensor *tensor, int64_t n, const float **out,
                           ith_error *err)
{
    ith_entry *e;

    if (tensor->n_dims != 1 || tensor->dims[0] != n)
        return shape_error(tensor, n, 0, err);
    ITH_TRY(add_entry(plan, name, tensor, 1, (size_t)n * sizeof(float), &e, err));
    e->vector = out;
    e->n = n;
    e->as_stored = tensor->packed != NULL;
    *out = NULL;
    return ITH_OK;
}

ith_entry *ith_plan_entry(const ith_plan *plan, const ith_matrix *matrix)
{
    return &plan->entries[matrix->entry];
}

ith_status ith_plan_weigh(ith_plan *plan, const ith_stats *stats, ith_error *err)
{
    size_t known = 0;

    for (size_t i = 0; i < plan->n_entries; i++) {
        ith_entry *e = &plan->entries[i];
        if (e->matrix != NULL)
            ITH_TRY(ith_stats_find(stats, e->reads != NULL ? e->reads->name : e->name, e->matrix->cols, &e->importance,
                                   err));
        known += e->importance != NULL;
    }
    if (known == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s knows none of the model's matrices: the statistics are of another model",
                        ith_stats_path(stats));
    return ITH_OK;
}

/* ---- Making units ---- */

/* Bytes of the largest tile that is stored in another layout than is wanted. */
static size_t largest_converted(const ith_plan *plan)
{
    size_t bytes = 0;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        if (e->tensor->packed != NULL && !e->as_stored && e->tensor->packed->tile_bytes > bytes)
            bytes = e->tensor->packed->tile_bytes;
    }
    return bytes;
}

static ith_status open_buffers(const ith_plan *plan, ith_producer *p, ith_error *err)
{
    size_t converted = largest_converted(plan), groups = (size_t)plan->max_groups;
    void *memory;

    if (plan->pack != NULL)
        ITH_TRY(ith_pack_reader_open(plan->pack, p->caching, &p->reader, err));
    if (converted == 0)
        return ITH_OK;
    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, converted, "a packed tile", &memory, err));
    p->tile = memory;
    ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, ITH_TILE_ROWS * ITH_GROUP * groups, sizeof(float), "rows of a tile",
                                &memory, err));
    p->rows = memory;
    return ITH_OK;
}

ith_status ith_producer_open(const ith_plan *plan, ith_caching caching, ith_producer *p, ith_error *err)
{
    *p = (ith_producer){.plan = plan, .caching = caching};
    ith_status status = open_buffers(plan, p, err);
    if (status != ITH_OK)
        ith_producer_close(p);
    return status;
}

void ith_producer_close(ith_producer *p)
{
    if (p == NULL)
        return;
    ith_pack_reader_close(p->reader);
    ith_filereader_close(p->file);
    ith_mem_free(p->tile);
    ith_mem_free(p->rows);
    *p = (ith_producer){0};
}

/* ---- Rows of a file ---- */

/* Bytes of a row of the file, whose tensor's last dimension is the columns. */
static size_t row_bytes_of(const ith_entry *e)
{
    const ith_dtype_info *type = ith_dtype_get(e->tensor->dtype);
    return (size_t)(e->matrix->cols / type->block) * (size_t)type->block_bytes;
}

/* The file's row that holds our row, both counted from the matrix's first. */
static int64_t file_row(const ith_entry *e, int64_t row)
{
    int64_t d = e->head_dim, in_head;
    if (e->order == ITH_ROWS_PLAIN)
        return row;
    in_head = row % d;
    return row - in_head + (in_head < d / 2 ? 2 * in_head : 2 * (in_head - d / 2) + 1);
}

/* The matrix's rows in the file among which those of tiles [first, first + n) are. */
static ith_range rows_read(const ith_entry *e, int64_t first, int64_t n)
{
    int64_t unit = e->order == ITH_ROWS_PLAIN ? 1 : e->head_dim, rows = e->matrix->rows;
    int64_t begin = first * ITH_TILE_ROWS / unit * unit, end = ith_round_up((first + n) * ITH_TILE_ROWS, unit);
    return (ith_range){begin, end < rows ? end : rows};
}

/* Bytes [at, at + bytes) of a tensor's data, until the producer's next call. */
static ith_status get_data(ith_producer *p, const ith_tensor *t, size_t at, size_t bytes, const uint8_t **data,
                           ith_error *err)
{
    ith_status status;

    *data = t->data + at;
    if (t->mapping == NULL)
        return ITH_OK;
    if (p->file == NULL || ith_filereader_file(p->file) != t->mapping) {
        ith_filereader_close(p->file);
        ITH_TRY(ith_filereader_open(t->mapping, p->caching, &p->file, err));
    }
    status = ith_filereader_get(p->file, (uint64_t)(*data - t->mapping->data), bytes, data, err);
    return status == ITH_OK ? status : ith_fail_prefix(err, status, "%s: tensor %s", t->file, t->name);
}

static ith_status pack_rows(const ith_entry *e, ith_dtype dtype, const uint8_t *const rows[16], void *out,
                            ith_error *err)
{
    const ith_matrix *m = e->matrix;

    if (ith_layout_pack_tile(m->layout, m->groups, dtype, m->cols, e->importance, rows, out))
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has a weight that is NaN or infinite, which %s cannot hold",
                    e->tensor->file, e->tensor->name, m->layout == ITH_W8 ? "w8" : "w4");
}

/* `data`: the file's rows from `first_row` on, among which those of the tile are. */
static ith_status convert(const ith_entry *e, int64_t tile, const uint8_t *data, int64_t first_row, void *out,
                          ith_error *err)
{
    const ith_matrix *m = e->matrix;
    size_t row_bytes = row_bytes_of(e);
    const uint8_t *rows[ITH_TILE_ROWS];

    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        int64_t row = tile * ITH_TILE_ROWS + r;
        rows[r] = row < m->rows ? data + (size_t)(file_row(e, row) - first_row) * row_bytes : NULL;
    }
    return pack_rows(e, e->tensor->dtype, rows, out, err);
}

static ith_status convert_rows(ith_producer *p, const ith_entry *e, int64_t first, int64_t n, uint8_t *out,
                               ith_error *err)
{
    size_t row_bytes = row_bytes_of(e);
    ith_range rows = rows_read(e, first, n);
    const uint8_t *data;

    ITH_TRY(get_data(p, e->tensor, (size_t)(e->first_row + rows.begin) * row_bytes,
                     (size_t)ith_range_size(rows) * row_bytes, &data, err));
    for (int64_t i = 0; i < n; i++)
        ITH_TRY(convert(e, first + i, data, rows.begin, out + (size_t)i * e->unit_bytes, err));
    return ITH_OK;
}

/* ---- Units ---- */

/* A pack's tile into another layout: through floats, which are exact. */
static ith_status convert_packed(const ith_producer *p, const ith_entry *e, int64_t tile, void *out, ith_error *err)
{
    const ith_packed *t = e->tensor->packed;
    const ith_matrix *m = e->matrix;
    const uint8_t *rows[ITH_TILE_ROWS];

    ITH_TRY(ith_pack_read(p->reader, t, tile, 1, p->tile, err));
    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        float *row = p->rows + (int64_t)r * m->cols;
        bool there = tile * ITH_TILE_ROWS + r < m->rows;
        if (there)
            ith_layout_unpack_row(t->layout, m->groups, p->tile, r, m->cols, row);
        rows[r] = there ? (const uint8_t *)row : NULL;
    }
    return pack_rows(e, ITH_DT_F32, rows, out, err);
}

ith_status ith_produce(ith_producer *p, const ith_entry *e, int64_t first, int64_t n, void *out, ith_error *err)
{
    const uint8_t *data;

    if (e->as_stored)
        return ith_pack_read(p->reader, e->tensor->packed, first, n, out, err);
    if (e->tensor->packed != NULL) {
        for (int64_t i = 0; i < n; i++)
            ITH_TRY(convert_packed(p, e, first + i, (uint8_t *)out + (size_t)i * e->unit_bytes, err));
        return ITH_OK;
    }
    if (e->matrix != NULL)
        return convert_rows(p, e, first, n, out, err);
    ITH_TRY(get_data(p, e->tensor, 0, e->tensor->bytes, &data, err));
    ith_dtype_to_f32(e->tensor->dtype, data, e->n, out);
    return ITH_OK;
}

size_t ith_stored_bytes(const ith_entry *e, int64_t first, int64_t n, bool *packed)
{
    const ith_packed *t = e->tensor->packed;
    size_t bytes = 0;

    *packed = t != NULL && t->codec == ITH_CODEC_ZSTD;
    if (t == NULL)
        return e->matrix == NULL ? e->tensor->bytes : (size_t)ith_range_size(rows_read(e, first, n)) * row_bytes_of(e);
    for (int64_t i = first; i < first + n; i++)
        bytes += ith_pack_tile_get(t, i).bytes;
    return bytes;
}
