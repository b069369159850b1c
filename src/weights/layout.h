/* layout.h - from a file's rows to tiles in a compute layout (simd/kernels.h draws them), and back.
 *
 * Quantized file types become a layout without loss: Q8_0 -> w8, Q4_0 -> w4, Q4_1 -> w4m. Floats become w8 or w4m by the least
 * squared error that a short search finds (fit.h).
 */
#ifndef ITH_WEIGHTS_LAYOUT_H
#define ITH_WEIGHTS_LAYOUT_H

#include "formats/source.h"
#include "simd/kernels.h"

/* The layout that a matrix gets: quantized types and a pack's quantized layouts keep their own bits, floats follow `quant` (a pack's stay as they
 * are where it is ITH_QUANT_AUTO); `exact` makes everything ITH_F32. `sensitive`, the embedding and the output matrix: their errors reach every token's input or
 * every logit directly, so floats are never taken below w8. */
ith_layout ith_layout_choose(const ith_tensor *tensor, ith_quant quant, bool sensitive, bool exact);

/* Packs one tile. rows[r], r < 16: the first byte of a row of `cols` elements of `dtype`, or NULL past the end.
 * importance: [cols] weight of each column's squared error, finite and >= 0, or NULL: all equal; read only where floats are quantized.
 * tile: ith_tile_bytes(layout, groups), overwritten whole. False: a float to be quantized
 * is NaN or infinite (0 stands in its place). */
bool ith_layout_pack_tile(ith_layout layout, int64_t groups, ith_dtype dtype, int64_t cols, const float *importance,
                          const uint8_t *const rows[16], uint8_t *tile);

/* Row `row` (0..15) of a tile as cols floats. */
void ith_layout_unpack_row(ith_layout layout, int64_t groups, const uint8_t *tile, int row, int64_t cols, float *out);

#endif
