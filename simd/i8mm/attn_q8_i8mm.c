/* attn_q8_i8mm.c - attention over the int8 cache by usmmla, usdot and sudot. */
#include "simd/i8mm/dots_i8mm.h"

#include "simd/neon/attn_q8_frame_neon.h"

void ith_attn_q8__i8mm(const ith_attn *a)
{
    attn_q8(a);
}
