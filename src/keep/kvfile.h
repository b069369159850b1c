/* kvfile.h - keys and values of one segment and one KV head, all layers, as a file.
 *
 *   64 bytes    header: magic "ithacakv", u32 version, layout, layers, head_dim, head, tokens; the segment's key [16]; u64 file bytes;
 *               u64 checksum of header (with 0 here) and table
 *   16 a layer  table: u64 checksum of what is stored, u32 bytes stored, u32 codec: 0 as it is, 1 a zstd frame
 *   the rest    per layer the blocks of 64 tokens that the segment's tokens reach (simd/kernels.h), one layer after another
 *
 * Numbers are little-endian, checksums those of base/checksum.h. Slots of the last block behind the tokens hold anything. The file
 * says all about itself, so that a damaged one, or another's under its name, is told without a second file.
 *
 * A file appears under its name when it is complete and on disk: written under another name, synchronized, renamed.
 */
#ifndef ITH_KEEP_KVFILE_H
#define ITH_KEEP_KVFILE_H

#include "base/error.h"
#include "keep/archive_key.h"
#include "simd/kernels.h"

typedef struct ith_kvfile_what { /* what a file holds */
    ith_key key;
    ith_kv_layout layout;
    int n_layers, head_dim;
    int head;     /* of all the model's KV heads */
    int n_tokens; /* 1 to ITH_KV_SEGMENT */
} ith_kvfile_what;

typedef struct ith_kvfile_buffer ith_kvfile_buffer; /* one thread's */

ith_status ith_kvfile_buffer_open(ith_kvfile_buffer **buffer, ith_error *err);
void ith_kvfile_buffer_close(ith_kvfile_buffer *buffer); /* accepts NULL */

/* Bytes of the blocks that n tokens of a segment reach, of one layer. */
size_t ith_kvfile_layer_bytes(const ith_kvfile_what *what, int n_tokens);

/* layers[i]: those bytes of layer i. `durable`: synchronized with the disk before it gets its name. ITH_E_IO names the file; nothing is left of it. */
ith_status ith_kvfile_write(const char *path, const ith_kvfile_what *what, const void *const *layers, bool durable,
                            ith_kvfile_buffer *buffer, ith_error *err);

/* The blocks of the first n_tokens (at most what->n_tokens) to layers[i]; layers NULL: everything is only checked. ITH_E_IO: it cannot be
 * read (errno is the open's if it is not there: *missing); ITH_E_FORMAT: damaged, cut short, or something else than `what`. */
ith_status ith_kvfile_read(const char *path, const ith_kvfile_what *what, int n_tokens, void *const *layers,
                           ith_kvfile_buffer *buffer, bool *missing, ith_error *err);

#endif
