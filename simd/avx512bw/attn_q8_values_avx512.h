/* attn_q8_values_avx512.h - the last of the four stages of attention over the int8 cache: values.
 *
 * The including file defines CHANNEL_VECS and dot_weights() first (attn_q8_stages_avx512.h). */
#ifndef ITH_SIMD_AVX512BW_ATTN_Q8_VALUES_H
#define ITH_SIMD_AVX512BW_ATTN_Q8_VALUES_H

#include "simd/avx512bw/attn_q8_stages_avx512.h"

/* o += weights * values for `vecs` vectors of channels from channel c on. If `all`, every row sees
 * keys and the vectors are full; else `last` masks the last vector. */
ITH_INLINE void add_channels(const int rows, const int vecs, const bool all, const bool fetch,
                             const unit_q8 *w, int dp, int c, __mmask16 last)
{
    __m512i sum[QUAD][CHANNEL_VECS];
    dot_weights(rows, vecs, fetch, w->b->values + c * 4, dp * 4, w->u, sum,
                w->b->after_values + 64 * c);
    EACH_ROW
    {
        if (!all && !(w->alive >> (4 * r) & 1))
            continue;
        const __m512 unit = _mm512_set1_ps(w->unit[r]);
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            float *o = w->s->o[r] + c + 16 * v;
            const __mmask16 keep = !all && v == vecs - 1 ? last : 0xffff;
            const __m512 old = _mm512_maskz_loadu_ps(keep, o);
            _mm512_mask_storeu_ps(o, keep,
                                  _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][v]), unit, old));
        }
    }
}

/* Stage 4: o += weights * values. */
ITH_INLINE void add_values(const int rows, const bool fetch, const unit_q8 *w, int head_dim)
{
    const int dp = (head_dim + 15) / 16 * 16;
    for (int c = 0; c < head_dim; c += 16 * CHANNEL_VECS) {
        const int left = head_dim - c,
                  vecs = left > 16 * (CHANNEL_VECS - 1) ? CHANNEL_VECS : (left + 15) / 16;
        const __mmask16 last = first_lanes(left - 16 * (vecs - 1));
        if (vecs == CHANNEL_VECS)
            add_channels(rows, CHANNEL_VECS, false, fetch, w, dp, c, last);
        else if (CHANNEL_VECS == 4 && vecs == 3)
            add_channels(rows, CHANNEL_VECS - 1, false, fetch, w, dp, c, last);
        else if (CHANNEL_VECS == 4 && vecs == 2)
            add_channels(rows, CHANNEL_VECS / 2, false, fetch, w, dp, c, last);
        else
            add_channels(rows, 1, false, fetch, w, dp, c, last);
    }
}

/* Register tile i of the `tiles` tiles of almost equal size into which the channels are divided. */
ITH_INLINE void add_tile(const bool fetch, const unit_q8 *w, const int head_dim, const int tiles,
                         const int i)
{
    const int vecs = head_dim / 16, from = vecs * i / tiles, to = vecs * (i + 1) / tiles;
    if (i < tiles)
        add_channels(QUAD, to - from, true, fetch, w, head_dim, 16 * from, 0xffff);
}

/* Stage 4 for four rows that see all keys; head_dim is a constant multiple of 16, at most 256. In a
 * loop over the tiles gcc 12 would not know their sizes early enough to keep the sums in
 * registers. */
ITH_INLINE void add_values_full(const bool fetch, const unit_q8 *w, const int head_dim)
{
    const int tiles = (head_dim / 16 + CHANNEL_VECS - 1) / CHANNEL_VECS;
    add_tile(fetch, w, head_dim, tiles, 0);
    add_tile(fetch, w, head_dim, tiles, 1);
    add_tile(fetch, w, head_dim, tiles, 2);
    add_tile(fetch, w, head_dim, tiles, 3);
    add_tile(fetch, w, head_dim, tiles, 4);
    add_tile(fetch, w, head_dim, tiles, 5);
    add_tile(fetch, w, head_dim, tiles, 6);
    add_tile(fetch, w, head_dim, tiles, 7);
}

#endif
