/* safetensors.c - parsing a safetensors file. */
#include "formats/safetensors.h"

#include "base/character.h"
#include "base/json.h"
#include "formats/dtype.h"
#include "formats/hparams.h"

#include <string.h>

enum {
    HEADER_MAX = 100000000, /* the reference implementation's limit */
    DIMS_MOST = 4
};

/* What follows the header. */
typedef struct body {
    const ith_mapfile *file;
    const uint8_t *data;
    size_t size;
} body;

static uint64_t header_length(const ith_mapfile *file)
{
    uint64_t length;
    memcpy(&length, file->data, sizeof length);
    return length;
}

bool ith_safetensors_probe(const ith_mapfile *file)
{
    return file->size > 9 && header_length(file) <= file->size - 8 && file->data[8] == '{';
}

static ith_status read_header(const ith_mapfile *file, json_t **header, body *rest, ith_error *err)
{
    json_error_t why;
    uint64_t length;

    if (file->size < 8)
        return ith_fail(err, ITH_E_FORMAT, "%s: %zu bytes are too few for a safetensors file",
                        file->path, file->size);
    length = header_length(file);
    if (length > HEADER_MAX)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: not a safetensors file: it would have a header of %llu bytes",
                        file->path, (unsigned long long)length);
    if (length > file->size - 8)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: truncated: the header takes %llu bytes, the file has %zu after its length",
            file->path, (unsigned long long)length, file->size - 8);
    *header =
        json_loadb((const char *)file->data + 8, (size_t)length, JSON_REJECT_DUPLICATES, &why);
    if (*header == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: header: %s", file->path, why.text);
    if (!json_is_object(*header))
        return ith_fail(err, ITH_E_FORMAT, "%s: the header is not a JSON object", file->path);
    *rest = (body){file, file->data + 8 + length, file->size - 8 - (size_t)length};
    return ITH_OK;
}

static ith_status read_dtype(ith_tensor *t, const json_t *entry, ith_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));

    if (name == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has no \"dtype\"", t->file, t->name);
    if (ith_dtype_from_safetensors(name, &t->dtype))
        return ITH_OK;
    t->dtype = ITH_DT_UNREAD;
    ith_clean_text(name, strlen(name), t->unread, sizeof t->unread);
    return ITH_OK;
}

/* A tensor of more than four dimensions is none of text, which alone is read (those of images may
 * have five): the last ones count as one. */
static ith_status fold_dimension(ith_tensor *t, int64_t dim, ith_error *err)
{
    int64_t *last = &t->dims[DIMS_MOST - 1];

    if (__builtin_mul_overflow(*last, dim, last))
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is larger than the address space",
                        t->file, t->name);
    return ITH_OK;
}

static ith_status read_shape(ith_tensor *t, const json_t *entry, ith_error *err)
{
    const json_t *shape = json_object_get(entry, "shape"), *dim;
    size_t i;

    if (!json_is_array(shape))
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has no \"shape\"", t->file, t->name);
    t->n_dims = 1;
    t->dims[0] = 1;
    json_array_foreach (shape, i, dim) {
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: \"shape\" should hold whole numbers",
                            t->file, t->name);
        if (i >= DIMS_MOST) {
            ITH_TRY(fold_dimension(t, json_integer_value(dim), err));
            continue;
        }
        t->dims[i] = json_integer_value(dim);
        t->n_dims = (int)i + 1;
    }
    return ith_tensor_set_shape(t, err);
}

static ith_status read_offsets(ith_tensor *t, const json_t *entry, const body *rest, ith_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    int64_t begin = json_integer_value(first), end = json_integer_value(last);

    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
        begin < 0 || end < begin)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: \"data_offsets\" should be [begin, end]",
                        t->file, t->name);
    if ((uint64_t)end > rest->size)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: truncated: tensor %s ends at byte %lld of the data, the file has %zu",
                        t->file, t->name, (long long)end, rest->size);
    if (t->dtype == ITH_DT_UNREAD)
        t->bytes = (size_t)(end - begin);
    if ((uint64_t)(end - begin) != t->bytes)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s takes %lld bytes, its shape and type need %zu", t->file,
                        t->name, (long long)(end - begin), t->bytes);
    t->data = rest->data + begin;
    return ITH_OK;
}

static ith_status read_tensor(const char *name, const json_t *entry, const body *rest,
                              ith_tensor_table *table, ith_error *err)
{
    ith_tensor t = {.name = name, .file = rest->file->path, .mapping = rest->file};

    for (const char *c = name; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            return ith_fail(err, ITH_E_FORMAT, "%s: the name of tensor %s is not printable ASCII",
                            t.file, name);
    if (!json_is_object(entry))
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is not described by an object", t.file,
                        name);
    ITH_TRY(read_dtype(&t, entry, err));
    ITH_TRY(read_shape(&t, entry, err));
    ITH_TRY(read_offsets(&t, entry, rest, err));
    return ith_tensor_table_add(table, &t, err);
}

/* Tensors that do not overlap fill the data exactly if their sizes add up to it. */
static ith_status check_filled(const ith_tensor_table *table, size_t first, const body *rest,
                               ith_error *err)
{
    size_t sum = 0;

    for (size_t i = first; i < table->n; i++)
        sum += table->items[i].bytes;
    if (sum != rest->size)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the tensors take %zu bytes, the file has %zu after its header",
                        rest->file->path, sum, rest->size);
    return ITH_OK;
}

ith_status ith_safetensors_parse(const ith_mapfile *file, ith_tensor_table *table, ith_error *err)
{
    ith_status status;
    json_t *header = NULL, *entry;
    const char *name;
    size_t first = table->n;
    body rest = {0};

    ITH_CHECK(read_header(file, &header, &rest, err));
    json_object_foreach (header, name, entry) {
        if (strcmp(name, "__metadata__") != 0)
            ITH_CHECK(read_tensor(name, entry, &rest, table, err));
    }
    ITH_CHECK(ith_tensor_table_order(table, first, err));
    ITH_CHECK(check_filled(table, first, &rest, err));
done:
    json_decref(header);
    return status;
}

ith_status ith_safetensors_metadata(const ith_mapfile *file, json_t **metadata, ith_error *err)
{
    json_t *header = NULL;
    body rest;

    *metadata = NULL;
    ITH_TRY(read_header(file, &header, &rest, err));
    if (json_is_object(json_object_get(header, "__metadata__")))
        *metadata = json_incref(json_object_get(header, "__metadata__"));
    json_decref(header);
    return ITH_OK;
}
