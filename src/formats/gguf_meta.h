/* gguf_meta.h - a GGUF file's header and metadata (specification: github.com/ggml-org/ggml, docs/gguf.md).
 *
 * The pairs are listed once, with every length checked; values stay in the mapping and are read by typed getters.
 */
#ifndef ITH_FORMATS_GGUF_META_H
#define ITH_FORMATS_GGUF_META_H

#include "formats/mapfile.h"
#include "formats/source.h"

typedef enum ith_gguf_type {
    ITH_GGUF_U8,
    ITH_GGUF_I8,
    ITH_GGUF_U16,
    ITH_GGUF_I16,
    ITH_GGUF_U32,
    ITH_GGUF_I32,
    ITH_GGUF_F32,
    ITH_GGUF_BOOL,
    ITH_GGUF_STRING,
    ITH_GGUF_ARRAY,
    ITH_GGUF_U64,
    ITH_GGUF_I64,
    ITH_GGUF_F64,
    ITH_GGUF_TYPES
} ith_gguf_type;

typedef struct ith_gguf_pair {
    ith_bytes key;
    uint32_t type;        /* ith_gguf_type */
    uint32_t item_type;   /* arrays only */
    uint64_t count;       /* arrays only */
    const uint8_t *value; /* the value; an array's first item */
} ith_gguf_pair;

/* Reads forward and never past the end. */
typedef struct ith_cursor {
    const char *path;
    const uint8_t *at;
    size_t left;
} ith_cursor;

/* `bytes` bytes at *at, which is moved on. ITH_E_FORMAT "truncated" if the file has fewer. */
ith_status ith_cursor_take(ith_cursor *c, size_t bytes, const uint8_t **at, ith_error *err);
ith_status ith_cursor_u32(ith_cursor *c, uint32_t *out, ith_error *err);
ith_status ith_cursor_u64(ith_cursor *c, uint64_t *out, ith_error *err);
ith_status ith_cursor_string(ith_cursor *c, ith_bytes *out, ith_error *err);

typedef struct ith_gguf_meta {
    const char *path;
    uint32_t version; /* 2 or 3 */
    uint64_t n_tensors;
    size_t n_pairs;
    ith_gguf_pair *pairs; /* sorted by key */
} ith_gguf_meta;

/* Reads the header and all pairs; *c then stands at the first tensor's description. ITH_E_FORMAT: damaged, a key that comes
 * twice; ITH_E_UNSUPPORTED: version 1, big-endian. On failure too, *meta is to be freed. */
ith_status ith_gguf_meta_read(const ith_mapfile *file, ith_cursor *c, ith_gguf_meta *meta,
                              ith_error *err);
void ith_gguf_meta_free(ith_gguf_meta *meta); /* accepts NULL */

/* `suffix` may be NULL: else the key is prefix.suffix, as in <architecture>.block_count. NULL: absent. */
const ith_gguf_pair *ith_gguf_find(const ith_gguf_meta *meta, const char *prefix,
                                   const char *suffix);

/* Typed values. Absent: *out keeps its value, ITH_OK. Another type or out of [min, max]: ITH_E_FORMAT with the key.
 * Integers of every width are an int; integers and floats are a real. */
ith_status ith_gguf_int(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                        int64_t min, int64_t max, int64_t *out, ith_error *err);
/* The same of a size that must be there: 0 to ITH_SIZE_LIMIT; absent: ITH_E_FORMAT. */
ith_status ith_gguf_need_int(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                             int64_t *out, ith_error *err);
ith_status ith_gguf_real(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                         double *out, ith_error *err);
ith_status ith_gguf_bool(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                         bool *out, ith_error *err);
ith_status ith_gguf_string(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                           ith_bytes *out, ith_error *err);

/* An array whose items have type `item_type`; *out NULL if absent. */
ith_status ith_gguf_array(const ith_gguf_meta *meta, const char *key, ith_gguf_type item_type,
                          const ith_gguf_pair **out, ith_error *err);

bool ith_bytes_equal(ith_bytes bytes, const char *text);

#endif
