/* gguf_meta.h - header and metadata of a GGUF file (github.com/ggml-org/ggml, docs/gguf.md).
 *
 * Reading lists the pairs of key and value once and checks every length. Values stay in the
 * mapping; typed getters read them.
 */
#ifndef ITH_FORMATS_GGUF_META_H
#define ITH_FORMATS_GGUF_META_H

#include "base/bytes.h"
#include "formats/hparams.h"
#include "formats/mapfile.h"

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

/* Each moves on. ITH_E_FORMAT "truncated": fewer bytes are left. */
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

/* Reads the header and all pairs and leaves *c at the description of the first tensor.
 * ITH_E_FORMAT: damaged, or a key occurs twice; ITH_E_UNSUPPORTED: version 1, or big-endian. *meta
 * must be freed even after a failure. */
ith_status ith_gguf_meta_read(const ith_mapfile *file, ith_cursor *c, ith_gguf_meta *meta,
                              ith_error *err);
void ith_gguf_meta_free(ith_gguf_meta *meta); /* accepts NULL */

/* The key is `prefix`, or prefix.suffix if `suffix` is not NULL (<architecture>.block_count).
 * Returns NULL if it is absent. */
const ith_gguf_pair *ith_gguf_find(const ith_gguf_meta *meta, const char *prefix,
                                   const char *suffix);

/* Typed values. Absent: *out keeps its value, ITH_OK. Of another type, or out of [min, max]:
 * ITH_E_FORMAT names the key. An int can be an integer of any width; a real any number. */
ith_status ith_gguf_int(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                        int64_t min, int64_t max, int64_t *out, ith_error *err);
ith_status ith_gguf_real(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                         double *out, ith_error *err);
ith_status ith_gguf_bool(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                         bool *out, ith_error *err);
ith_status ith_gguf_string(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                           ith_bytes *out, ith_error *err);
ith_status ith_gguf_pair_string(const ith_gguf_meta *meta, const ith_gguf_pair *pair,
                                ith_bytes *out, ith_error *err);

/* A size from 0 to ITH_SIZE_LIMIT. ITH_E_FORMAT if it is absent. */
ith_status ith_gguf_need_int(const ith_gguf_meta *meta, const char *prefix, const char *suffix,
                             int64_t *out, ith_error *err);

/* An array whose items have type `item_type`; *out is NULL if it is absent. */
ith_status ith_gguf_array(const ith_gguf_meta *meta, const char *key, ith_gguf_type item_type,
                          const ith_gguf_pair **out, ith_error *err);

bool ith_bytes_equal(ith_bytes bytes, const char *text);

#endif
