/* Reading tiles by pread: a failing disk is an error here, where a mapping would end the process; what is read once stays in no one's
 * address space; and several threads read at once. */
#include "formats/packfile_parts.h"

#include "base/checksum.h"
#include "formats/tile_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_MIN = 1 << 20 }; /* bytes of a read; a single longer tile has its own size */

struct ith_pack_reader {
    const ith_packfile *pack;
    int fd;
    ith_zframe *z;
    uint8_t *stored, *scratch; /* what was read; for ith_tile_unpack */
    size_t stored_room, scratch_room;
};

/* The mapping was made from a path, and so is the descriptor: a pack that was replaced in between is seen by its header. */
static ith_status open_same(ith_pack_reader *r, ith_error *err)
{
    const ith_mapfile *file = r->pack->file;
    uint8_t header[ITH_PACK_HEADER];

    r->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", file->path, strerror(errno));
    ssize_t n = pread(r->fd, header, sizeof header, 0);
    if (n < 0)
        return ith_fail(err, ITH_E_IO, "%s: reading its header: %s", file->path, strerror(errno));
    if (n != sizeof header || memcmp(header, file->data, sizeof header) != 0)
        return ith_fail(err, ITH_E_IO, "%s: the file was replaced while it was being opened", file->path);
    return ITH_OK;
}

ith_status ith_pack_reader_open(const ith_packfile *pack, ith_pack_reader **out, ith_error *err)
{
    ith_pack_reader *r = calloc(1, sizeof *r);
    ith_status status;

    *out = NULL;
    if (r == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a reader", pack->file->path);
    r->pack = pack;
    r->fd = -1;
    ITH_CHECK(open_same(r, err));
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
    if (reader->fd >= 0)
        close(reader->fd);
    ith_zframe_close(reader->z);
    free(reader->stored);
    free(reader->scratch);
    free(reader);
}

static bool grow(uint8_t **buffer, size_t *room, size_t bytes)
{
    if (*room >= bytes)
        return true;
    free(*buffer);
    *buffer = malloc(bytes);
    *room = *buffer == NULL ? 0 : bytes;
    return *buffer != NULL;
}

static ith_status read_exactly(ith_pack_reader *r, const ith_packed *t, int64_t tile, uint64_t offset, size_t bytes,
                               uint8_t *out, ith_error *err)
{
    while (bytes > 0) {
        ssize_t n = pread(r->fd, out, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ith_fail(err, ITH_E_IO, "%s: tensor %s, from tile %lld on: reading %zu bytes at %llu: %s",
                            r->pack->file->path, t->name, (long long)tile, bytes, (unsigned long long)offset,
                            strerror(errno));
        if (n == 0)
            return ith_fail(err, ITH_E_FORMAT, "%s: truncated: tensor %s, from tile %lld on: the file ends at %llu",
                            r->pack->file->path, t->name, (long long)tile, (unsigned long long)offset);
        out += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return ITH_OK;
}

/* From a stored tile to the tile. */
static ith_status unpack(ith_pack_reader *r, const ith_packed *t, int64_t tile, const uint8_t *stored,
                         ith_pack_tile entry, uint8_t *out, ith_error *err)
{
    if (ith_checksum(stored, entry.bytes) != entry.checksum)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: damaged: tensor %s, tile %lld of %lld (%u bytes at %llu): its checksum differs",
                        r->pack->file->path, t->name, (long long)tile, (long long)t->n_tiles, entry.bytes,
                        (unsigned long long)entry.offset);
    if (entry.bytes == t->tile_bytes) {
        if (stored != out)
            memcpy(out, stored, t->tile_bytes);
        return ITH_OK;
    }
    if (!ith_tile_unpack(t->layout, t->groups, r->z, stored, entry.bytes, r->scratch, out))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: tensor %s, tile %lld of %lld does not decompress to %zu bytes",
                        r->pack->file->path, t->name, (long long)tile, (long long)t->n_tiles, t->tile_bytes);
    return ITH_OK;
}

static ith_status read_raw(ith_pack_reader *r, const ith_packed *t, int64_t first, int64_t n, uint8_t *out,
                           ith_error *err)
{
    ITH_TRY(read_exactly(r, t, first, ith_pack_tile_get(t, first).offset, (size_t)n * t->tile_bytes, out, err));
    for (int64_t i = 0; i < n; i++) {
        uint8_t *tile = out + (size_t)i * t->tile_bytes;
        ITH_TRY(unpack(r, t, first + i, tile, ith_pack_tile_get(t, first + i), tile, err));
    }
    return ITH_OK;
}

/* How many tiles from `first` on, n at most, the buffer takes at once; their bytes. */
static int64_t batch(const ith_pack_reader *r, const ith_packed *t, int64_t first, int64_t n, size_t *bytes)
{
    int64_t count = 0;

    *bytes = 0;
    while (count < n) {
        size_t next = ith_pack_tile_get(t, first + count).bytes;
        if (count > 0 && *bytes + next > r->stored_room)
            break;
        *bytes += next;
        count++;
    }
    return count;
}

ith_status ith_pack_read(ith_pack_reader *r, const ith_packed *t, int64_t first, int64_t n, void *out, ith_error *err)
{
    uint8_t *to = out;

    if (t->codec == ITH_CODEC_RAW)
        return n == 0 ? ITH_OK : read_raw(r, t, first, n, to, err);
    if (!grow(&r->stored, &r->stored_room, t->tile_bytes > BUFFER_MIN ? t->tile_bytes : BUFFER_MIN) ||
        !grow(&r->scratch, &r->scratch_room, t->tile_bytes))
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the tiles of tensor %s", r->pack->file->path, t->name);
    while (n > 0) {
        size_t bytes;
        int64_t count = batch(r, t, first, n, &bytes);
        const uint8_t *stored = r->stored;
        ITH_TRY(read_exactly(r, t, first, ith_pack_tile_get(t, first).offset, bytes, r->stored, err));
        for (int64_t i = 0; i < count; i++, to += t->tile_bytes) {
            ith_pack_tile entry = ith_pack_tile_get(t, first + i);
            ITH_TRY(unpack(r, t, first + i, stored, entry, to, err));
            stored += entry.bytes;
        }
        first += count;
        n -= count;
    }
    return ITH_OK;
}
