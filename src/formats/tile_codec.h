/* tile_codec.h - compresses a tile: its planes (planes.h), each as a zstd frame or as is.
 *
 * A packed tile starts with a u32 per plane, its stored length; the planes follow. A length equal
 * to the plane's own means that it is stored as is.
 *
 * Only planes that shrink clearly are compressed: exponents of floats by two thirds, scales by a
 * quarter. Mantissas and most quants are noise, and what is stored as is costs nothing to read.
 */
#ifndef ITH_FORMATS_TILE_CODEC_H
#define ITH_FORMATS_TILE_CODEC_H

#include "formats/planes.h"
#include "formats/zframe.h"

/* Returns the bytes written to out[ith_tile_bytes], or 0 if the tile would not get shorter.
 * scratch[ith_tile_bytes]. */
size_t ith_tile_pack(ith_layout layout, size_t groups, ith_zframe *z, int level,
                     const uint8_t *tile, uint8_t *scratch, uint8_t *out);

/* Fills tile[ith_tile_bytes] from in[bytes]. False: damaged. Whatever the input, nothing is read or
 * written out of bounds. scratch[ith_tile_bytes]. */
bool ith_tile_unpack(ith_layout layout, size_t groups, ith_zframe *z, const uint8_t *in,
                     size_t bytes, uint8_t *scratch, uint8_t *tile);

#endif
