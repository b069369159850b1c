/* tile_codec.h - a tile compressed: its planes (planes.h), each as a zstd frame or as it is.
 *
 *   u32 length of each plane as stored; then the planes. A length equal to the plane's own: as it is.
 *
 * Only planes that get clearly smaller are compressed: exponents of floats by two thirds, scales by a quarter. Mantissas and
 * most quants are noise, and what is stored as it is costs nothing to read.
 */
#ifndef ITH_FORMATS_TILE_CODEC_H
#define ITH_FORMATS_TILE_CODEC_H

#include "formats/planes.h"
#include "formats/zframe.h"

/* Bytes written to out[ith_tile_bytes], or 0 if the tile would not be shorter. scratch: ith_tile_bytes too. */
size_t ith_tile_pack(ith_layout layout, size_t groups, ith_zframe *z, int level,
                     const uint8_t *tile, uint8_t *scratch, uint8_t *out);

/* Fills tile[ith_tile_bytes] from in[bytes]. False: damaged; whatever it is given, nothing outside is touched. */
bool ith_tile_unpack(ith_layout layout, size_t groups, ith_zframe *z, const uint8_t *in,
                     size_t bytes, uint8_t *scratch, uint8_t *tile);

#endif
