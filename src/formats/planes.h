/* planes.h - a tile's bytes in an order that compresses: like beside like.
 *
 *   bf16        the low byte of every element, then the high byte (sign and most of the exponent: few different values)
 *   f32t        the same, four planes, lowest first
 *   w8, w4, w4m the quants as they are, then the f16 numbers (scales, minima) as two planes, low bytes first
 * Bytes that pad a tile up to a multiple of 64 stay at the end.
 */
#ifndef ITH_FORMATS_PLANES_H
#define ITH_FORMATS_PLANES_H

#include "simd/kernels.h"

/* Both go from in[bytes] to out[bytes], not overlapping; bytes = ith_tile_bytes(layout, groups). join undoes split. */
void ith_planes_split(ith_layout layout, size_t groups, const uint8_t *in, uint8_t *out);
void ith_planes_join(ith_layout layout, size_t groups, const uint8_t *in, uint8_t *out);

#endif
