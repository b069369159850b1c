/* tile_codec.c - packing and unpacking a tile, plane by plane. */
#include "formats/tile_codec.h"

#include <string.h>

enum { WORTH = 16 }; /* a plane is compressed if that saves a 16th of it */

size_t ith_tile_pack(ith_layout layout, size_t groups, ith_zframe *z, int level,
                     const uint8_t *tile, uint8_t *scratch, uint8_t *out)
{
    size_t sizes[ITH_PLANES_MAX], room = ith_tile_bytes(layout, groups) - 1, used;
    int n = ith_planes_sizes(layout, groups, sizes);
    const uint8_t *plane = scratch;

    ith_planes_split(layout, groups, tile, scratch);
    used = (size_t)n * 4;
    for (int i = 0; i < n; i++) {
        size_t most = sizes[i] - sizes[i] / WORTH, stored;
        if (used >= room)
            return 0;
        stored = ith_zframe_pack(z, level, plane, sizes[i], out + used,
                                 most < room - used ? most : room - used);
        if (stored == 0) {
            stored = sizes[i];
            if (stored > room - used)
                return 0;
            memcpy(out + used, plane, stored);
        }
        memcpy(out + 4 * (size_t)i, &(uint32_t){(uint32_t)stored}, 4);
        used += stored;
        plane += sizes[i];
    }
    return used;
}

bool ith_tile_unpack(ith_layout layout, size_t groups, ith_zframe *z, const uint8_t *in,
                     size_t bytes, uint8_t *scratch, uint8_t *tile)
{
    size_t sizes[ITH_PLANES_MAX], at;
    const uint8_t *planes[ITH_PLANES_MAX];
    int n = ith_planes_sizes(layout, groups, sizes);

    at = (size_t)n * 4;
    if (bytes < at)
        return false;
    for (int i = 0; i < n; i++) {
        uint32_t stored;
        memcpy(&stored, in + 4 * (size_t)i, 4);
        if (stored > bytes - at)
            return false;
        planes[i] = stored == sizes[i] ? in + at : scratch;
        if (stored != sizes[i] && !ith_zframe_unpack(z, in + at, stored, scratch, sizes[i]))
            return false;
        at += stored;
        scratch += sizes[i];
    }
    if (at != bytes)
        return false;
    ith_planes_join(layout, groups, planes, tile);
    return true;
}
