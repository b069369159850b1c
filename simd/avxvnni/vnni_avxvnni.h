/* vnni_avxvnni.h - vpdpbusd on 256 bits, in the encoding that does not need AVX-512. */
#ifndef ITH_SIMD_AVXVNNI_VNNI_H
#define ITH_SIMD_AVXVNNI_VNNI_H

#include "simd/avx2/vec_avx2.h"

/* *sum += a (unsigned bytes) * b (signed bytes), four adjacent products to each lane. This is
 * inline assembly because with the intrinsic, whose sum is a value, gcc 12 copies the accumulators
 * of a loop back and forth. */
ITH_INLINE void add_dots(__m256i *sum, __m256i a, __m256i b)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sum) : "x"(a), "x"(b));
}

#endif
