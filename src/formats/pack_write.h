/* pack_write.h - writes a pack, front to back, under a temporary name beside the final one.
 *
 *     ith_pack_writer_open(path, force, &w)
 *     for each tensor:
 *         ith_pack_writer_begin(w, name, ...)
 *         ith_pack_writer_tiles(w, ...)            until all tiles are there
 *     for each blob:
 *         ith_pack_writer_blob(w, name, ...)
 *     ith_pack_writer_finish(w, index)             tables, index, header; then the final name
 *     ith_pack_writer_close(w)                     removes the temporary file if not finished
 *
 * ith_pack_encode encodes tiles, on any number of threads. The writer belongs to one thread.
 */
#ifndef ITH_FORMATS_PACK_WRITE_H
#define ITH_FORMATS_PACK_WRITE_H

#include "formats/packfile.h"
#include "formats/tile_codec.h"

/* ---- Encoding ---- */

/* A tile as it is stored. */
typedef struct ith_encoded {
    const uint8_t *data; /* the tile itself, or what ith_pack_encode wrote */
    uint32_t bytes;
    uint64_t checksum;
} ith_encoded;

/* Compresses a tile of a matrix. level: 1 to ith_zframe_max_level(), or 0 to leave it as is.
 * scratch, room: ith_tile_bytes each, used if level > 0. data points to `tile` or `room`. */
ith_encoded ith_pack_encode(ith_layout layout, size_t groups, ith_zframe *z, int level,
                            const uint8_t *tile, uint8_t *scratch, uint8_t *room);

/* Bytes as they are, for vectors. */
ith_encoded ith_pack_encode_bytes(const void *data, size_t bytes);

/* ---- Writing ---- */

typedef struct ith_pack_writer ith_pack_writer;

/* ITH_E_ARGUMENT: the file exists and `force` is false; ITH_E_IO: the folder cannot be written. */
ith_status ith_pack_writer_open(const char *path, bool force, ith_pack_writer **writer,
                                ith_error *err);

/* A matrix: layout, rows, cols. A vector of floats: cols 0, one tile of rows * 4 bytes. *t has the
 * tensor's sizes and is valid until the next call. */
ith_status ith_pack_writer_begin(ith_pack_writer *w, const char *name, ith_layout layout,
                                 int64_t rows, int64_t cols, ith_codec codec, const ith_packed **t,
                                 ith_error *err);

/* The tensor's next n tiles. */
ith_status ith_pack_writer_tiles(ith_pack_writer *w, const ith_encoded *tiles, int64_t n,
                                 ith_error *err);

/* ITH_E_UNSUPPORTED: readers take no more blobs. */
ith_status ith_pack_writer_blob(ith_pack_writer *w, const char *name, const void *data,
                                size_t bytes, ith_error *err);

/* `index`: what the index holds beside tensors and blobs (hyperparameters, provenance); stays the
 * caller's. Every tensor that was begun must be complete. */
ith_status ith_pack_writer_finish(ith_pack_writer *w, const json_t *index, ith_error *err);

/* Completes the temporary file without renaming it: a pack that can be opened at *path, a string of
 * the writer's. Before anything else is written, or the pack is finished, close all readers and
 * unseal: that cuts off tables and index, so that more can follow. */
ith_status ith_pack_writer_seal(ith_pack_writer *w, const json_t *index, const char **path,
                                ith_error *err);
ith_status ith_pack_writer_unseal(ith_pack_writer *w, ith_error *err);

/* Bytes written so far; once finished, the length of the file. */
uint64_t ith_pack_writer_bytes(const ith_pack_writer *w);

void ith_pack_writer_close(ith_pack_writer *w); /* accepts NULL */

#endif
