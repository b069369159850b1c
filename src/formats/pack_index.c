/* pack_index.c - the index of a pack, one JSON object. Offsets and lengths in it are claims, which
 * are checked against the file. */
#include "base/checksum.h"
#include "base/range.h"
#include "formats/packfile_impl.h"
#include "simd/tile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_MAX = 1 << 30, DIM_MAX = 1 << 30 };

/* ---- Numbers ---- */

void ith_checksum_text(uint64_t checksum, char text[17])
{
    snprintf(text, 17, "%016llx", (unsigned long long)checksum);
}

/* False: not 16 hexadecimal digits. */
static bool read_checksum(const char *text, uint64_t *checksum)
{
    char *end;

    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *checksum = strtoull(text, &end, 16);
    return true;
}

ith_status ith_packed_size(ith_packed *t, const char *where, ith_error *err)
{
    size_t padded, bytes;

    t->groups = ((size_t)t->cols + ITH_GROUP - 1) / ITH_GROUP;
    t->n_tiles = t->vector ? 1 : (t->rows + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS;
    t->tile_bytes =
        t->vector ? (size_t)t->rows * sizeof(float) : ith_tile_bytes(t->layout, t->groups);
    if (!t->vector && t->cols % (ITH_GROUP * ith_tile_block(t->layout)) != 0 &&
        ith_tile_block(t->layout) > 1)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s: a row of %lld elements is not a whole number of %s blocks",
                        where, t->name, (long long)t->cols, ith_layout_name(t->layout));
    padded = t->groups * ITH_GROUP * ITH_TILE_ROWS * sizeof(float); /* no layout has more */
    if (padded > UINT32_MAX || t->tile_bytes > UINT32_MAX ||
        !ith_mul_size(t->tile_bytes, (size_t)t->n_tiles, &bytes))
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: its dimensions are too large", where,
                        t->name);
    return ITH_OK;
}

/* ---- Sections of the file ---- */

static ith_status need(const ith_packfile *pack, const json_t *object, const char *what,
                       const char *key, const char **out, ith_error *err)
{
    *out = json_string_value(json_object_get(object, key));
    if (*out == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: index: %s: \"%s\" should be a string",
                        pack->file->path, what, key);
    return ITH_OK;
}

static ith_status need_int(const ith_packfile *pack, const json_t *object, const char *what,
                           const char *key, int64_t min, int64_t max, int64_t *out, ith_error *err)
{
    const json_t *value = json_object_get(object, key);

    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < min || *out > max)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: index: %s: \"%s\" should be a whole number from %lld to %lld",
                        pack->file->path, what, key, (long long)min, (long long)max);
    return ITH_OK;
}

/* Adds a section after the header. check_sections looks for overlaps at the end. */
static ith_status add_section(ith_packfile *pack, const char *what, uint64_t offset, uint64_t bytes,
                              ith_error *err)
{
    if (offset < ITH_PACK_HEADER || offset > pack->file->size || bytes > pack->file->size - offset)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: index: %s takes %llu bytes at %llu, the file has %zu",
                        pack->file->path, what, (unsigned long long)bytes,
                        (unsigned long long)offset, pack->file->size);
    pack->sections[pack->n_sections++] = (ith_pack_section){offset, bytes, what};
    return ITH_OK;
}

static int compare_sections(const void *a, const void *b)
{
    const ith_pack_section *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static ith_status check_sections(ith_packfile *pack, ith_error *err)
{
    qsort(pack->sections, pack->n_sections, sizeof *pack->sections, compare_sections);
    for (size_t i = 1; i < pack->n_sections; i++) {
        const ith_pack_section *before = &pack->sections[i - 1], *e = &pack->sections[i];
        if (e->offset - before->offset < before->bytes)
            return ith_fail(err, ITH_E_FORMAT, "%s: index: %s and %s overlap", pack->file->path,
                            before->what, e->what);
    }
    return ITH_OK;
}

/* Reads a section whose checksum the index holds: a blob or a table of tiles. */
static ith_status read_section(ith_packfile *pack, const json_t *object, const char *what,
                               const char *offset_key, const char *checksum_key, int64_t bytes,
                               const uint8_t **at, ith_error *err)
{
    const char *text;
    int64_t offset;
    uint64_t checksum;

    ITH_TRY(need_int(pack, object, what, offset_key, 0, INT64_MAX, &offset, err));
    ITH_TRY(need(pack, object, what, checksum_key, &text, err));
    ITH_TRY(add_section(pack, what, (uint64_t)offset, (uint64_t)bytes, err));
    *at = pack->file->data + offset;
    if (!read_checksum(text, &checksum) ||
        ith_checksum_differs(checksum, ith_checksum(*at, (size_t)bytes)))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: the checksum of %s%s differs",
                        pack->file->path,
                        strcmp(offset_key, "table") == 0 ? "the tile table of " : "", what);
    return ITH_OK;
}

/* ---- Tensors ---- */

static ith_status read_name(const ith_packfile *pack, const json_t *item, char name[ITH_PACK_NAME],
                            ith_error *err)
{
    const char *text;

    ITH_TRY(need(pack, item, "a tensor", "name", &text, err));
    if (text[0] == '\0' || strlen(text) >= ITH_PACK_NAME)
        return ith_fail(err, ITH_E_FORMAT, "%s: index: a tensor's name of %zu bytes",
                        pack->file->path, strlen(text));
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: index: a tensor's name that is not printable ASCII",
                            pack->file->path);
    memcpy(name, text, strlen(text) + 1);
    return ITH_OK;
}

static ith_status read_shape(const ith_packfile *pack, const json_t *item, ith_packed *t,
                             ith_error *err)
{
    const json_t *shape = json_object_get(item, "shape");
    size_t n = json_array_size(shape);
    const char *layout;

    ITH_TRY(need(pack, item, t->name, "layout", &layout, err));
    t->vector = strcmp(layout, "vector") == 0;
    if (!t->vector && !ith_layout_named(layout, &t->layout))
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: tensor %s has the unknown layout \"%s\"",
                        pack->file->path, t->name, layout);
    if (!t->vector && !ith_layout_is_old(t->layout) &&
        !(pack->header.features & ITH_PACK_FEATURE_BLOCKS))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s has the layout \"%s\", which needs feature bit 1",
                        pack->file->path, t->name, layout);
    t->rows = json_integer_value(json_array_get(shape, 0));
    t->cols = t->vector ? 1 : json_integer_value(json_array_get(shape, 1));
    if (n != (t->vector ? 1 : 2) || t->rows < 1 || t->cols < 1 || t->rows > DIM_MAX ||
        t->cols > DIM_MAX)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s: \"shape\" should be %s of positive numbers below 2^30",
                        pack->file->path, t->name, t->vector ? "one" : "two");
    return ith_packed_size(t, pack->file->path, err);
}

static ith_status read_codec(const ith_packfile *pack, const json_t *item, ith_packed *t,
                             ith_error *err)
{
    const char *codec;

    ITH_TRY(need(pack, item, t->name, "codec", &codec, err));
    for (int i = 0; i < 2; i++)
        if (strcmp(codec, ith_codec_names[i]) == 0) {
            t->codec = (ith_codec)i;
            return !t->vector || i == ITH_CODEC_RAW
                       ? ITH_OK
                       : ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: a vector is never compressed",
                                  pack->file->path, t->name);
        }
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: tensor %s has the unknown codec \"%s\"",
                    pack->file->path, t->name, codec);
}

/* Tiles must follow each other without gaps and fill the tensor's section; none may be longer than
 * its layout says. */
static ith_status check_table(const ith_packfile *pack, const ith_packed *t, ith_error *err)
{
    uint64_t end = t->offset;

    for (int64_t i = 0; i < t->n_tiles; i++) {
        ith_pack_tile tile = ith_pack_tile_get(t, i);
        uint32_t spare;
        memcpy(&spare, t->table + (size_t)i * ITH_PACK_ENTRY + 12, 4);
        if (tile.offset != end || tile.bytes == 0 || tile.bytes > t->tile_bytes || spare != 0 ||
            (t->codec == ITH_CODEC_RAW && tile.bytes != t->tile_bytes))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: tensor %s: tile %lld has %u bytes at %llu, expected %s%zu at %llu",
                            pack->file->path, t->name, (long long)i, tile.bytes,
                            (unsigned long long)tile.offset,
                            t->codec == ITH_CODEC_RAW ? "" : "1 to ", t->tile_bytes,
                            (unsigned long long)end);
        end += tile.bytes; /* cannot overflow: less than 2^32 times fewer than 2^30 tiles */
    }
    if (end - t->offset != t->bytes)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s: its tiles have %llu bytes together, \"bytes\" says %llu",
                        pack->file->path, t->name, (unsigned long long)(end - t->offset),
                        (unsigned long long)t->bytes);
    return ITH_OK;
}

static ith_status read_tensor(ith_packfile *pack, const json_t *item, ith_packed *t, ith_error *err)
{
    int64_t offset, bytes;

    t->pack = pack;
    ITH_TRY(read_name(pack, item, t->name, err));
    ITH_TRY(read_shape(pack, item, t, err));
    ITH_TRY(read_codec(pack, item, t, err));
    ITH_TRY(need_int(pack, item, t->name, "offset", 0, INT64_MAX, &offset, err));
    ITH_TRY(need_int(pack, item, t->name, "bytes", 1, INT64_MAX, &bytes, err));
    if (offset % ITH_PACK_ALIGN != 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s starts at %lld, not a multiple of %d",
                        pack->file->path, t->name, (long long)offset, ITH_PACK_ALIGN);
    t->offset = (uint64_t)offset;
    t->bytes = (uint64_t)bytes;
    ITH_TRY(add_section(pack, t->name, t->offset, t->bytes, err));
    ITH_TRY(read_section(pack, item, t->name, "table", "table_xxh64", t->n_tiles * ITH_PACK_ENTRY,
                         &t->table, err));
    return check_table(pack, t, err);
}

static ith_status read_blob(ith_packfile *pack, const json_t *item, ith_pack_blob_entry *blob,
                            ith_error *err)
{
    const uint8_t *at;
    int64_t bytes;

    ITH_TRY(need(pack, item, "a blob", "name", &blob->name, err));
    if (ith_pack_blob(pack, blob->name).data != NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: index: the blob \"%s\" occurs twice",
                        pack->file->path, blob->name);
    ITH_TRY(need_int(pack, item, blob->name, "bytes", 0, INT64_MAX, &bytes, err));
    ITH_TRY(read_section(pack, item, blob->name, "offset", "xxh64", bytes, &at, err));
    blob->bytes = (ith_bytes){(const char *)at, (size_t)bytes};
    return ITH_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const ith_packed *const *)a)->name, (*(const ith_packed *const *)b)->name);
}

static ith_status sort_names(ith_packfile *pack, ith_error *err)
{
    for (size_t i = 0; i < pack->n_tensors; i++)
        pack->by_name[i] = &pack->tensors[i];
    qsort(pack->by_name, pack->n_tensors, sizeof *pack->by_name, compare_names);
    for (size_t i = 1; i < pack->n_tensors; i++)
        if (strcmp(pack->by_name[i - 1]->name, pack->by_name[i]->name) == 0)
            return ith_fail(err, ITH_E_FORMAT, "%s: index: tensor %s occurs twice",
                            pack->file->path, pack->by_name[i]->name);
    return ITH_OK;
}

/* ---- The whole ---- */

static ith_status parse(ith_packfile *pack, ith_error *err)
{
    const ith_mapfile *file = pack->file;
    const ith_pack_header *h = &pack->header;

    if (h->index_offset < ITH_PACK_HEADER || h->index_offset > file->size ||
        h->index_bytes > file->size - h->index_offset || h->index_bytes > INDEX_MAX)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the index takes %llu bytes at %llu, the file has %zu", file->path,
                        (unsigned long long)h->index_bytes, (unsigned long long)h->index_offset,
                        file->size);
    if (ith_checksum_differs(h->index_checksum,
                             ith_checksum(file->data + h->index_offset, h->index_bytes)))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: the index's checksum differs", file->path);
    return ith_json_parse((const char *)file->data + h->index_offset, h->index_bytes, file->path,
                          &pack->index, err);
}

static ith_status list_sections(ith_packfile *pack, ith_error *err)
{
    const json_t *tensors = json_object_get(pack->index, "tensors"),
                 *blobs = json_object_get(pack->index, "blobs");
    size_t n = json_array_size(tensors), n_blobs = json_array_size(blobs);

    if (n == 0 || !json_is_array(blobs))
        return ith_fail(err, ITH_E_FORMAT, "%s: index: \"tensors\" and \"blobs\" should be lists",
                        pack->file->path);
    if (n_blobs > ITH_PACK_BLOBS_MAX)
        return ith_fail(err, ITH_E_FORMAT, "%s: index: %zu blobs, expected at most %d",
                        pack->file->path, n_blobs, ITH_PACK_BLOBS_MAX);
    pack->tensors = calloc(n, sizeof *pack->tensors);
    pack->by_name = calloc(n, sizeof *pack->by_name);
    pack->blobs = calloc(n_blobs + 1, sizeof *pack->blobs);
    pack->sections = calloc(2 * n + n_blobs + 2, sizeof *pack->sections);
    if (pack->tensors == NULL || pack->by_name == NULL || pack->blobs == NULL ||
        pack->sections == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a list of %zu tensors",
                        pack->file->path, n);
    pack->sections[pack->n_sections++] = (ith_pack_section){0, ITH_PACK_HEADER, "the header"};
    ITH_TRY(
        add_section(pack, "the index", pack->header.index_offset, pack->header.index_bytes, err));
    for (; pack->n_tensors < n; pack->n_tensors++)
        ITH_TRY(read_tensor(pack, json_array_get(tensors, pack->n_tensors),
                            &pack->tensors[pack->n_tensors], err));
    for (; pack->n_blobs < n_blobs; pack->n_blobs++)
        ITH_TRY(read_blob(pack, json_array_get(blobs, pack->n_blobs), &pack->blobs[pack->n_blobs],
                          err));
    return ITH_OK;
}

ith_status ith_pack_read_index(ith_packfile *pack, ith_error *err)
{
    ITH_TRY(parse(pack, err));
    ITH_TRY(list_sections(pack, err));
    ITH_TRY(sort_names(pack, err));
    return check_sections(pack, err);
}
