/* pack_read.c - reading tiles with pread, for weights that are not used in the mapping. */
#include "formats/packfile_impl.h"

#include "base/checksum.h"
#include "formats/tile_codec.h"

#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 1 << 20 }; /* tiles are read together up to this; one may be longer */

struct ith_pack_reader {
    const ith_packfile *pack;
    ith_filereader *file;
    ith_zframe *z;
    uint8_t *scratch; /* for ith_tile_unpack */
    size_t scratch_room;
};

ith_status ith_pack_reader_open(const ith_packfile *pack, ith_caching caching,
                                ith_pack_reader **out, ith_error *err)
{
    ith_pack_reader *r = calloc(1, sizeof *r);
    ith_status status;

    *out = NULL;
    if (r == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a reader", pack->file->path);
    r->pack = pack;
    ITH_CHECK(ith_filereader_open(pack->file, caching, &r->file, err));
    ITH_CHECK(ith_zframe_open(&r->z, err));
    *out = r;
done:
    if (status != ITH_OK)
        ith_pack_reader_close(r);
    return status;
}

void ith_pack_reader_close(ith_pack_reader *reader)
{
    if (reader == NULL)
        return;
    ith_filereader_close(reader->file);
    ith_zframe_close(reader->z);
    free(reader->scratch);
    free(reader);
}

static bool make_scratch(ith_pack_reader *r, size_t bytes)
{
    if (r->scratch_room >= bytes)
        return true;
    free(r->scratch);
    r->scratch = malloc(bytes);
    r->scratch_room = r->scratch == NULL ? 0 : bytes;
    return r->scratch != NULL;
}

static ith_status at_tile(ith_status status, const ith_packed *t, int64_t tile, ith_error *err)
{
    if (status == ITH_OK)
        return status;
    return ith_fail_prefix(err, status, "%s: tensor %s, from tile %lld on", t->pack->file->path,
                           t->name, (long long)tile);
}

/* Verifies a stored tile and turns it into the tile. */
static ith_status unpack(ith_pack_reader *r, const ith_packed *t, int64_t tile,
                         const uint8_t *stored, ith_pack_tile entry, uint8_t *out, ith_error *err)
{
    if (ith_checksum_differs(entry.checksum, ith_checksum(stored, entry.bytes)))
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: damaged: tensor %s, tile %lld of %lld (%u bytes at %llu): its checksum differs",
            r->pack->file->path, t->name, (long long)tile, (long long)t->n_tiles, entry.bytes,
            (unsigned long long)entry.offset);
    if (entry.bytes == t->tile_bytes) {
        if (stored != out)
            memcpy(out, stored, t->tile_bytes);
        return ITH_OK;
    }
    if (!ith_tile_unpack(t->layout, t->groups, r->z, stored, entry.bytes, r->scratch, out))
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: damaged: tensor %s, tile %lld of %lld does not decompress to %zu bytes",
            r->pack->file->path, t->name, (long long)tile, (long long)t->n_tiles, t->tile_bytes);
    return ITH_OK;
}

static ith_status read_raw(ith_pack_reader *r, const ith_packed *t, int64_t first, int64_t n,
                           uint8_t *out, ith_error *err)
{
    uint64_t offset = ith_pack_tile_get(t, first).offset;

    ITH_TRY(at_tile(ith_filereader_copy(r->file, offset, (size_t)n * t->tile_bytes, out, err), t,
                    first, err));
    for (int64_t i = 0; i < n; i++) {
        uint8_t *tile = out + (size_t)i * t->tile_bytes;
        ITH_TRY(unpack(r, t, first + i, tile, ith_pack_tile_get(t, first + i), tile, err));
    }
    return ITH_OK;
}

/* How many of the n tiles from `first` on to read together; *bytes: their bytes in the file. */
static int64_t batch(const ith_packed *t, int64_t first, int64_t n, size_t *bytes)
{
    int64_t count = 0;

    *bytes = 0;
    while (count < n) {
        size_t next = ith_pack_tile_get(t, first + count).bytes;
        if (count > 0 && *bytes + next > READ_BYTES)
            break;
        *bytes += next;
        count++;
    }
    return count;
}

static ith_status read_compressed(ith_pack_reader *r, const ith_packed *t, int64_t first, int64_t n,
                                  uint8_t *out, ith_error *err)
{
    const uint8_t *stored;
    size_t bytes;

    for (int64_t count; n > 0; first += count, n -= count) {
        count = batch(t, first, n, &bytes);
        ITH_TRY(at_tile(
            ith_filereader_get(r->file, ith_pack_tile_get(t, first).offset, bytes, &stored, err), t,
            first, err));
        for (int64_t i = 0; i < count; i++, out += t->tile_bytes) {
            ith_pack_tile entry = ith_pack_tile_get(t, first + i);
            ITH_TRY(unpack(r, t, first + i, stored, entry, out, err));
            stored += entry.bytes;
        }
    }
    return ITH_OK;
}

ith_status ith_pack_read(ith_pack_reader *r, const ith_packed *t, int64_t first, int64_t n,
                         void *out, ith_error *err)
{
    if (n == 0)
        return ITH_OK;
    if (t->codec == ITH_CODEC_RAW)
        return read_raw(r, t, first, n, out, err);
    if (!make_scratch(r, t->tile_bytes))
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the tiles of tensor %s",
                        r->pack->file->path, t->name);
    return read_compressed(r, t, first, n, out, err);
}
