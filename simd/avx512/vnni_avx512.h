/* vnni_avx512.h - vpdpbusd on 512 bits. */
#ifndef ITH_SIMD_AVX512_VNNI_H
#define ITH_SIMD_AVX512_VNNI_H

#include "simd/avx512bw/vec_avx512.h"

/* *sum += a (unsigned bytes) * b (signed bytes), four adjacent products to each lane. This is
 * inline assembly because with the intrinsic, whose sum is a value, gcc 12 copies the accumulators
 * of a loop back and forth and spills some of the 32 registers. */
ITH_INLINE void add_dots(__m512i *sum, __m512i a, __m512i b)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

#endif
