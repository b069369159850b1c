/* pack_write.c - writing a pack: tensors and blobs first, then tables, index and header. */
#include "formats/pack_write.h"

#include "base/checksum.h"
#include "base/newfile.h"
#include "formats/packfile_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file is written in whole, aligned huge pages, so that the page cache holds it in huge pages
 * (Linux 6.16, ext4) and a run maps them. */
enum { BLOCK = 2 << 20 };

struct ith_pack_writer {
    ith_newfile file;
    uint64_t end;   /* of what has been appended */
    uint8_t *block; /* [BLOCK] the last `end % BLOCK` bytes, not yet in the file */
    uint32_t features;
    json_t *tensors, *blobs;
    ith_packed now;  /* the tensor being written */
    int64_t written; /* its tiles */
    uint8_t *tables; /* of all tensors so far */
    size_t tables_bytes, tables_room;
    uint64_t tables_at; /* in the file; known at the end */
};

/* ---- Encoding ---- */

ith_encoded ith_pack_encode(ith_layout layout, size_t groups, ith_zframe *z, int level,
                            const uint8_t *tile, uint8_t *scratch, uint8_t *room)
{
    size_t bytes = level > 0 ? ith_tile_pack(layout, groups, z, level, tile, scratch, room) : 0;
    return bytes > 0 ? ith_pack_encode_bytes(room, bytes)
                     : ith_pack_encode_bytes(tile, ith_tile_bytes(layout, groups));
}

ith_encoded ith_pack_encode_bytes(const void *data, size_t bytes)
{
    return (ith_encoded){data, (uint32_t)bytes, ith_checksum(data, bytes)};
}

/* ---- The temporary file ---- */

static ith_status append(ith_pack_writer *w, const void *data, size_t bytes, ith_error *err)
{
    const uint8_t *from = data;

    while (bytes > 0) {
        size_t used = w->end % BLOCK, n = bytes < BLOCK - used ? bytes : BLOCK - used;
        if (from != NULL)
            memcpy(w->block + used, from, n);
        else
            memset(w->block + used, 0, n);
        w->end += n;
        bytes -= n;
        from = from == NULL ? NULL : from + n;
        if (w->end % BLOCK == 0)
            ITH_TRY(ith_newfile_write(&w->file, w->block, BLOCK, w->end - BLOCK, err));
    }
    return ITH_OK;
}

/* Zeros up to where the next section may begin. */
static ith_status align(ith_pack_writer *w, ith_error *err)
{
    return append(w, NULL, (ITH_PACK_ALIGN - w->end % ITH_PACK_ALIGN) % ITH_PACK_ALIGN, err);
}

static ith_status check_target(const char *path, bool force, ith_error *err)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return ITH_OK;
    if (!S_ISREG(info.st_mode))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s is not a regular file, so a pack cannot replace it", path);
    return force ? ITH_OK
                 : ith_fail(err, ITH_E_ARGUMENT, "%s exists already; --force replaces it", path);
}

ith_status ith_pack_writer_open(const char *path, bool force, ith_pack_writer **out, ith_error *err)
{
    ith_pack_writer *w = calloc(1, sizeof *w);
    ith_status status = ITH_OK;

    *out = NULL;
    if (w == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a writer", path);
    w->file.fd = -1;
    w->tensors = json_array();
    w->blobs = json_array();
    w->block = aligned_alloc(64, BLOCK);
    if (w->tensors == NULL || w->blobs == NULL || w->block == NULL)
        ITH_CHECK(ith_fail(err, ITH_E_MEMORY, "%s: no memory for a writer", path));
    ITH_CHECK(check_target(path, force, err));
    ITH_CHECK(ith_newfile_open(path, &w->file, err));
    w->file.fresh = !force;
    ITH_CHECK(append(w, NULL, ITH_PACK_HEADER, err));
    *out = w;
done:
    if (status != ITH_OK)
        ith_pack_writer_close(w);
    return status;
}

void ith_pack_writer_close(ith_pack_writer *w)
{
    if (w == NULL)
        return;
    ith_newfile_close(&w->file);
    json_decref(w->tensors);
    json_decref(w->blobs);
    free(w->block);
    free(w->tables);
    free(w);
}

/* ---- Tensors ---- */

static ith_status make_room(ith_pack_writer *w, size_t bytes, ith_error *err)
{
    size_t room = w->tables_room == 0 ? 1 << 16 : w->tables_room;
    uint8_t *grown;

    while (room < w->tables_bytes + bytes)
        room *= 2;
    if (room == w->tables_room)
        return ITH_OK;
    grown = realloc(w->tables, room);
    if (grown == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the tables of tiles", w->file.path);
    w->tables = grown;
    w->tables_room = room;
    return ITH_OK;
}

ith_status ith_pack_writer_begin(ith_pack_writer *w, const char *name, ith_layout layout,
                                 int64_t rows, int64_t cols, ith_codec codec, const ith_packed **t,
                                 ith_error *err)
{
    w->now = (ith_packed){.vector = cols == 0,
                          .layout = layout,
                          .rows = rows,
                          .cols = cols == 0 ? 1 : cols,
                          .codec = codec};
    if (strlen(name) >= sizeof w->now.name)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: tensor %s: a pack's names have fewer than %d bytes", w->file.path,
                        name, ITH_PACK_NAME);
    memcpy(w->now.name, name, strlen(name) + 1);
    ITH_TRY(ith_packed_size(&w->now, w->file.path, err));
    ITH_TRY(make_room(w, (size_t)w->now.n_tiles * ITH_PACK_ENTRY, err));
    ITH_TRY(align(w, err));
    w->now.offset = w->end;
    w->written = 0;
    if (codec == ITH_CODEC_ZSTD)
        w->features |= ITH_PACK_FEATURE_ZSTD;
    if (!w->now.vector && !ith_layout_is_old(layout))
        w->features |= ITH_PACK_FEATURE_BLOCKS;
    *t = &w->now;
    return ITH_OK;
}

static void add_entry(ith_pack_writer *w, const ith_encoded *tile, uint64_t offset)
{
    uint8_t *at = w->tables + w->tables_bytes;

    memset(at, 0, ITH_PACK_ENTRY);
    memcpy(at, &offset, 8);
    memcpy(at + 8, &tile->bytes, 4);
    memcpy(at + 16, &tile->checksum, 8);
    w->tables_bytes += ITH_PACK_ENTRY;
}

/* Adds the tensor to the index. Where the tables lie is known only at the end, so "table" counts
 * from the first table here. */
static ith_status end_tensor(ith_pack_writer *w, ith_error *err)
{
    const ith_packed *t = &w->now;
    size_t bytes = (size_t)t->n_tiles * ITH_PACK_ENTRY;
    json_t *shape = t->vector ? json_pack("[I]", (json_int_t)t->rows)
                              : json_pack("[I, I]", (json_int_t)t->rows, (json_int_t)t->cols);
    char checksum[17];

    ith_checksum_text(ith_checksum(w->tables + w->tables_bytes - bytes, bytes), checksum);
    if (json_array_append_new(
            w->tensors,
            json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:s}", "name", t->name, "layout",
                      t->vector ? "vector" : ith_layout_name(t->layout), "shape", shape, "codec",
                      ith_codec_names[t->codec], "offset", (json_int_t)t->offset, "bytes",
                      (json_int_t)(w->end - t->offset), "table",
                      (json_int_t)(w->tables_bytes - bytes), "table_xxh64", checksum)) != 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the index", w->file.path);
    return ITH_OK;
}

ith_status ith_pack_writer_tiles(ith_pack_writer *w, const ith_encoded *tiles, int64_t n,
                                 ith_error *err)
{
    assert(w->written + n <= w->now.n_tiles);
    for (int64_t i = 0; i < n; i++) {
        add_entry(w, &tiles[i], w->end);
        ITH_TRY(append(w, tiles[i].data, tiles[i].bytes, err));
    }
    w->written += n;
    return n > 0 && w->written == w->now.n_tiles ? end_tensor(w, err) : ITH_OK;
}

/* ---- Blobs ---- */

ith_status ith_pack_writer_blob(ith_pack_writer *w, const char *name, const void *data,
                                size_t bytes, ith_error *err)
{
    uint64_t offset;
    char checksum[17];

    if (json_array_size(w->blobs) >= ITH_PACK_BLOBS_MAX)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: no room for the blob \"%s\": a pack has at most %d (files of the "
                        "tokenizer, chat templates)",
                        w->file.path, name, ITH_PACK_BLOBS_MAX);
    ITH_TRY(align(w, err));
    offset = w->end;
    ith_checksum_text(ith_checksum(data, bytes), checksum);
    ITH_TRY(append(w, bytes > 0 ? data : "", bytes, err));
    if (json_array_append_new(w->blobs, json_pack("{s:s, s:I, s:I, s:s}", "name", name, "offset",
                                                  (json_int_t)offset, "bytes", (json_int_t)bytes,
                                                  "xxh64", checksum)) != 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the index", w->file.path);
    return ITH_OK;
}

/* ---- The end ---- */

static ith_status write_tables(ith_pack_writer *w, ith_error *err)
{
    ITH_TRY(align(w, err));
    w->tables_at = w->end;
    return append(w, w->tables, w->tables_bytes, err);
}

/* The list for the index, where "table" counts from the start of the file. NULL: no memory. */
static json_t *tensors_in_file(const ith_pack_writer *w)
{
    json_t *tensors = json_deep_copy(w->tensors), *item;
    size_t i;

    json_array_foreach (tensors, i, item) {
        json_t *table = json_object_get(item, "table");
        json_integer_set(table, json_integer_value(table) + (json_int_t)w->tables_at);
    }
    return tensors;
}

static ith_status write_index(ith_pack_writer *w, const json_t *index, ith_pack_header *h,
                              ith_error *err)
{
    json_t *root = json_copy((json_t *)(uintptr_t)index);
    char *text = NULL;
    ith_status status;

    if (json_object_set(root, "blobs", w->blobs) == 0 &&
        json_object_set_new(root, "tensors", tensors_in_file(w)) == 0)
        text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(root);
    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the index", w->file.path);
    h->index_offset = w->end;
    h->index_bytes = strlen(text);
    h->index_checksum = ith_checksum(text, h->index_bytes);
    status = append(w, text, h->index_bytes, err);
    free(text);
    return status;
}

static ith_status write_header(ith_pack_writer *w, ith_pack_header *h, ith_error *err)
{
    memcpy(h->magic, ith_pack_magic, sizeof h->magic);
    h->version = ITH_PACK_VERSION;
    h->features = w->features;
    h->file_bytes = w->end;
    h->checksum = ith_checksum(h, offsetof(ith_pack_header, checksum));
    ITH_TRY(ith_newfile_write(&w->file, w->block, w->end % BLOCK, w->end / BLOCK * BLOCK, err));
    return ith_newfile_write(&w->file, h, sizeof *h, 0, err);
}

static ith_status complete(ith_pack_writer *w, const json_t *index, ith_error *err)
{
    ith_pack_header header = {0};

    ITH_TRY(write_tables(w, err));
    ITH_TRY(write_index(w, index, &header, err));
    return write_header(w, &header, err);
}

ith_status ith_pack_writer_finish(ith_pack_writer *w, const json_t *index, ith_error *err)
{
    ITH_TRY(complete(w, index, err));
    return ith_newfile_publish(&w->file, true, err);
}

ith_status ith_pack_writer_seal(ith_pack_writer *w, const json_t *index, const char **path,
                                ith_error *err)
{
    *path = w->file.temporary;
    return complete(w, index, err);
}

ith_status ith_pack_writer_unseal(ith_pack_writer *w, ith_error *err)
{
    size_t used = w->tables_at % BLOCK;

    if (ftruncate(w->file.fd, (off_t)w->tables_at) != 0)
        return ith_fail(err, ITH_E_IO, "%s: truncating it to %llu bytes: %s", w->file.temporary,
                        (unsigned long long)w->tables_at, strerror(errno));
    for (size_t got = 0; got < used;) {
        ssize_t n =
            pread(w->file.fd, w->block + got, used - got, (off_t)(w->tables_at - used + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ith_fail(err, ITH_E_IO, "%s: reading what was written: %s", w->file.temporary,
                            n == 0 ? "it was truncated" : strerror(errno));
        got += (size_t)n;
    }
    w->end = w->tables_at;
    return ITH_OK;
}

uint64_t ith_pack_writer_bytes(const ith_pack_writer *w)
{
    return w->end;
}
