/* produce.c - makes units, from the rows of a file or the tiles of a pack. */
#include "weights/produce.h"

#include "base/finite.h"
#include "base/mem.h"
#include "base/precise.h"
#include "base/range.h"
#include "formats/quantized.h"
#include "formats/widen.h"
#include "weights/layout.h"

#include <math.h>
#include <string.h>

/* Bytes of the largest packed tile that has to change its layout. */
static size_t largest_converted(const ith_load_plan *plan)
{
    size_t bytes = 0;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        if (e->tensor->packed != NULL && !e->as_stored && e->tensor->packed->tile_bytes > bytes)
            bytes = e->tensor->packed->tile_bytes;
    }
    return bytes;
}

static bool has_quantized(const ith_load_plan *plan)
{
    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].tensor->quantized != NULL)
            return true;
    return false;
}

/* Of matrices that are turned: a head's rows, and those of a tile. */
static ith_status open_turning(const ith_load_plan *plan, ith_producer *p, ith_error *err)
{
    int64_t head = 0, cols = 0;
    void *memory;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        if (!e->head_rows.turned)
            continue;
        head = ith_max(head, e->head_rows.rows * e->tensor->dims[1]);
        cols = ith_max(cols, e->head_rows.rows);
    }
    if (head == 0)
        return ITH_OK;
    ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, (size_t)(head + ITH_TILE_ROWS * cols), sizeof(float),
                                "a head that is turned", &memory, err));
    p->head = memory;
    p->turned = p->head + head;
    return ITH_OK;
}

static bool has_turned(const ith_load_plan *plan)
{
    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].turned_rows > 0)
            return true;
    return false;
}

static ith_status open_buffers(const ith_load_plan *plan, ith_producer *p, ith_error *err)
{
    const size_t converted = largest_converted(plan), cols = ITH_GROUP * (size_t)plan->max_groups;
    const bool quantized = has_quantized(plan);
    void *memory;

    ITH_TRY(open_turning(plan, p, err));
    if (plan->pack != NULL)
        ITH_TRY(ith_pack_reader_open(plan->pack, p->caching, &p->reader, err));
    if (converted > 0) {
        ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, converted, "a packed tile", &memory, err));
        p->tile = memory;
    }
    if (quantized) {
        ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, ITH_TILE_ROWS, cols + ITH_QUANTIZED_PAD,
                                    "quants of a tile", &memory, err));
        p->quants = memory;
    }
    if (converted == 0 && !quantized && !has_turned(plan))
        return ITH_OK;
    ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, ITH_TILE_ROWS * cols, sizeof(float),
                                "rows of a tile", &memory, err));
    p->rows = memory;
    return ITH_OK;
}

ith_status ith_producer_open(const ith_load_plan *plan, ith_caching caching, ith_producer *p,
                             ith_error *err)
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
    ith_mem_free(p->quants);
    ith_mem_free(p->head);
    *p = (ith_producer){0};
}

/* ---- Rows of a file ---- */

/* Bytes of a row in the file: a tensor's last dimension is the columns. (On average, where the
 * quants of a row do not lie together.) */
static size_t row_bytes_of(const ith_entry *e)
{
    const ith_tensor *t = e->tensor;
    const ith_dtype_info *type = ith_dtype_get(t->dtype);
    int64_t cols = e->head_rows.turned ? t->dims[1] : e->matrix->cols;

    if (t->quantized != NULL)
        return t->quantized->row_bytes > 0 ? t->quantized->row_bytes
                                           : t->bytes / (size_t)t->quantized->rows;
    return (size_t)(cols / type->block) * (size_t)type->block_bytes;
}

/* The head of the file that is head `head`. */
static int64_t file_head(const ith_head_order *o, int64_t head)
{
    int64_t each = o->tiles == 0 ? 1 : o->n_heads / o->tiles;
    return o->tiles == 0 ? head : head % each * o->tiles + head / each;
}

/* The row of the file, in this order, that holds a row of a matrix; of a vector, its element. */
static int64_t ordered_row(const ith_head_order *o, int64_t row)
{
    int64_t half = o->rotated / 2, in_head;

    if (o->head_dim == 0)
        return row;
    in_head = row % o->head_dim;
    row = file_head(o, row / o->head_dim) * (o->stride > 0 ? o->stride : o->head_dim);
    if (in_head >= 2 * half)
        return row + in_head;
    return row + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
}

/* The row of the file that holds a row of the matrix, both counted from the matrix's first. */
static int64_t file_row(const ith_entry *e, int64_t row)
{
    if (e->head_rows.rows > 0)
        return row / e->head_rows.rows * e->head_rows.of + e->head_rows.first +
               row % e->head_rows.rows;
    return ordered_row(&e->order, row);
}

/* The rows of the file of the head of a turned matrix that has row `row`. */
static ith_range rows_of_head(const ith_entry *e, int64_t row)
{
    int64_t begin = file_row(e, row / e->tensor->dims[1] * e->head_rows.rows);
    return (ith_range){begin, begin + e->head_rows.rows};
}

/* The rows to read from the file for tiles [first, first + n). */
static ith_range rows_read(const ith_entry *e, int64_t first, int64_t n)
{
    int64_t begin = first * ITH_TILE_ROWS,
            end = ith_min((first + n) * ITH_TILE_ROWS, e->matrix->rows);
    ith_range rows = {begin, end};

    if (begin >= end)
        return rows;
    if (e->head_rows.turned)
        return (ith_range){rows_of_head(e, begin).begin, rows_of_head(e, end - 1).end};
    if (e->order.head_dim == 0 && e->head_rows.rows == 0)
        return rows;
    rows = (ith_range){INT64_MAX, 0};
    for (int64_t row = begin; row < end; row++) {
        int64_t at = file_row(e, row);
        rows = (ith_range){ith_min(rows.begin, at), ith_max(rows.end, at + 1)};
    }
    return rows;
}

/* Do heads that follow each other lie apart? */
static bool is_scattered(const ith_entry *e)
{
    return e->order.stride > 0 || e->order.tiles > 0;
}

/* Bytes [at, at + bytes) of a tensor's data; valid until the producer's next call. */
static ith_status get_data(ith_producer *p, const ith_tensor *t, size_t at, size_t bytes,
                           const uint8_t **data, ith_error *err)
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
    return status == ITH_OK ? status
                            : ith_fail_prefix(err, status, "%s: tensor %s", t->file, t->name);
}

static ith_status pack_rows(const ith_entry *e, ith_dtype dtype, const uint8_t *const rows[16],
                            void *out, ith_error *err)
{
    const ith_matrix *m = e->matrix;

    if (ith_layout_pack_tile(m->layout, m->groups, dtype, m->cols, e->importance, rows, out))
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: tensor %s has a weight that is NaN, infinite, or too large for %s",
                    e->tensor->file, e->tensor->name, ith_layout_name(m->layout));
}

/* How many rows of the file behind that of the matrix's row first_row a row lies. */
static size_t place(const ith_entry *e, int64_t row, int64_t first_row)
{
    return (size_t)((file_row(e, row) - first_row) * e->row_step);
}

/* `data`: rows of the file from `first_row` on, those of the tile among them. */
static ith_status convert(const ith_entry *e, int64_t tile, const uint8_t *data, int64_t first_row,
                          void *out, ith_error *err)
{
    const ith_matrix *m = e->matrix;
    size_t row_bytes = row_bytes_of(e);
    const uint8_t *rows[ITH_TILE_ROWS];

    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        int64_t row = tile * ITH_TILE_ROWS + r;
        rows[r] = row < m->rows ? data + place(e, row, first_row) * row_bytes : NULL;
    }
    return pack_rows(e, e->tensor->dtype, rows, out, err);
}

/* The same of a matrix in several tensors. `data`: quants of rows from `first_row` on; NULL: they
 * do not lie together. */
static ith_status convert_quantized(const ith_producer *p, const ith_entry *e, int64_t tile,
                                    const uint8_t *data, int64_t first_row, void *out,
                                    ith_error *err)
{
    const ith_matrix *m = e->matrix;
    const size_t row_bytes = row_bytes_of(e);
    const uint8_t *stored[ITH_TILE_ROWS], *rows[ITH_TILE_ROWS];
    uint8_t *made[ITH_TILE_ROWS];
    int64_t numbers[ITH_TILE_ROWS];

    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        const int64_t row = tile * ITH_TILE_ROWS + r;
        const bool there = row < m->rows;
        numbers[r] = there ? e->first_row + file_row(e, row) * e->row_step : -1;
        stored[r] = data == NULL || !there ? NULL : data + place(e, row, first_row) * row_bytes;
        made[r] = (uint8_t *)(p->rows + (int64_t)r * m->cols);
        rows[r] = there ? made[r] : NULL;
    }
    ith_quantized_rows(e->tensor, numbers, stored, p->quants, made);
    return pack_rows(e, e->tensor->dtype, rows, out, err);
}

/* Rows [first, first + n), n up to 16, of a tensor with companions, as floats, to `out`. `data`:
 * as in convert_quantized, from row `first` on. */
static void widen_quantized(const ith_producer *p, const ith_entry *e, const uint8_t *data,
                            int64_t first, int64_t n, float *out)
{
    const int64_t cols = e->tensor->dims[1];
    const uint8_t *stored[ITH_TILE_ROWS];
    uint8_t *made[ITH_TILE_ROWS];
    int64_t numbers[ITH_TILE_ROWS];

    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        numbers[r] = r < n ? first + r : -1;
        stored[r] = data == NULL || r >= n ? NULL : data + (size_t)r * row_bytes_of(e);
        made[r] = (uint8_t *)(p->rows + (int64_t)r * cols);
    }
    ith_quantized_rows(e->tensor, numbers, stored, p->quants, made);
    for (int64_t r = 0; r < n; r++)
        ith_dtype_to_f32(e->tensor->dtype, made[r], cols, out + r * cols);
}

/* The rows of a head, as floats [rows][columns of the tensor], to p->head; kept for the
 * tiles that follow. */
static ith_status read_head(ith_producer *p, const ith_entry *e, int64_t row, ith_error *err)
{
    const ith_quantized *q = e->tensor->quantized;
    size_t row_bytes = row_bytes_of(e);
    ith_range rows = rows_of_head(e, row);
    int64_t cols = e->tensor->dims[1], n = ith_range_size(rows);
    const uint8_t *data = NULL;

    if (p->head_of == e && p->head_begin == rows.begin)
        return ITH_OK;
    p->head_of = NULL;
    if (q == NULL || q->row_bytes > 0)
        ITH_TRY(get_data(p, e->tensor, (size_t)rows.begin * row_bytes, (size_t)n * row_bytes, &data,
                         err));
    for (int64_t r = 0; q == NULL && r < n; r++)
        ith_dtype_to_f32(e->tensor->dtype, data + (size_t)r * row_bytes, cols, p->head + r * cols);
    for (int64_t r = 0; q != NULL && r < n; r += ITH_TILE_ROWS)
        widen_quantized(p, e, data == NULL ? NULL : data + (size_t)r * row_bytes, rows.begin + r,
                        ith_min(ITH_TILE_ROWS, n - r), p->head + r * cols);
    p->head_of = e;
    p->head_begin = rows.begin;
    return ITH_OK;
}

/* A tile of a turned matrix; heads are whole tiles. */
static ith_status turn_tile(ith_producer *p, const ith_entry *e, int64_t tile, void *out,
                            ith_error *err)
{
    int64_t cols = e->tensor->dims[1], first = tile * ITH_TILE_ROWS, n = e->matrix->cols;
    const uint8_t *rows[ITH_TILE_ROWS];

    ITH_TRY(read_head(p, e, first, err));
    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        float *row = p->turned + r * n;
        for (int64_t c = 0; c < n; c++)
            row[c] = p->head[c * cols + (first + r) % cols];
        rows[r] = (const uint8_t *)row;
    }
    return pack_rows(e, ITH_DT_F32, rows, out, err);
}

static ith_status convert_run(ith_producer *p, const ith_entry *e, int64_t first, int64_t n,
                              uint8_t *out, ith_error *err)
{
    size_t row_bytes = row_bytes_of(e);
    ith_range rows = rows_read(e, first, n);
    const ith_quantized *q = e->tensor->quantized;
    const uint8_t *data = NULL;

    if (q == NULL || q->row_bytes > 0)
        ITH_TRY(get_data(
            p, e->tensor, (size_t)(e->first_row + rows.begin * e->row_step) * row_bytes,
            (size_t)((ith_range_size(rows) - 1) * e->row_step + 1) * row_bytes, &data, err));
    for (int64_t i = 0; i < n; i++) {
        uint8_t *unit = out + (size_t)i * e->unit_bytes;
        if (q != NULL)
            ITH_TRY(convert_quantized(p, e, first + i, data, rows.begin, unit, err));
        else
            ITH_TRY(convert(e, first + i, data, rows.begin, unit, err));
    }
    return ITH_OK;
}

/* Rows that lie apart are read tile by tile, so that little is read between them. */
static ith_status convert_rows(ith_producer *p, const ith_entry *e, int64_t first, int64_t n,
                               uint8_t *out, ith_error *err)
{
    if (!is_scattered(e))
        return convert_run(p, e, first, n, out, err);
    for (int64_t i = 0; i < n; i++)
        ITH_TRY(convert_run(p, e, first + i, 1, out + (size_t)i * e->unit_bytes, err));
    return ITH_OK;
}

/* A tile of a matrix that is stored transposed: its rows are gathered from the mapping, a few bytes
 * of each row of the file. */
static ith_status convert_turned(const ith_producer *p, const ith_entry *e, int64_t tile, void *out,
                                 ith_error *err)
{
    const ith_matrix *m = e->matrix;
    size_t bytes = (size_t)ith_dtype_get(e->tensor->dtype)->block_bytes;
    int64_t stacked = e->first_row / e->turned_rows, first = e->first_row % e->turned_rows;
    const uint8_t *data = e->tensor->data + (size_t)(stacked * m->cols * e->turned_rows) * bytes;
    const uint8_t *rows[ITH_TILE_ROWS];

    for (int64_t r = 0; r < ITH_TILE_ROWS; r++) {
        int64_t row = tile * ITH_TILE_ROWS + r, at = first + row * e->row_step;
        uint8_t *to = (uint8_t *)(p->rows + r * m->cols);
        rows[r] = row < m->rows ? to : NULL;
        for (int64_t c = 0; row < m->rows && c < m->cols; c++)
            memcpy(to + (size_t)c * bytes, data + (size_t)(c * e->turned_rows + at) * bytes, bytes);
    }
    return pack_rows(e, e->tensor->dtype, rows, out, err);
}

/* ---- Units ---- */

/* Converts a packed tile to another layout, through floats, which are exact. */
static ith_status convert_packed(const ith_producer *p, const ith_entry *e, int64_t tile, void *out,
                                 ith_error *err)
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

ith_status ith_check_vector(const ith_entry *e, const float *values, ith_error *err)
{
    return ith_all_finite(values, e->n)
               ? ITH_OK
               : ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has a number that is NaN or infinite",
                          e->tensor->file, e->tensor->name);
}

/* -exp(x), the same everywhere; infinite, which is refused, where no decay is. */
static float minus_exp(float x)
{
    const double e = 2.718281828459045;
    return fabsf(x) <= 60 ? -(float)ith_power(e, (double)x) : -INFINITY;
}

/* The element of the file that is element i. */
static int64_t file_element(const ith_entry *e, int64_t i)
{
    const ith_vector_form *f = &e->form;
    int64_t n = f->taps > 0 ? e->n / f->taps : 0;

    if (f->taps == 0)
        return ordered_row(&f->order, i) * e->row_step;
    return (f->first + ordered_row(&f->order, i % n)) * f->taps + i / n;
}

/* Elements in order, and what is done to each. */
static ith_status arrange(const ith_entry *e, const uint8_t *data, float *values, ith_error *err)
{
    const ith_dtype_info *type = ith_dtype_get(e->tensor->dtype);
    bool in_order = e->form.taps == 0 && e->form.order.head_dim == 0 && e->row_step == 1;

    if (in_order)
        ith_dtype_to_f32(e->tensor->dtype, data, e->n, values);
    else if (type->block > 1)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: tensor %s is of type %s, which is not supported for it",
                        e->tensor->file, e->tensor->name, type->name);
    for (int64_t i = 0; !in_order && i < e->n; i++)
        ith_dtype_to_f32(e->tensor->dtype, data + file_element(e, i) * type->block_bytes, 1,
                         values + i);
    for (int64_t i = 0; e->form.add != 0 && i < e->n; i++)
        values[i] += e->form.add;
    for (int64_t i = 0; e->form.minus_exp && i < e->n; i++)
        values[i] = minus_exp(values[i]);
    return ITH_OK;
}

static ith_status produce_vector(ith_producer *p, const ith_entry *e, void *out, ith_error *err)
{
    const ith_tensor *t = e->tensor;
    const uint8_t *data;

    if (e->as_stored) {
        ITH_TRY(ith_pack_read(p->reader, t->packed, 0, 1, out, err));
    } else {
        size_t each =
            (size_t)ith_dtype_get(t->dtype)->block_bytes; /* with companions: an element */
        size_t first = (size_t)e->first_row * each, bytes = t->bytes - first;
        if (e->sub_vector && e->form.order.head_dim == 0)
            bytes = (size_t)((e->n - 1) * e->row_step + 1) * each;
        ITH_TRY(get_data(p, t, first, bytes, &data, err));
        ITH_TRY(arrange(e, data, out, err));
    }
    return ith_check_vector(e, out, err);
}

ith_status ith_produce(ith_producer *p, const ith_entry *e, int64_t first, int64_t n, void *out,
                       ith_error *err)
{
    if (e->matrix == NULL)
        return produce_vector(p, e, out, err);
    if (e->as_stored)
        return ith_pack_read(p->reader, e->tensor->packed, first, n, out, err);
    if (e->tensor->packed != NULL) {
        for (int64_t i = 0; i < n; i++)
            ITH_TRY(
                convert_packed(p, e, first + i, (uint8_t *)out + (size_t)i * e->unit_bytes, err));
        return ITH_OK;
    }
    for (int64_t i = 0; (e->head_rows.turned || e->turned_rows > 0) && i < n; i++) {
        uint8_t *unit = (uint8_t *)out + (size_t)i * e->unit_bytes;
        ITH_TRY(e->head_rows.turned ? turn_tile(p, e, first + i, unit, err)
                                    : convert_turned(p, e, first + i, unit, err));
    }
    if (e->head_rows.turned || e->turned_rows > 0)
        return ITH_OK;
    return convert_rows(p, e, first, n, out, err);
}

size_t ith_stored_bytes(const ith_entry *e, int64_t first, int64_t n, bool *packed)
{
    const ith_packed *t = e->tensor->packed;
    size_t bytes = 0;

    *packed = t != NULL && t->codec == ITH_CODEC_ZSTD;
    if (t == NULL)
        return e->matrix == NULL ? e->tensor->bytes
                                 : (size_t)ith_range_size(rows_read(e, first, n)) * row_bytes_of(e);
    for (int64_t i = first; i < first + n; i++)
        bytes += ith_pack_tile_get(t, i).bytes;
    return bytes;
}
