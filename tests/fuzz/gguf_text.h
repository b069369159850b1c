/* gguf_text.h - a GGUF file written as JSON, which a fuzzer mutates far better than lengths and
 * offsets:
 *
 *   {"version": 3, "alignment": 32,
 *    "kv": {"general.architecture": "llama", "llama.block_count": 1, ...},
 *    "tensors": {"token_embd.weight": ["Q8_0", 64, 5], ...}}
 *
 * A whole number is a u32 (i64 if it does not fit), another number an f32, a list an array of its
 * first item's type; {"i8": 1} has its type's name. A tensor's type is a name or a number, and its
 * first dimension is the contiguous one. Data are small numbers.
 */
#ifndef ITH_TESTS_FUZZ_GGUF_TEXT_H
#define ITH_TESTS_FUZZ_GGUF_TEXT_H

#include "tests/fuzz/fuzz.h"

#include <math.h>

enum { GGUF_DATA_MAX = 1 << 18 };

static const char *const gguf_type_names[ITH_GGUF_TYPES] = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
static const size_t gguf_widths[ITH_GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* {"TYPE": value} stands for the value with that type. */
static inline uint32_t gguf_text_type(const json_t **value)
{
    const char *key = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)*value));
    int64_t number = json_integer_value(*value);

    for (uint32_t i = 0; key != NULL && i < ITH_GGUF_TYPES; i++)
        if (strcmp(key, gguf_type_names[i]) == 0) {
            *value = json_object_get(*value, key);
            return i;
        }
    if (json_is_integer(*value))
        return number >= 0 && number <= UINT32_MAX ? ITH_GGUF_U32 : ITH_GGUF_I64;
    return json_is_real(*value)      ? ITH_GGUF_F32
           : json_is_boolean(*value) ? ITH_GGUF_BOOL
           : json_is_array(*value)   ? ITH_GGUF_ARRAY
                                     : ITH_GGUF_STRING;
}

static inline void gguf_text_value(buffer *b, uint32_t type, const json_t *value, int depth)
{
    double real = json_number_value(value);
    float f32 = fabs(real) < 3e38 ? (float)real : HUGE_VALF;
    int64_t integer = json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
    const json_t *item = json_array_get(value, 0);
    uint32_t item_type = item != NULL ? gguf_text_type(&item) : (uint32_t)ITH_GGUF_U32;

    if (type == ITH_GGUF_STRING) {
        put_u64(b, json_string_length(value));
        put(b, json_is_string(value) ? json_string_value(value) : "", json_string_length(value));
    } else if (type == ITH_GGUF_ARRAY) {
        put_u32(b, item_type);
        put_u64(b, json_array_size(value));
        for (size_t i = 0; i < json_array_size(value) && depth < 8; i++) {
            item = json_array_get(value, i);
            gguf_text_type(&item);
            gguf_text_value(b, item_type, item, depth + 1);
        }
    } else
        put(b,
            type == ITH_GGUF_F32   ? (const void *)&f32
            : type == ITH_GGUF_F64 ? (const void *)&real
                                   : (const void *)&integer,
            gguf_widths[type]);
}

static inline uint32_t gguf_text_dtype(const json_t *type)
{
    for (uint32_t i = 0; json_is_string(type) && i < 64; i++)
        if (ith_ggml_type_name(i) != NULL &&
            strcmp(ith_ggml_type_name(i), json_string_value(type)) == 0)
            return i;
    return (uint32_t)json_integer_value(type);
}

/* The bytes that its shape asks for, unless they are too many. */
static inline size_t gguf_text_bytes(uint32_t type, const uint64_t *ne, uint32_t n)
{
    ith_dtype dtype;
    size_t elements = 1;

    for (uint32_t i = 0; i < n; i++)
        elements = ne[i] > GGUF_DATA_MAX || elements > GGUF_DATA_MAX ? (size_t)GGUF_DATA_MAX + 1
                                                                     : elements * (size_t)ne[i];
    if (!ith_dtype_from_ggml(type, &dtype) || elements > GGUF_DATA_MAX)
        return 32;
    return elements / (size_t)ith_dtype_get(dtype)->block *
           (size_t)ith_dtype_get(dtype)->block_bytes;
}

static inline void gguf_text_tensor(gguf_writer *w, const char *name, const json_t *shape)
{
    uint32_t type = gguf_text_dtype(json_array_get(shape, 0)), n = 0;
    uint64_t ne[8] = {0};

    for (; n < 8 && n + 1 < json_array_size(shape); n++)
        ne[n] = (uint64_t)json_integer_value(json_array_get(shape, n + 1));
    put_zeros(&w->data, (w->alignment - w->data.n % w->alignment) % w->alignment);
    gguf_tensor_at(w, name, type, n, ne, w->data.n);
    if (w->data.n < 4 * GGUF_DATA_MAX)
        put_numbers(&w->data, gguf_text_bytes(type, ne, n));
}

/* False: the text is not such a file. The caller frees out->data. */
static inline bool gguf_from_json(ith_bytes text, buffer *out)
{
    json_t *root = json_loadb(text.data, text.len, 0, NULL), *kv = json_object_get(root, "kv"),
           *value;
    int64_t alignment = json_integer_value(json_object_get(root, "alignment"));
    gguf_writer w = {.version = 3, .alignment = 32};
    const char *key;
    bool is = json_is_object(kv);

    if (json_is_integer(json_object_get(root, "version")))
        w.version = (uint32_t)json_integer_value(json_object_get(root, "version"));
    if (alignment > 0 && alignment <= 4096)
        w.alignment = (size_t)alignment;
    put(&w.pairs, "", 0);
    json_object_foreach (kv, key, value) {
        const json_t *typed = value;
        uint32_t type = gguf_text_type(&typed);
        gguf_pair(&w, key, type, "", 0);
        gguf_text_value(&w.pairs, type, typed, 0);
    }
    json_object_foreach (json_object_get(root, "tensors"), key, value)
        gguf_text_tensor(&w, key, value);
    json_decref(root);
    *out = gguf_finish(&w);
    return is;
}

/* The file that an input of bytes or of text stands for; the caller frees it. */
static inline buffer gguf_input(const uint8_t *data, size_t size)
{
    buffer file = {0};

    if (size > 0 && data[0] == '{') {
        if (gguf_from_json((ith_bytes){(const char *)data, size}, &file))
            return file;
        free(file.data);
        file = (buffer){0};
    }
    put(&file, "", 0);
    if (size > 0)
        put(&file, data, size);
    return file;
}

#endif
