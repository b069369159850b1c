/* gemm_avx512bw.c - quantized products by vpmaddubsw, whose sums of 16 bits never saturate
 * (simd/avx2/gemm_avx2.c says why). */
#include "simd/avx512bw/unpack_avx512.h"

#include "simd/maddubs.h"

enum {
    MAX_TOKENS = 4
}; /* 2 x 4 x 2 sums of 16 bits and 2 x 4 float accumulators of the 32 registers */

typedef __m512i dots_t[MAX_TILES][MAX_TOKENS];

/* The weights of step k of a run, for both halves. */
ITH_INLINE void load_halves(const ith_layout layout, const uint8_t *group, const int run,
                            const int k, __m512i *first, __m512i *second)
{
    if (is_bytes(layout)) {
        const __m512i u = stored_quad(layout, group, k), nibble = _mm512_set1_epi8(15);
        const __m512i bytes = layout == ITH_W8 ? u : look_up(layout, u);
        *first = _mm512_and_si512(bytes, nibble);
        *second = _mm512_and_si512(shift_bits(bytes, -4), nibble);
        return;
    }
    *first = stored_quad(layout, group, first_quad(layout, run, k));
    *second = stored_quad(layout, group, second_quad(layout, run, k));
}

/* The sums of 32 bits from those of both halves. */
ITH_INLINE __m512i join_halves(const ith_layout layout, __m512i first, __m512i second)
{
    const __m512i ones = _mm512_set1_epi16(1);
    const int bytes = ith_tile_forms[layout].quants;
    if (is_bytes(layout))
        return _mm512_add_epi32(_mm512_madd_epi16(first, ones),
                                _mm512_slli_epi32(_mm512_madd_epi16(second, ones), 4));
    if (bytes > 256) /* 5 and 6 bits */
        return _mm512_add_epi32(_mm512_madd_epi16(first, ones), _mm512_madd_epi16(second, ones));
    return _mm512_madd_epi16(_mm512_add_epi16(first, second), ones);
}

ITH_INLINE void dot_run(const ith_layout layout, const int tiles, const int tokens, const int run,
                        const uint8_t *weights, size_t tile_bytes, const int8_t *quants,
                        int64_t stride, dots_t dots)
{
    const int steps = is_bytes(layout) ? QUADS : 4 / ith_tile_forms[layout].runs;
    dots_t first_sum, second_sum;

    EACH_TILE EACH_TOKEN first_sum[i][t] = second_sum[i][t] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int k = 0; k < steps; k++) {
        __m512i first[MAX_TILES], second[MAX_TILES];
        EACH_TILE load_halves(layout, weights + i * tile_bytes, run, k, &first[i], &second[i]);
        EACH_TOKEN
        {
            const int8_t *q = quants + t * stride;
            const __m512i a = broadcast_quad(q + 4 * first_quad(layout, run, k)),
                          b = broadcast_quad(q + 4 * second_quad(layout, run, k));
            EACH_TILE first_sum[i][t] =
                _mm512_add_epi16(first_sum[i][t], _mm512_maddubs_epi16(first[i], a));
            EACH_TILE second_sum[i][t] =
                _mm512_add_epi16(second_sum[i][t], _mm512_maddubs_epi16(second[i], b));
        }
    }
    EACH_TILE EACH_TOKEN dots[i][t] =
        _mm512_add_epi32(dots[i][t], join_halves(layout, first_sum[i][t], second_sum[i][t]));
}

#include "simd/avx512bw/gemm_frame_avx512.h"

/* Pairs of tiles make twice the code. */
#define TILES_OF(layout) ((layout) <= ITH_W4M ? 2 : 1)

#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    void ith_gemm_##name##__avx512bw(int64_t n_tiles, int64_t n_tokens, const void *tiles,         \
                                     const ith_acts *acts, float *out, int64_t ld_out)             \
    {                                                                                              \
        gemm_direct(ITH_##constant, MAX_TOKENS, TILES_OF(ITH_##constant), n_tiles, n_tokens,       \
                    tiles, acts, out, ld_out);                                                     \
    }
#include "simd/layouts.inc"
