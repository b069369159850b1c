/* peak_avx2.c - peaks of AVX2. */
#include "simd/avx2/peak_avx2.h"
#include "simd/prefetch.h"

static uint32_t integer(int64_t rounds)
{
    volatile char one = 1;
    const __m256i b = _mm256_set1_epi8(one), ones = _mm256_set1_epi16(one);
    __m256i acc[ITH_PEAK_SUMS], a = b;

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = _mm256_setzero_si256();
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 10
        for (int i = 0; i < ITH_PEAK_SUMS; i++) {
            __asm__ volatile("" : "+x"(a)); /* so that the product is computed every time */
            acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    return ith_peak_sum(acc);
}

uint32_t ith_peak_f32__avx2(int64_t rounds)
{
    volatile float one = 1;
    const __m256 a = _mm256_set1_ps(one), b = _mm256_set1_ps(one);
    __m256 acc[ITH_PEAK_SUMS];
    __m256d sum = _mm256_setzero_pd();
    double lanes[4];

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = _mm256_setzero_ps();
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 10
        for (int i = 0; i < ITH_PEAK_SUMS; i++)
            acc[i] = _mm256_fmadd_ps(a, b, acc[i]);
    for (int i = 0; i < ITH_PEAK_SUMS; i++) {
        sum = _mm256_add_pd(sum, _mm256_cvtps_pd(_mm256_castps256_ps128(acc[i])));
        sum = _mm256_add_pd(sum, _mm256_cvtps_pd(_mm256_extractf128_ps(acc[i], 1)));
    }
    _mm256_storeu_pd(lanes, sum);
    return (uint32_t)(uint64_t)((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]));
}

uint64_t ith_peak_read__avx2(const void *buf, size_t bytes)
{
    const uint8_t *p = buf;
    __m256i acc[8];
    uint64_t lanes[4];

    for (int j = 0; j < 8; j++)
        acc[j] = _mm256_setzero_si256();
    for (size_t i = 0; i < bytes; i += 256)
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) {
            if (j % 2 == 0)
                ith_fetch_l1(p + i + 32 * j + 4096);
            acc[j] = _mm256_add_epi64(acc[j], _mm256_load_si256((const __m256i *)(p + i + 32 * j)));
        }
    for (int j = 1; j < 8; j++)
        acc[0] = _mm256_add_epi64(acc[0], acc[j]);
    _mm256_storeu_si256((__m256i *)lanes, acc[0]);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

const ith_peaks ith_peaks__avx2 = {
    .name = "avx2",
    .integer = {"vpmaddubsw + vpmaddwd + vpaddd ymm", ITH_PEAK_SUMS * 32 * 2, integer},
    .f32 = {"vfmadd231ps ymm", ITH_PEAK_SUMS * 8 * 2, ith_peak_f32__avx2},
    .read = ith_peak_read__avx2,
};
