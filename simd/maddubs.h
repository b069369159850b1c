/* maddubs.h - how vpmaddubsw takes the quants of a run in two halves, whatever the width of a
 * register (simd/avx2/gemm_avx2.c says why in two). Included behind an unpack header.
 */
#ifndef ITH_SIMD_MADDUBS_H
#define ITH_SIMD_MADDUBS_H

#include "simd/tile.h"

/* See gemm_frame_avx2.h and gemm_frame_avx512.h. */
#define ZERO_BITS(layout)                                                                          \
    ((layout) == ITH_Q6_K ? 2 : (layout) == ITH_Q5_0 ? 3 : (layout) == ITH_Q3_K ? 5 : 0)

/* Are the quants bytes, or made to bytes by a table? Their nibbles are the halves. */
ITH_INLINE bool is_bytes(const ith_layout layout)
{
    return layout == ITH_W8 || ith_tile_has_table(layout);
}

/* Step k of a run: the columns, in quads, of what is added to the first and the second half. */
ITH_INLINE int first_quad(const ith_layout layout, const int run, const int k)
{
    return ith_tile_forms[layout].runs == 2 ? 4 * run + k : k;
}
ITH_INLINE int second_quad(const ith_layout layout, const int run, const int k)
{
    return is_bytes(layout) ? k : first_quad(layout, run, k) + 4 / ith_tile_forms[layout].runs;
}

#endif
