/* vnni_avx512.h - vpdpbusd on 512 bits. */
#ifndef ITH_SIMD_AVX512_VNNI_H
#define ITH_SIMD_AVX512_VNNI_H

#include "simd/avx512bw/vec_avx512.h"

/* *sum += a (unsigned bytes) x b (signed bytes), four neighbours to each lane. As an instruction and not an intrinsic:
 * gcc 12 copies the accumulators of loops to and fro, past the 32 registers, when the sum is a value. */
ITH_INLINE void add_dots(__m512i *sum, __m512i a, __m512i b)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

#endif
