/* emulated_attn.c - the attention of simd/amx with emulated tiles. */
#include "tests/kernels/amx/emulated_tiles.h"

#include "simd/amx/attn_q8_amx.c"
