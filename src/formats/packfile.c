/* packfile.c - access to an open pack: its tensors, tiles and blobs. */
#include "formats/packfile_impl.h"

#include "base/checksum.h"

#include <stdlib.h>
#include <string.h>

/* Like PNG's: shows transfers that strip the eighth bit or convert line ends. */
const uint8_t ith_pack_magic[8] = {0x89, 'I', 'T', 'H', '\r', '\n', 0x1a, '\n'};
const char *const ith_codec_names[2] = {[ITH_CODEC_RAW] = "raw", [ITH_CODEC_ZSTD] = "zstd"};

bool ith_pack_probe(const ith_mapfile *file)
{
    return file->size >= sizeof ith_pack_magic &&
           memcmp(file->data, ith_pack_magic, sizeof ith_pack_magic) == 0;
}

void ith_pack_close(ith_packfile *pack)
{
    if (pack == NULL)
        return;
    json_decref(pack->index);
    free(pack->tensors);
    free(pack->by_name);
    free(pack->blobs);
    free(pack->sections);
    free(pack);
}

/* ---- Access ---- */

size_t ith_pack_n_tensors(const ith_packfile *pack)
{
    return pack->n_tensors;
}

const ith_packed *ith_pack_tensor(const ith_packfile *pack, size_t i)
{
    return &pack->tensors[i];
}

static int compare_name(const void *key, const void *item)
{
    return strcmp(key, (*(const ith_packed *const *)item)->name);
}

const ith_packed *ith_pack_find(const ith_packfile *pack, const char *name)
{
    const ith_packed **hit =
        bsearch(name, pack->by_name, pack->n_tensors, sizeof *pack->by_name, compare_name);
    return hit == NULL ? NULL : *hit;
}

const ith_mapfile *ith_pack_file(const ith_packfile *pack)
{
    return pack->file;
}

const json_t *ith_pack_index(const ith_packfile *pack)
{
    return pack->index;
}

ith_bytes ith_pack_blob(const ith_packfile *pack, const char *name)
{
    for (size_t i = 0; i < pack->n_blobs; i++)
        if (strcmp(pack->blobs[i].name, name) == 0)
            return pack->blobs[i].bytes;
    return (ith_bytes){NULL, 0};
}

ith_pack_tile ith_pack_tile_get(const ith_packed *t, int64_t tile)
{
    const uint8_t *at = t->table + (size_t)tile * ITH_PACK_ENTRY;
    ith_pack_tile entry;

    memcpy(&entry.offset, at, 8);
    memcpy(&entry.bytes, at + 8, 4);
    memcpy(&entry.checksum, at + 16, 8);
    return entry;
}

const uint8_t *ith_pack_in_place(const ith_packed *t)
{
    return t->codec == ITH_CODEC_RAW ? t->pack->file->data + t->offset : NULL;
}

const char *ith_packed_type(const ith_packed *t)
{
    return t->vector ? "f32" : ith_layout_name(t->layout);
}

bool ith_layout_is_old(ith_layout layout)
{
    return layout <= ITH_W4M || !ith_layout_is_quantized(layout);
}

bool ith_layout_named(const char *name, ith_layout *layout)
{
    for (int i = 0; i < ITH_LAYOUTS; i++)
        if (i != ITH_F32 && strcmp(ith_layout_name((ith_layout)i), name) == 0) {
            *layout = (ith_layout)i;
            return true;
        }
    return false;
}

/* ---- Checks ---- */

ith_status ith_pack_check(const ith_packed *t, int64_t tile, ith_error *err)
{
    ith_pack_tile entry = ith_pack_tile_get(t, tile);

    if (ith_checksum_differs(entry.checksum,
                             ith_checksum(t->pack->file->data + entry.offset, entry.bytes)))
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: damaged: tensor %s, tile %lld of %lld (%u bytes at %llu): its checksum "
            "differs",
            t->pack->file->path, t->name, (long long)tile, (long long)t->n_tiles, entry.bytes,
            (unsigned long long)entry.offset);
    return ITH_OK;
}

static bool is_zero(const uint8_t *at, uint64_t bytes)
{
    return bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, bytes - 1) == 0);
}

ith_status ith_pack_check_gaps(const ith_packfile *pack, ith_error *err)
{
    uint64_t end = 0;

    for (size_t i = 0; i <= pack->n_sections; i++) {
        uint64_t next = i < pack->n_sections ? pack->sections[i].offset : pack->file->size;
        if (!is_zero(pack->file->data + end, next - end))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: damaged: a byte between %llu and %llu, outside all sections, is "
                            "not 0",
                            pack->file->path, (unsigned long long)end, (unsigned long long)next);
        if (i < pack->n_sections)
            end = next + pack->sections[i].bytes;
    }
    return ITH_OK;
}
