/* emulated_gemm.c - the products of simd/amx with emulated tiles. */
#include "tests/kernels/amx/emulated_tiles.h"

#include "simd/amx/gemm_amx.c"
