/* kvfile.h - a file with the keys and values of one segment and one KV head, or the state at its
 * end of one recurrent head; all layers that have such.
 *
 *   64 bytes     header: magic "ithacakv"; u32 version, layout, layers, head_dim, head, tokens; the
 *                segment's key [16]; u64 file bytes; u64 checksum of header (with 0 here) and table
 *   16 a layer   table: u64 checksum of the stored bytes, u32 stored bytes, u32 codec (0: none,
 *                1: a zstd frame)
 *   the rest     for each layer the blocks of 64 tokens that the segment's tokens reach
 *                (simd/kernels.h); or the floats of a state (state/recurrent.h)
 *
 * Of latents the layout has 256 added; of a state it is 512, head_dim is the number of floats in a
 * layer, and tokens says by how many the state can be cut back. Numbers are little-endian;
 * checksums are those of base/checksum.h. In the last block, slots after the segment's tokens may
 * hold anything. The header repeats all that the name says, so a file that is damaged or has
 * another's name is recognized.
 *
 * A file is written under a temporary name and renamed when it is complete. `folder` and `path`:
 * see base/regular.h.
 */
#ifndef ITH_KEEP_KVFILE_H
#define ITH_KEEP_KVFILE_H

#include "base/regular.h"
#include "keep/archive_key.h"
#include "simd/kernels.h"

/* Which of a segment's files: that of a KV head, or of a recurrent head's state. */
typedef struct ith_head_file {
    bool state;
    int head; /* of all the model's */
} ith_head_file;

/* What a file holds. */
typedef struct ith_kvfile_what {
    ith_key key;
    ith_kv_layout layout;
    int n_layers, head_dim;
    bool latent;  /* latents, not keys and values */
    bool state;   /* a state: head_dim is its floats in a layer, and the layout means nothing */
    int head;     /* of all the model's KV heads, or of its recurrent heads */
    int n_tokens; /* 1 to ITH_KV_SEGMENT */
} ith_kvfile_what;

/* Memory for reading and writing; used by one thread at a time. */
typedef struct ith_kvfile_buffer ith_kvfile_buffer;

ith_status ith_kvfile_buffer_open(ith_kvfile_buffer **buffer, ith_error *err);
void ith_kvfile_buffer_close(ith_kvfile_buffer *buffer); /* accepts NULL */

/* Bytes, in one layer, of the blocks that n_tokens tokens reach; of a state always the same. */
size_t ith_kvfile_layer_bytes(const ith_kvfile_what *what, int n_tokens);

/* layers[i]: those bytes of layer i. durable: the file is on disk before it gets its name. ITH_E_IO
 * names the file, of which nothing is left. */
ith_status ith_kvfile_write(int folder, const char *path, const ith_kvfile_what *what,
                            const void *const *layers, bool durable, ith_kvfile_buffer *buffer,
                            ith_error *err);

/* Reads the blocks of the first n_tokens (at most what->n_tokens) to layers[i], and passes over a
 * layer that is NULL; `layers` NULL: only checks everything. ITH_E_IO: the file cannot be read;
 * *missing says whether it does not exist. ITH_E_ARGUMENT: it is not a regular file. ITH_E_FORMAT:
 * it is damaged, truncated, or holds something else than `what`. */
ith_status ith_kvfile_read(int folder, const char *path, const ith_kvfile_what *what, int n_tokens,
                           void *const *layers, ith_kvfile_buffer *buffer, bool *missing,
                           ith_error *err);

#endif
