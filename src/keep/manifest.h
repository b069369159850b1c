/* manifest.h - the description of a segment in an archive: its tokens and the shape of its files.
 *
 *   {"ithaca": "kv", "version": 1, "parent": KEY, "key": KEY, "start": 31744, "layout": "q8",
 *    "layers": 36, "kv_heads": 8, "head_dim": 128,
 *    "states": [{"form": "kv", "layers": 36},
 *               {"form": "recurrent", "layers": 12, "heads": 32, "floats": 23718}],
 *    "model": NAME, "ids": [...]}
 *
 * `states` says what the model's layers keep for a timeline (state/state.h), and how many do: keys
 * and values ("kv") or latents ("latents"), alike in all of them; and recurrent states, so many
 * floats for a head in a layer as saved. A manifest without the list means the first; one with
 * another form is refused. Whether the states at the segment's end are saved, their files say.
 *
 * The key is the hash of the parent's key and the tokens, so it verifies both.
 */
#ifndef ITH_KEEP_MANIFEST_H
#define ITH_KEEP_MANIFEST_H

#include "base/json.h"
#include "base/regular.h"
#include "keep/archive_key.h"
#include "simd/kernels.h"

/* The largest state of a head in a layer that is saved, in floats. */
enum { ITH_STATE_FLOATS_MAX = 1 << 20 };

typedef struct ith_kv_shape {
    ith_kv_layout layout;
    int n_layers, n_heads, head_dim; /* n_heads: the model's KV heads */
    bool latent;                     /* the cache holds latents */
    /* Layers with a recurrent state, perhaps 0; the model's recurrent heads; floats of each in a
     * layer (ith_recurrent_saved_floats). */
    int state_layers, state_heads, state_floats;
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
