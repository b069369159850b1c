/* emulated.c - the table of the level amx, made of kernels with emulated tiles. */
#include "tests/kernels/amx/emulated.h"

#include "simd/levels.h"
#include "tests/kernels/amx/emulated_tiles.h"

/* The kernels that simd/kernels.inc lists for the level: ten products, attention, leave. */
#define KERNELS 12
enum {
    LISTED = 0
#define ITH_KERNEL(field, level, function) +(ITH_LEVEL_##level == ITH_LEVEL_amx)
#define ITH_TRAIT(field, level, value)
#include "simd/kernels.inc"
};
_Static_assert(LISTED == KERNELS, "every kernel of the level has an emulation here");

const ith_kernels *ith_kernels_emulated(void)
{
    static ith_kernels table;
    const ith_kernels *below = ith_kernels_named("avx512");

    if (below == NULL)
        return NULL;
    table = *below;
    table.name = "amx, emulated";
    table.gemm[ITH_W8] = ith_gemm_w8__emulated;
    table.gemm[ITH_W4] = ith_gemm_w4__emulated;
    table.gemm[ITH_W4M] = ith_gemm_w4m__emulated;
    table.gemm[ITH_Q5_0] = ith_gemm_q5_0__emulated;
    table.gemm[ITH_Q5_1] = ith_gemm_q5_1__emulated;
    table.gemm[ITH_Q4_K] = ith_gemm_q4_k__emulated;
    table.gemm[ITH_Q5_K] = ith_gemm_q5_k__emulated;
    table.gemm[ITH_IQ4_NL] = ith_gemm_iq4_nl__emulated;
    table.gemm[ITH_IQ4_XS] = ith_gemm_iq4_xs__emulated;
    table.gemm[ITH_MXFP4] = ith_gemm_mxfp4__emulated;
    table.attn[ITH_KVL_Q8] = ith_attn_q8__emulated;
    return &table;
}
