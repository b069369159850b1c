/* kvfile.c - writing and reading files of keys and values, and of states. */
#include "keep/kvfile.h"

#include "base/checksum.h"
#include "base/mem.h"
#include "base/newfile.h"
#include "formats/zframe.h"
#include "state/kv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A layer is stored compressed if that makes it at most so large. */
enum { VERSION = 1, WORTH_IT_PERCENT = 97 };

enum { LATENT = 256, STATE = 512 }; /* in `layout` */

typedef enum codec { CODEC_RAW, CODEC_ZSTD } codec;

typedef struct header {
    char magic[8];
    uint32_t version, layout, n_layers, head_dim, head, n_tokens;
    uint8_t key[ITH_KEY_BYTES];
    uint64_t file_bytes;
    uint64_t checksum;
} header;

/* A line of the table. */
typedef struct stored {
    uint64_t checksum;
    uint32_t bytes, codec;
} stored;

_Static_assert(sizeof(header) == 64 && sizeof(stored) == 16, "as kvfile.h says");

static const char magic[8] = {'i', 't', 'h', 'a', 'c', 'a', 'k', 'v'};

struct ith_kvfile_buffer {
    ith_zframe *z;
    uint8_t *bytes, *frame; /* [room] a layer, and its stored form */
    size_t room;
    stored *table; /* [n_layers] of the file in hand */
    int n_layers;
};

ith_status ith_kvfile_buffer_open(ith_kvfile_buffer **out, ith_error *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to read saved KV data");
    return ith_zframe_open(&(*out)->z, err);
}

void ith_kvfile_buffer_close(ith_kvfile_buffer *buffer)
{
    if (buffer == NULL)
        return;
    ith_zframe_close(buffer->z);
    ith_mem_free(buffer->bytes);
    ith_mem_free(buffer->frame);
    free(buffer->table);
    free(buffer);
}

static ith_status make_room(ith_kvfile_buffer *b, size_t bytes, int n_layers, ith_error *err)
{
    if (b->room < bytes) {
        ith_mem_free(b->bytes);
        ith_mem_free(b->frame);
        b->bytes = b->frame = NULL;
        b->room = 0;
        ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, bytes, "saved KV data", (void **)&b->bytes, err));
        ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, bytes, "saved KV data", (void **)&b->frame, err));
        b->room = bytes;
    }
    if (b->n_layers < n_layers) {
        stored *table = realloc(b->table, (size_t)n_layers * sizeof *table);
        if (table == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory to read saved KV data of %d layers",
                            n_layers);
        b->table = table;
        b->n_layers = n_layers;
    }
    return ITH_OK;
}

size_t ith_kvfile_layer_bytes(const ith_kvfile_what *what, int n_tokens)
{
    size_t blocks = ((size_t)n_tokens + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK;

    if (what->state)
        return (size_t)what->head_dim * sizeof(float);
    return blocks * ith_cache_block_bytes(what->latent, what->layout, what->head_dim);
}

static size_t table_bytes(const ith_kvfile_what *what)
{
    return (size_t)what->n_layers * sizeof(stored);
}

static header header_of(const ith_kvfile_what *what)
{
    header h = {.version = VERSION,
                .layout =
                    what->state ? STATE : (uint32_t)what->layout + (what->latent ? LATENT : 0),
                .n_layers = (uint32_t)what->n_layers,
                .head_dim = (uint32_t)what->head_dim,
                .head = (uint32_t)what->head,
                .n_tokens = (uint32_t)what->n_tokens};
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.key, what->key.bytes, sizeof h.key);
    return h;
}

/* The checksum of the table and of the header, but for its own field. */
static uint64_t seal(header h, const stored *table)
{
    h.checksum = ith_checksum(table, (size_t)h.n_layers * sizeof *table);
    return ith_checksum(&h, sizeof h);
}

/* ---- Writing ---- */

/* zstd's level. int8 with scales does not compress, floats shrink by a quarter (bench/notes/kv.md).
 */
static int level_of(const ith_kvfile_what *what)
{
    return !what->state && what->layout == ITH_KVL_Q8 ? 0 : 1;
}

/* The stored form of a layer; *line describes it. */
static const void *encode(ith_kvfile_buffer *b, int level, const void *layer, size_t bytes,
                          stored *line)
{
    size_t packed = level > 0 ? ith_zframe_pack(b->z, level, layer, bytes, b->frame,
                                                bytes * WORTH_IT_PERCENT / 100)
                              : 0;
    const void *data = packed > 0 ? b->frame : layer;

    *line = (stored){.bytes = (uint32_t)(packed > 0 ? packed : bytes),
                     .codec = packed > 0 ? CODEC_ZSTD : CODEC_RAW};
    line->checksum = ith_checksum(data, line->bytes);
    return data;
}

static ith_status write_all(ith_newfile *file, const ith_kvfile_what *what,
                            const void *const *layers, ith_kvfile_buffer *b, ith_error *err)
{
    size_t bytes = ith_kvfile_layer_bytes(what, what->n_tokens);
    header h = header_of(what);
    uint64_t at = sizeof h + table_bytes(what);

    for (int i = 0; i < what->n_layers; i++) {
        const void *data = encode(b, level_of(what), layers[i], bytes, &b->table[i]);
        ITH_TRY(ith_newfile_write(file, data, b->table[i].bytes, at, err));
        at += b->table[i].bytes;
    }
    h.file_bytes = at;
    h.checksum = seal(h, b->table);
    ITH_TRY(ith_newfile_write(file, b->table, table_bytes(what), sizeof h, err));
    return ith_newfile_write(file, &h, sizeof h, 0, err);
}

ith_status ith_kvfile_write(int folder, const char *path, const ith_kvfile_what *what,
                            const void *const *layers, bool durable, ith_kvfile_buffer *buffer,
                            ith_error *err)
{
    ith_newfile file;
    ith_status status;

    ITH_TRY(make_room(buffer, ith_kvfile_layer_bytes(what, what->n_tokens), what->n_layers, err));
    ITH_TRY(ith_newfile_open_in(folder, path, &file, err));
    status = write_all(&file, what, layers, buffer, err);
    if (status == ITH_OK)
        status = ith_newfile_publish(&file, durable, err);
    ith_newfile_close(&file);
    return status;
}

/* ---- Reading ---- */

static ith_status read_at(int fd, const char *path, void *to, size_t bytes, uint64_t offset,
                          ith_error *err)
{
    char *at = to;

    while (bytes > 0) {
        ssize_t n = pread(fd, at, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
        if (n == 0)
            return ith_fail(err, ITH_E_FORMAT, "%s: truncated at byte %llu", path,
                            (unsigned long long)offset);
        at += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return ITH_OK;
}

/* Are the lines of the table possible, and do their bytes end where the file does? */
static bool table_fits(const header *h, const stored *table, size_t layer_bytes)
{
    uint64_t end = sizeof *h + (uint64_t)h->n_layers * sizeof *table;

    for (uint32_t i = 0; i < h->n_layers; i++) {
        bool possible = table[i].codec == CODEC_RAW ? table[i].bytes == layer_bytes
                        : table[i].codec == CODEC_ZSTD
                            ? table[i].bytes > 0 && table[i].bytes < layer_bytes
                            : false;
        if (!possible)
            return false;
        end += table[i].bytes;
    }
    return end == h->file_bytes;
}

static ith_status read_head(int fd, const char *path, const ith_kvfile_what *what,
                            ith_kvfile_buffer *b, ith_error *err)
{
    header h, expected = header_of(what);
    struct stat info;

    ITH_TRY(read_at(fd, path, &h, sizeof h, 0, err));
    expected.file_bytes = h.file_bytes;
    expected.checksum = h.checksum;
    if (memcmp(h.magic, magic, sizeof magic) != 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: not a file of saved keys and values or of a state",
                        path);
    if (memcmp(&h, &expected, sizeof h) != 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged, or not what its name says", path);
    ITH_TRY(read_at(fd, path, b->table, table_bytes(what), sizeof h, err));
    if (ith_checksum_differs(h.checksum, seal(expected, b->table)) ||
        !table_fits(&h, b->table, ith_kvfile_layer_bytes(what, what->n_tokens)))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: the checksum of its header differs", path);
    if (fstat(fd, &info) != 0 || (uint64_t)info.st_size != h.file_bytes)
        return ith_fail(err, ITH_E_FORMAT, "%s: %lld bytes long, expected %llu", path,
                        (long long)info.st_size, (unsigned long long)h.file_bytes);
    return ITH_OK;
}

static ith_status read_layer(int fd, const char *path, const stored *line, uint64_t offset,
                             size_t bytes, int layer, ith_kvfile_buffer *b, const uint8_t **out,
                             ith_error *err)
{
    ITH_TRY(read_at(fd, path, b->frame, line->bytes, offset, err));
    if (ith_checksum_differs(line->checksum, ith_checksum(b->frame, line->bytes)))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: the checksum of layer %d differs", path,
                        layer);
    *out = b->frame;
    if (line->codec == CODEC_RAW)
        return ITH_OK;
    *out = b->bytes;
    if (!ith_zframe_unpack(b->z, b->frame, line->bytes, b->bytes, bytes))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: layer %d does not decompress", path,
                        layer);
    return ITH_OK;
}

static ith_status read_all(int fd, const char *path, const ith_kvfile_what *what, int n_tokens,
                           void *const *layers, ith_kvfile_buffer *b, ith_error *err)
{
    size_t bytes = ith_kvfile_layer_bytes(what, what->n_tokens);
    uint64_t at = sizeof(header) + table_bytes(what);

    ITH_TRY(make_room(b, bytes, what->n_layers, err));
    ITH_TRY(read_head(fd, path, what, b, err));
    for (int i = 0; i < what->n_layers; i++) {
        const uint8_t *data = NULL;
        if (layers == NULL || layers[i] != NULL)
            ITH_TRY(read_layer(fd, path, &b->table[i], at, bytes, i, b, &data, err));
        if (data != NULL && layers != NULL)
            memcpy(layers[i], data, ith_kvfile_layer_bytes(what, n_tokens));
        at += b->table[i].bytes;
    }
    return ITH_OK;
}

ith_status ith_kvfile_read(int folder, const char *path, const ith_kvfile_what *what, int n_tokens,
                           void *const *layers, ith_kvfile_buffer *buffer, bool *missing,
                           ith_error *err)
{
    int fd;
    ith_status status = ith_regular_open(folder, path, O_RDONLY, &fd, err);

    *missing = fd < 0 && errno == ENOENT;
    if (status != ITH_OK)
        return status;
    status = read_all(fd, path, what, n_tokens, layers, buffer, err);
    close(fd);
    return status;
}
