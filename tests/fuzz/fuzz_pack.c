/* fuzz_pack.c - a pack, in memory and as a file whose tiles are read through a reader, cached and
 * past the cache. An input that begins with "{" is the index of a pack that is there (pack_body.h).
 * The mutator damages a pack's index, its tables and tiles, or any byte, and then makes every
 * checksum again, because nothing behind a wrong one is reached. */
#include "tests/fuzz/pack_body.h"

enum { INDEX_ROOM = 1 << 16 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

/* The checksum of a section that lies in the file, in place of the one in the index. */
static void seal_section(json_t *object, const char *key, const uint8_t *data, size_t size,
                         int64_t offset, int64_t bytes)
{
    char text[17];

    if (offset < 0 || bytes < 0 || (size_t)offset > size || (size_t)bytes > size - (size_t)offset)
        return;
    ith_checksum_text(ith_checksum(data + offset, (size_t)bytes), text);
    json_object_set_new(object, key, json_string(text));
}

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* The checksums of the tiles that a table lists; returns the table's bytes. */
static int64_t seal_tiles(const json_t *tensor, uint8_t *data, size_t size)
{
    int64_t rows = json_integer_value(json_array_get(json_object_get(tensor, "shape"), 0)),
            n = json_array_size(json_object_get(tensor, "shape")) == 1 ? 1 : (rows + 15) / 16,
            table = number(tensor, "table");

    for (int64_t i = 0; i < n && i < 4096 && table >= 0; i++) {
        uint64_t offset, sum, at = (uint64_t)table + (uint64_t)i * ITH_PACK_ENTRY;
        uint32_t bytes;
        if (at > size || size - at < ITH_PACK_ENTRY)
            break;
        memcpy(&offset, data + at, 8);
        memcpy(&bytes, data + at + 8, 4);
        if (offset > size || bytes > size - offset)
            continue;
        sum = ith_checksum(data + offset, bytes);
        memcpy(data + at + 16, &sum, 8);
    }
    return n * ITH_PACK_ENTRY;
}

static void seal_index(json_t *index, uint8_t *data, size_t size)
{
    json_t *item;
    size_t i;

    json_array_foreach (json_object_get(index, "tensors"), i, item) {
        int64_t bytes = seal_tiles(item, data, size);
        seal_section(item, "table_xxh64", data, size, number(item, "table"), bytes);
    }
    json_array_foreach (json_object_get(index, "blobs"), i, item)
        seal_section(item, "xxh64", data, size, number(item, "offset"), number(item, "bytes"));
}

/* Writes `text` as the index at the end of the sections, sealed if it is JSON. */
static size_t put_index(uint8_t *data, size_t at, size_t size, size_t room, const char *text,
                        size_t len)
{
    json_t *index = json_loadb(text, len, 0, NULL);
    char *sealed = NULL;
    ith_pack_header h;

    seal_index(index, data, size);
    sealed = json_dumps(index, JSON_COMPACT);
    json_decref(index);
    if (sealed != NULL) {
        text = sealed;
        len = strlen(sealed);
    }
    if (len > room - at)
        len = room - at;
    memcpy(data + at, text, len);
    free(sealed);
    memcpy(&h, data, sizeof h);
    h.index_bytes = len;
    memcpy(data, &h, sizeof h);
    seal_pack(data, at + len);
    return at + len;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    ith_pack_header h;
    static uint8_t text[INDEX_ROOM];
    size_t len;

    if (size < sizeof h || data[0] == '{')
        return LLVMFuzzerMutate(data, size, room);
    memcpy(&h, data, sizeof h);
    if (h.index_offset > size || h.index_offset < sizeof h || size - h.index_offset > INDEX_ROOM)
        return LLVMFuzzerMutate(data, size, room);
    len = size - h.index_offset;
    memcpy(text, data + h.index_offset, len);
    if (seed % 4 == 0)
        LLVMFuzzerMutate(data, sizeof h, sizeof h);
    else if (seed % 4 == 1)
        LLVMFuzzerMutate(data + sizeof h, h.index_offset - sizeof h, h.index_offset - sizeof h);
    else
        len = LLVMFuzzerMutate(text, len, INDEX_ROOM);
    return put_index(data, h.index_offset, h.index_offset, room, (const char *)text, len);
}

/* ---- Tiles through readers ---- */

enum { TENSOR_MAX = 1 << 20 };

/* All tiles of a tensor at once are those that are read one by one, by another reader, and, if they
 * are not compressed, those that lie in the file. */
static void read_tensor(ith_pack_reader *reader, ith_pack_reader *other, const ith_packed *t)
{
    size_t bytes = (size_t)t->n_tiles * t->tile_bytes;
    uint8_t *all = malloc(bytes), *tile = malloc(t->tile_bytes);
    ith_error err = {0};
    bool good;

    fuzz_must(all != NULL && tile != NULL);
    good = fuzz_verdict(ith_pack_read(reader, t, 0, t->n_tiles, all, &err), &err);
    if (good && ith_pack_in_place(t) != NULL)
        fuzz_must(memcmp(all, ith_pack_in_place(t), bytes) == 0);
    for (int64_t i = 0; i < t->n_tiles; i++) {
        bool one = fuzz_verdict(ith_pack_read(other, t, i, 1, tile, &err), &err);
        fuzz_must(one || !good);
        if (good)
            fuzz_must(memcmp(all + (size_t)i * t->tile_bytes, tile, t->tile_bytes) == 0);
    }
    free(all);
    free(tile);
}

static void read_tiles(const char *path)
{
    ith_pack_reader *cached, *direct;
    const ith_packfile *pack;
    ith_source *source;
    ith_error err = {0};

    if (!fuzz_verdict(ith_source_open(path, 0, &source, &err), &err))
        return;
    pack = ith_source_pack(source);
    fuzz_must(pack != NULL);
    fuzz_must(ith_pack_reader_open(pack, ITH_CACHED, &cached, &err) == ITH_OK);
    fuzz_must(ith_pack_reader_open(pack, ITH_UNCACHED, &direct, &err) == ITH_OK);
    for (size_t i = 0; i < ith_pack_n_tensors(pack); i++) {
        const ith_packed *t = ith_pack_tensor(pack, i);
        if (t->tile_bytes <= TENSOR_MAX && t->n_tiles <= (int64_t)(TENSOR_MAX / t->tile_bytes))
            read_tensor(i % 2 ? direct : cached, i % 2 ? cached : direct, t);
    }
    ith_pack_reader_close(cached);
    ith_pack_reader_close(direct);
    ith_source_close(source);
}

/* ---- The input ---- */

/* The body with this index. */
static buffer with_index(const uint8_t *text, size_t len)
{
    const buffer *body = pack_body();
    size_t room = body->n + 2 * INDEX_ROOM;
    buffer file = {.data = calloc(room, 1)};
    ith_pack_header h;

    fuzz_must(file.data != NULL);
    memcpy(&h, body->data, sizeof h);
    memcpy(file.data, body->data, h.index_offset);
    file.n = put_index(file.data, h.index_offset, h.index_offset, room, (const char *)text, len);
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buffer file = {0};
    char path[128];

    if (size > 0 && data[0] == '{')
        file = with_index(data, size);
    else
        put(&file, size > 0 ? (const void *)data : "", size);
    seal_pack(file.data, file.n);
    snprintf(path, sizeof path, "%s/model.ith", fuzz_folder());
    folder_write(fuzz_folder(), "model.ith", file.data, file.n);
    if (file.n >= sizeof ith_pack_magic &&
        memcmp(file.data, ith_pack_magic, sizeof ith_pack_magic) == 0)
        read_tiles(path);
    fuzz_pack(file.data, file.n);
    free(file.data);
    return 0;
}
