/* attn_q8_dotprod.c - attention over the int8 cache by sdot and udot. */
#include "simd/dotprod/dots_dotprod.h"

#include "simd/neon/attn_q8_frame_neon.h"

void ith_attn_q8__dotprod(const ith_attn *a)
{
    attn_q8(a);
}
