/* attn_q8_neon.c - attention over the int8 cache by multiplications to 16 bits (Armv8.0). */
#include "simd/neon/dots_neon.h"

#include "simd/neon/attn_q8_frame_neon.h"

void ith_attn_q8__neon(const ith_attn *a)
{
    attn_q8(a);
}
