/* vnni_avxvnni.h - vpdpbusd on 256 bits, in the encoding that AVX-512 is not needed for. */
#ifndef ITH_SIMD_AVXVNNI_VNNI_H
#define ITH_SIMD_AVXVNNI_VNNI_H

#include "simd/avx2/vec_avx2.h"

/* *sum += a (unsigned bytes) x b (signed bytes), four neighbours to each lane. As an instruction and not an intrinsic:
 * gcc 12 copies the accumulators of loops to and fro when the sum is a value. */
ITH_INLINE void add_dots(__m256i *sum, __m256i a, __m256i b)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sum) : "x"(a), "x"(b));
}

#endif
