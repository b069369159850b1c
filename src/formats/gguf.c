/* gguf.c - the tensors of a GGUF file. */
#include "formats/gguf.h"

#include "formats/dtype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TENSOR_MIN = 8 + 1 + 4 + 8 + 4 + 8, /* bytes of the shortest description */
    NAME_MAX_BYTES = 127,               /* GGML's own limit is 64 */
    ALIGNMENT_DEFAULT = 32,
    ALIGNMENT_MAX = 1 << 20
};

static ith_status read_alignment(const ith_gguf_meta *meta, size_t *alignment, ith_error *err)
{
    int64_t value = ALIGNMENT_DEFAULT;

    ITH_TRY(ith_gguf_int(meta, "general.alignment", NULL, 1, ALIGNMENT_MAX, &value, err));
    if ((value & (value - 1)) != 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: general.alignment is %lld, expected a power of two",
                        meta->path, (long long)value);
    *alignment = (size_t)value;
    return ITH_OK;
}

static ith_status read_name(ith_cursor *c, char name[NAME_MAX_BYTES + 1], ith_error *err)
{
    ith_bytes text;

    ITH_TRY(ith_cursor_string(c, &text, err));
    if (text.len == 0 || text.len > NAME_MAX_BYTES)
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: a tensor name of %zu bytes", c->path,
                        text.len);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: damaged: a tensor name that is not printable ASCII", c->path);
    memcpy(name, text.data, text.len);
    name[text.len] = '\0';
    return ITH_OK;
}

static ith_status read_dims(ith_cursor *c, ith_tensor *t, ith_error *err)
{
    uint32_t n_dims;

    ITH_TRY(ith_cursor_u32(c, &n_dims, err));
    if (n_dims < 1 || n_dims > 4)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has %u dimensions, expected 1 to 4",
                        t->file, t->name, n_dims);
    t->n_dims = (int)n_dims;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        uint64_t dim;
        ITH_TRY(ith_cursor_u64(c, &dim, err));
        if (dim > INT64_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: its dimensions overflow", t->file,
                            t->name);
        t->dims[i] = (int64_t)dim;
    }
    return ITH_OK;
}

static ith_status read_type(ith_cursor *c, ith_tensor *t, ith_error *err)
{
    uint32_t id;
    const char *name;

    ITH_TRY(ith_cursor_u32(c, &id, err));
    if (ith_dtype_from_ggml(id, &t->dtype))
        return ITH_OK;
    name = ith_ggml_type_name(id);
    t->dtype = ITH_DT_UNREAD;
    if (name == NULL)
        snprintf(t->unread, sizeof t->unread, "number %u", id);
    else
        snprintf(t->unread, sizeof t->unread, "%s", name);
    return ITH_OK;
}

static ith_status read_tensor(ith_cursor *c, size_t alignment, ith_tensor *t, uint64_t *offset,
                              ith_error *err)
{
    ITH_TRY(read_dims(c, t, err));
    ITH_TRY(read_type(c, t, err));
    ITH_TRY(ith_tensor_set_shape(t, err));
    ITH_TRY(ith_cursor_u64(c, offset, err));
    if (*offset % alignment != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s starts at %llu, not a multiple of the alignment %zu",
                        t->file, t->name, (unsigned long long)*offset, alignment);
    return ITH_OK;
}

/* Offsets count from the first aligned byte after the last description, so they are resolved when
 * all descriptions have been read. */
static ith_status set_data(const ith_mapfile *file, size_t data_begin, const uint64_t *offsets,
                           ith_tensor_table *table, size_t first, ith_error *err)
{
    for (size_t i = first; i < table->n; i++) {
        ith_tensor *t = &table->items[i];
        uint64_t offset = offsets[i - first];
        if (data_begin > file->size || offset > file->size - data_begin ||
            t->bytes > file->size - data_begin - offset)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: truncated or damaged: tensor %s takes %zu bytes at %llu + %zu, "
                            "the file has %zu",
                            file->path, t->name, t->bytes, (unsigned long long)offset, data_begin,
                            file->size);
        t->data = file->data + data_begin + offset;
        t->mapping = file;
    }
    return ith_tensor_table_order(table, first, err);
}

static ith_status read_tensors(ith_cursor *c, const ith_gguf_meta *meta, size_t alignment,
                               uint64_t *offsets, ith_tensor_table *table, ith_error *err)
{
    for (uint64_t i = 0; i < meta->n_tensors; i++) {
        char name[NAME_MAX_BYTES + 1];
        ith_tensor t = {.name = name, .file = c->path};
        ITH_TRY(read_name(c, name, err));
        ITH_TRY(read_tensor(c, alignment, &t, &offsets[i], err));
        ITH_TRY(ith_tensor_table_add(table, &t, err));
    }
    return ITH_OK;
}

ith_status ith_gguf_tensors_read(const ith_mapfile *file, ith_cursor *c, const ith_gguf_meta *meta,
                                 ith_tensor_table *table, ith_error *err)
{
    ith_status status;
    uint64_t *offsets = NULL;
    size_t alignment = 1, header, first = table->n;

    ITH_CHECK(read_alignment(meta, &alignment, err));
    if (meta->n_tensors > c->left / TENSOR_MIN)
        ITH_CHECK(ith_fail(err, ITH_E_FORMAT,
                           "%s: truncated or damaged: %llu tensors described in %zu bytes",
                           file->path, (unsigned long long)meta->n_tensors, c->left));
    offsets = calloc(meta->n_tensors + 1, sizeof *offsets);
    if (offsets == NULL)
        ITH_CHECK(ith_fail(err, ITH_E_MEMORY, "%s: no memory for a list of %llu tensors",
                           file->path, (unsigned long long)meta->n_tensors));
    ITH_CHECK(read_tensors(c, meta, alignment, offsets, table, err));
    header = file->size - c->left;
    ITH_CHECK(set_data(file, (header + alignment - 1) / alignment * alignment, offsets, table,
                       first, err));
done:
    free(offsets);
    return status;
}
