/* manifest.h - the description of a segment in an archive: its tokens and the shape of its files.
 *
 *   {"ithaca": "kv", "version": 1, "parent": KEY, "key": KEY, "start": 31744, "layout": "q8",
 *    "layers": 36, "kv_heads": 8, "head_dim": 128, "states": [{"form": "kv", "layers": 36}],
 *    "model": NAME, "ids": [...]}
 *
 * `states` says what each layer of the model keeps for a timeline (state/state.h): keys and values
 * ("kv"), or latents ("latents"), in every layer the same. A manifest without the list means the
 * first; one with another form is refused.
 *
 * The key is the hash of the parent's key and the tokens, so it verifies both.
 */
#ifndef ITH_KEEP_MANIFEST_H
#define ITH_KEEP_MANIFEST_H

#include "base/json.h"
#include "base/regular.h"
#include "keep/archive_key.h"
#include "simd/kernels.h"

typedef struct ith_kv_shape {
    ith_kv_layout layout;
    int n_layers, n_heads, head_dim; /* n_heads: the model's KV heads */
    bool latent;                     /* the cache holds latents */
} ith_kv_shape;

typedef struct ith_manifest {
    ith_key parent, key;
    int64_t start; /* tokens before the segment, a multiple of ITH_KV_SEGMENT */
    ith_kv_shape shape;
    char model[128]; /* its name, for people: cleaned by ith_clean_text */
    int n;           /* tokens, 1 to ITH_KV_SEGMENT */
    int32_t ids[ITH_KV_SEGMENT];
} ith_manifest;

/* Errors name `where`. ITH_E_FORMAT: not a manifest, or the key does not match the tokens;
 * ITH_E_UNSUPPORTED: layers of another form. */
ith_status ith_manifest_parse(const char *text, size_t len, const char *where, ith_manifest *m,
                              ith_error *err);

/* The same for a file (base/regular.h). ITH_E_IO: it cannot be read. */
ith_status ith_manifest_read(int folder, const char *path, ith_manifest *m, ith_error *err);

/* The file appears when it is complete. durable: and on disk. */
ith_status ith_manifest_write(int folder, const char *path, const ith_manifest *m, bool durable,
                              ith_error *err);

#endif
