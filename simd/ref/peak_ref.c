/* peak_ref.c - peaks of plain C, as compiled for the base instruction set. */
#include "simd/peaks.h"

enum { LANES = 32 };

static uint32_t integer(int64_t rounds)
{
    uint8_t a[LANES];
    int8_t b[LANES];
    uint32_t acc[LANES] = {0}, sum = 0;

    for (int i = 0; i < LANES; i++)
        a[i] = 1, b[i] = 1;
    for (int64_t r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+m"(a), "+m"(b)); /* hides the values from the compiler */
        for (int i = 0; i < LANES; i++)
            acc[i] += (uint32_t)(a[i] * b[i]);
    }
    for (int i = 0; i < LANES; i++)
        sum += acc[i];
    return sum;
}

static uint32_t f32(int64_t rounds)
{
    float a = 1, b = 1, acc[LANES] = {0};
    double sum = 0;

    for (int64_t r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+m"(a), "+m"(b));
        for (int i = 0; i < LANES; i++)
            acc[i] += a * b;
    }
    for (int i = 0; i < LANES; i++)
        sum += (double)acc[i];
    return (uint32_t)(uint64_t)sum;
}

static uint64_t read_words(const void *buf, size_t bytes)
{
    const uint64_t *words = buf;
    uint64_t lanes[8] = {0}, sum = 0;

    for (size_t i = 0; i < bytes / 8; i += 8)
        for (int j = 0; j < 8; j++)
            lanes[j] += words[i + (size_t)j];
    for (int j = 0; j < 8; j++)
        sum += lanes[j];
    return sum;
}

const ith_peaks ith_peaks__ref = {
    .name = "ref",
    .integer = {"C, by the compiler", 2 * LANES, integer},
    .f32 = {"C, by the compiler", 2 * LANES, f32},
    .read = read_words,
};
