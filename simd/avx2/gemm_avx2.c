/* gemm_avx2.c - quantized products by vpmaddubsw.
 *
 * vpmaddubsw adds the products of two unsigned bytes of weights with two quants to 16 bits. The
 * sums of a run are taken in two halves, neither of which leaves 16 bits: with 4 bits to a weight,
 * each is at most 4 * 2 * 15 * 127, so that even both together fit; with 5 bits,
 * 4 * 2 * 31 * 127 = 31,496; with 6 bits a run is half a group, and each is at most
 * 2 * 2 * 63 * 127 = 32,004. Bytes are taken as two nibbles: the halves then are of the low and the
 * high ones, at most 8 * 2 * 15 * 127 = 30,480, and the latter counts sixteen times.
 */
#include "simd/avx2/unpack_avx2.h"

#include "simd/maddubs.h"

enum { MAX_TOKENS = 4, EVEN_TOKENS = 2 };

/* The weights of step k of a run, for both halves. */
ITH_INLINE void load_halves(const ith_layout layout, const uint8_t *group, const int run,
                            const int k, __m256i *first, __m256i *second)
{
    if (is_bytes(layout)) {
        const __m256i u = stored_quad(layout, group, k);
        const __m256i bytes = layout == ITH_W8 ? u : look_up(layout, u);
        *first = shifted_bits(bytes, 0, 15);
        *second = shifted_bits(bytes, -4, 15);
        return;
    }
    *first = stored_quad(layout, group, first_quad(layout, run, k));
    *second = stored_quad(layout, group, second_quad(layout, run, k));
}

/* The sums of 32 bits from those of both halves. */
ITH_INLINE __m256i join_halves(const ith_layout layout, __m256i first, __m256i second)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const int bytes = ith_tile_forms[layout].quants;
    if (is_bytes(layout))
        return _mm256_add_epi32(_mm256_madd_epi16(first, ones),
                                _mm256_slli_epi32(_mm256_madd_epi16(second, ones), 4));
    if (bytes > 256) /* 5 and 6 bits */
        return _mm256_add_epi32(_mm256_madd_epi16(first, ones), _mm256_madd_epi16(second, ones));
    return _mm256_madd_epi16(_mm256_add_epi16(first, second), ones);
}

/* `group`: from the bytes of the eight rows on. */
ITH_INLINE void dot_run(const ith_layout layout, const int tokens, const int run,
                        const uint8_t *group, const int8_t *quants, int64_t stride,
                        __m256i dots[MAX_TOKENS])
{
    const int steps = is_bytes(layout) ? QUADS : 4 / ith_tile_forms[layout].runs;
    __m256i first_sum[MAX_TOKENS], second_sum[MAX_TOKENS];

    EACH_TOKEN first_sum[t] = second_sum[t] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int k = 0; k < steps; k++) {
        __m256i first, second;
        load_halves(layout, group, run, k, &first, &second);
        EACH_TOKEN
        {
            const int8_t *q = quants + t * stride;
            const __m256i a = broadcast_quad(q + 4 * first_quad(layout, run, k)),
                          b = broadcast_quad(q + 4 * second_quad(layout, run, k));
            first_sum[t] = _mm256_add_epi16(first_sum[t], _mm256_maddubs_epi16(first, a));
            second_sum[t] = _mm256_add_epi16(second_sum[t], _mm256_maddubs_epi16(second, b));
        }
    }
    EACH_TOKEN dots[t] =
        _mm256_add_epi32(dots[t], join_halves(layout, first_sum[t], second_sum[t]));
}

#include "simd/avx2/gemm_frame_avx2.h"

#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    void ith_gemm_##name##__avx2(int64_t n_tiles, int64_t n_tokens, const void *tiles,             \
                                 const ith_acts *acts, float *out, int64_t ld_out)                 \
    {                                                                                              \
        gemm(ITH_##constant, n_tiles, n_tokens, tiles, acts, out, ld_out);                         \
    }
#include "simd/layouts.inc"
