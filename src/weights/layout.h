/* layout.h - tiles in the layouts that the kernels read (simd/kernels.h draws them), from rows of a
 * file and back.
 *
 * Quantized file types keep their bits: Q8_0 becomes w8, Q4_0 w4, Q4_1 w4m, IQ3_S q5_k, and the
 * others have a layout of their name. Floats become w8 or w4m with the least squared error that a
 * short search finds (fit.h).
 */
#ifndef ITH_WEIGHTS_LAYOUT_H
#define ITH_WEIGHTS_LAYOUT_H

#include "formats/source.h"
#include "simd/kernels.h"

/* The layout of a matrix. Quantized types and a pack's quantized layouts keep their own bits;
 * floats follow `quant` (those of a pack keep their layout under ITH_QUANT_AUTO). exact: ITH_F32
 * for all. sensitive: the embedding and the output matrix, whose errors reach every token's input
 * or every logit; floats of these are not taken below w8. */
ith_layout ith_layout_choose(const ith_tensor *tensor, ith_quant quant, bool sensitive, bool exact);

/* Packs a tile of 16 rows and 32 * groups columns.
 *
 *   rows        [16] the first byte of a row of `cols` elements of `dtype`; NULL past the end
 *   importance  [cols] weight of each column's squared error, finite and >= 0; NULL: all equal.
 *               Read only where floats are quantized
 *   tile        [ith_tile_bytes(layout, groups)], overwritten whole
 *
 * False: a float of the file, or a scale or minimum of its blocks, is NaN or infinite, or a float
 * is too large for the layout. */
bool ith_layout_pack_tile(ith_layout layout, int64_t groups, ith_dtype dtype, int64_t cols,
                          const float *importance, const uint8_t *const rows[16], uint8_t *tile);

/* Unpacks row `row` in [0, 16) of a tile into out[cols]. */
void ith_layout_unpack_row(ith_layout layout, int64_t groups, const uint8_t *tile, int row,
                           int64_t cols, float *out);

#endif
