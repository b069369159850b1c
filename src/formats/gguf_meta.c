/* gguf_meta.c - header and metadata of a GGUF file. */
#include "formats/gguf_meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Bytes of the shortest pair: length, one byte of key, type, one byte of value. */
    PAIR_MIN = 8 + 1 + 4 + 1,
    NESTING_MAX = 4 /* of arrays; known files have no arrays of arrays */
};

static const uint8_t scalar_bytes[ITH_GGUF_TYPES] = {
    [ITH_GGUF_U8] = 1,  [ITH_GGUF_I8] = 1,  [ITH_GGUF_U16] = 2, [ITH_GGUF_I16] = 2,
    [ITH_GGUF_U32] = 4, [ITH_GGUF_I32] = 4, [ITH_GGUF_F32] = 4, [ITH_GGUF_BOOL] = 1,
    [ITH_GGUF_U64] = 8, [ITH_GGUF_I64] = 8, [ITH_GGUF_F64] = 8,
};

/* ---- Cursor ---- */

/* Sets *at to the next `bytes` bytes and moves on. */
static ith_status take(ith_cursor *c, size_t bytes, const uint8_t **at, ith_error *err)
{
    if (bytes > c->left)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: truncated or damaged: its header needs %zu more bytes where %zu are left", c->path,
            bytes, c->left);
    *at = c->at;
    c->at += bytes;
    c->left -= bytes;
    return ITH_OK;
}

ith_status ith_cursor_u32(ith_cursor *c, uint32_t *out, ith_error *err)
{
    const uint8_t *at = NULL;
    ITH_TRY(take(c, sizeof *out, &at, err));
    memcpy(out, at, sizeof *out);
    return ITH_OK;
}

ith_status ith_cursor_u64(ith_cursor *c, uint64_t *out, ith_error *err)
{
    const uint8_t *at = NULL;
    ITH_TRY(take(c, sizeof *out, &at, err));
    memcpy(out, at, sizeof *out);
    return ITH_OK;
}

ith_status ith_cursor_string(ith_cursor *c, ith_bytes *out, ith_error *err)
{
    const uint8_t *at = NULL;
    uint64_t len = 0;

    ITH_TRY(ith_cursor_u64(c, &len, err));
    ITH_TRY(take(c, len, &at, err));
    *out = (ith_bytes){(const char *)at, len};
    return ITH_OK;
}

/* ---- Pairs ---- */

static ith_status skip_array(ith_cursor *c, uint32_t item_type, uint64_t count, int depth,
                             ith_error *err);

static ith_status skip_value(ith_cursor *c, uint32_t type, int depth, ith_error *err)
{
    const uint8_t *at = NULL;
    ith_bytes text;
    uint32_t item_type;
    uint64_t count;

    if (type >= ITH_GGUF_TYPES)
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: a value of type %u", c->path, type);
    if (type == ITH_GGUF_STRING)
        return ith_cursor_string(c, &text, err);
    if (type != ITH_GGUF_ARRAY)
        return take(c, scalar_bytes[type], &at, err);
    ITH_TRY(ith_cursor_u32(c, &item_type, err));
    ITH_TRY(ith_cursor_u64(c, &count, err));
    return skip_array(c, item_type, count, depth + 1, err);
}

static ith_status skip_array(ith_cursor *c, uint32_t item_type, uint64_t count, int depth,
                             ith_error *err)
{
    size_t item_bytes;
    const uint8_t *at = NULL;

    if (depth > NESTING_MAX || item_type >= ITH_GGUF_TYPES)
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: an array of type %u, %d deep", c->path,
                        item_type, depth);
    item_bytes = item_type == ITH_GGUF_STRING  ? 8
                 : item_type == ITH_GGUF_ARRAY ? 12
                                               : scalar_bytes[item_type];
    if (count > c->left / item_bytes)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: truncated or damaged: an array of %llu items where %zu bytes are left",
                        c->path, (unsigned long long)count, c->left);
    if (scalar_bytes[item_type] > 0)
        return take(c, count * item_bytes, &at, err);
    for (uint64_t i = 0; i < count; i++)
        ITH_TRY(skip_value(c, item_type, depth, err));
    return ITH_OK;
}

static ith_status read_key(ith_cursor *c, ith_bytes *key, ith_error *err)
{
    ITH_TRY(ith_cursor_string(c, key, err));
    if (key->len == 0 || key->len > UINT16_MAX)
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: a key of %zu bytes", c->path, key->len);
    for (size_t i = 0; i < key->len; i++)
        if (key->data[i] <= ' ' || key->data[i] > '~')
            return ith_fail(err, ITH_E_FORMAT, "%s: damaged: a key that is not printable ASCII",
                            c->path);
    return ITH_OK;
}

static ith_status read_pair(ith_cursor *c, ith_gguf_pair *pair, ith_error *err)
{
    ITH_TRY(read_key(c, &pair->key, err));
    ITH_TRY(ith_cursor_u32(c, &pair->type, err));
    pair->value = c->at;
    if (pair->type != ITH_GGUF_ARRAY)
        return skip_value(c, pair->type, 0, err);
    ITH_TRY(ith_cursor_u32(c, &pair->item_type, err));
    ITH_TRY(ith_cursor_u64(c, &pair->count, err));
    pair->value = c->at;
    return skip_array(c, pair->item_type, pair->count, 1, err);
}

static int compare_bytes(ith_bytes a, ith_bytes b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int compare_pairs(const void *a, const void *b)
{
    return compare_bytes(((const ith_gguf_pair *)a)->key, ((const ith_gguf_pair *)b)->key);
}

static ith_status read_header(ith_cursor *c, ith_gguf_meta *meta, uint64_t *n_pairs, ith_error *err)
{
    const uint8_t *magic = NULL;

    ITH_TRY(take(c, 4, &magic, err));
    if (memcmp(magic, "GGUF", 4) != 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: not a GGUF file: it does not begin with \"GGUF\"",
                        c->path);
    ITH_TRY(ith_cursor_u32(c, &meta->version, err));
    if (meta->version != 0 && (meta->version & 0xffffu) == 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: a big-endian GGUF file; Ithaca reads little-endian ones", c->path);
    if (meta->version != 2 && meta->version != 3)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: GGUF version %u; Ithaca reads versions 2 and 3", c->path,
                        meta->version);
    ITH_TRY(ith_cursor_u64(c, &meta->n_tensors, err));
    ITH_TRY(ith_cursor_u64(c, n_pairs, err));
    if (*n_pairs > c->left / PAIR_MIN)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: truncated or damaged: %llu metadata pairs in %zu bytes", c->path,
                        (unsigned long long)*n_pairs, c->left);
    return ITH_OK;
}

ith_status ith_gguf_meta_read(const ith_mapfile *file, ith_cursor *c, ith_gguf_meta *meta,
                              ith_error *err)
{
    uint64_t n_pairs = 0;

    *c = (ith_cursor){file->path, file->data, file->size};
    *meta = (ith_gguf_meta){.path = file->path};
    ITH_TRY(read_header(c, meta, &n_pairs, err));
    meta->pairs = calloc(n_pairs + 1, sizeof *meta->pairs);
    if (meta->pairs == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %llu metadata pairs", file->path,
                        (unsigned long long)n_pairs);
    for (; meta->n_pairs < n_pairs; meta->n_pairs++)
        ITH_TRY(read_pair(c, &meta->pairs[meta->n_pairs], err));
    qsort(meta->pairs, meta->n_pairs, sizeof *meta->pairs, compare_pairs);
    for (size_t i = 1; i < meta->n_pairs; i++)
        if (compare_pairs(&meta->pairs[i - 1], &meta->pairs[i]) == 0)
            return ith_fail(err, ITH_E_FORMAT, "%s: damaged: the key %.*s occurs twice", file->path,
                            (int)meta->pairs[i].key.len, meta->pairs[i].key.data);
    return ITH_OK;
}

void ith_gguf_meta_free(ith_gguf_meta *meta)
{
    if (meta == NULL)
        return;
    free(meta->pairs);
    *meta = (ith_gguf_meta){0};
}

/* ---- Getters ---- */

bool ith_bytes_equal(ith_bytes bytes, const char *text)
{
    return bytes.data != NULL && bytes.len == strlen(text) &&
           memcmp(bytes.data, text, bytes.len) == 0;
}

typedef struct full_key {
    char text[128];
} full_key;

static full_key join(const char *prefix, const char *suffix)
{
    full_key key;
    snprintf(key.text, sizeof key.text, "%s%s%s", prefix, suffix == NULL ? "" : ".",
             suffix == NULL ? "" : suffix);
    return key;
}

const ith_gguf_pair *ith_gguf_find(const ith_gguf_meta *meta, const char *prefix,
                                   const char *suffix)
{
    full_key key = join(prefix, suffix);
    ith_gguf_pair wanted = {.key = {key.text, strlen(key.text)}};
    return bsearch(&wanted, meta->pairs, meta->n_pairs, sizeof wanted, compare_pairs);
}

static bool read_integer(const ith_gguf_pair *pair, int64_t *out)
{
    uint64_t raw = 0;
    int bits = 8 * (pair->type < ITH_GGUF_TYPES ? scalar_bytes[pair->type] : 0);

    switch (pair->type) {
    case ITH_GGUF_U8:
    case ITH_GGUF_U16:
    case ITH_GGUF_U32:
    case ITH_GGUF_U64:
        memcpy(&raw, pair->value, (size_t)bits / 8);
        *out = (int64_t)raw;
        return raw <= INT64_MAX;
    case ITH_GGUF_I8:
    case ITH_GGUF_I16:
    case ITH_GGUF_I32:
    case ITH_GGUF_I64:
        memcpy(&raw, pair->value, (size_t)bits / 8);
        *out = (int64_t)(raw << (64 - bits)) >> (64 - bits);
        return true;
    default:
        return false;
    }
}

static bool read_real(const ith_gguf_pair *pair, double *out)
{
    int64_t integer;
    float single;

    if (pair->type == ITH_GGUF_F64) {
        memcpy(out, pair->value, sizeof *out);
    } else if (pair->type == ITH_GGUF_F32) {
        memcpy(&single, pair->value, sizeof single);
        *out = (double)single;
    } else {
        if (!read_integer(pair, &integer))
            return false;
        *out = (double)integer;
    }
    return true;
}

ith_status ith_gguf_int(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                        int64_t min, int64_t max, int64_t *out, ith_error *err)
{
    const ith_gguf_pair *pair = ith_gguf_find(meta, prefix, suffix);
    int64_t value;

    if (pair == NULL)
        return ITH_OK;
    if (!read_integer(pair, &value) || value < min || value > max)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s should be a whole number from %lld to %lld",
                        meta->path, join(prefix, suffix).text, (long long)min, (long long)max);
    *out = value;
    return ITH_OK;
}

ith_status ith_gguf_need_int(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                             int64_t *out, ith_error *err)
{
    if (ith_gguf_find(meta, prefix, suffix) == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s is missing", meta->path,
                        join(prefix, suffix).text);
    return ith_gguf_int(meta, prefix, suffix, 0, ITH_SIZE_LIMIT, out, err);
}

ith_status ith_gguf_real(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                         double *out, ith_error *err)
{
    const ith_gguf_pair *pair = ith_gguf_find(meta, prefix, suffix);

    if (pair != NULL && !read_real(pair, out))
        return ith_fail(err, ITH_E_FORMAT, "%s: %s should be a number", meta->path,
                        join(prefix, suffix).text);
    return ITH_OK;
}

ith_status ith_gguf_bool(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                         bool *out, ith_error *err)
{
    const ith_gguf_pair *pair = ith_gguf_find(meta, prefix, suffix);

    if (pair == NULL)
        return ITH_OK;
    if (pair->type != ITH_GGUF_BOOL || pair->value[0] > 1)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s should be true or false", meta->path,
                        join(prefix, suffix).text);
    *out = pair->value[0] == 1;
    return ITH_OK;
}

ith_status ith_gguf_pair_string(const ith_gguf_meta *meta, const ith_gguf_pair *pair,
                                ith_bytes *out, ith_error *err)
{
    uint64_t len = 0;

    if (pair->type != ITH_GGUF_STRING)
        return ith_fail(err, ITH_E_FORMAT, "%s: %.*s should be a string", meta->path,
                        (int)pair->key.len, pair->key.data);
    memcpy(&len, pair->value, sizeof len);
    *out = (ith_bytes){(const char *)pair->value + sizeof len, len};
    return ITH_OK;
}

ith_status ith_gguf_string(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                           ith_bytes *out, ith_error *err)
{
    const ith_gguf_pair *pair = ith_gguf_find(meta, prefix, suffix);
    return pair == NULL ? ITH_OK : ith_gguf_pair_string(meta, pair, out, err);
}

ith_status ith_gguf_array(const ith_gguf_meta *meta, const char *key, ith_gguf_type item_type,
                          const ith_gguf_pair **out, ith_error *err)
{
    *out = ith_gguf_find(meta, key, NULL);
    if (*out != NULL &&
        ((*out)->type != ITH_GGUF_ARRAY || (*out)->item_type != (uint32_t)item_type))
        return ith_fail(err, ITH_E_FORMAT, "%s: %s should be an array of %s", meta->path, key,
                        item_type == ITH_GGUF_STRING ? "strings"
                        : item_type == ITH_GGUF_F32  ? "32-bit floats"
                                                     : "32-bit whole numbers");
    return ITH_OK;
}
