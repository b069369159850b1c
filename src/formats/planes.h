/* planes.h - splits a tile into planes, which compress well: each holds bytes of one kind.
 *
 *              plane 0            plane 1             plane 2            plane 3
 *   quantized  blocks             low bytes of d,     high bytes likewise
 *                                 then of m
 *   mxfp4      blocks             e
 *   bf16       sign and mantissa  exponents
 *   f32t       bits 0..7          bits 8..15          sign, bits 16..22  exponents
 *
 * Elements keep the tile's order. "Sign and mantissa" is the sign in bit 7 and the seven highest
 * bits of the mantissa: weights have few different exponents, everything else in them is noise.
 * Bytes that pad a tile to a multiple of 64 follow the last plane.
 */
#ifndef ITH_FORMATS_PLANES_H
#define ITH_FORMATS_PLANES_H

#include "simd/kernels.h"

enum { ITH_PLANES_MAX = 4 };

/* The number of planes of a layout, and the bytes of each: together ith_tile_bytes(layout,
 * groups). */
int ith_planes_sizes(ith_layout layout, size_t groups, size_t sizes[ITH_PLANES_MAX]);

/* From a tile to its planes, one after another in out[ith_tile_bytes]. */
void ith_planes_split(ith_layout layout, size_t groups, const uint8_t *tile, uint8_t *out);

/* The inverse; the planes may lie anywhere. */
void ith_planes_join(ith_layout layout, size_t groups, const uint8_t *const planes[ITH_PLANES_MAX],
                     uint8_t *tile);

#endif
