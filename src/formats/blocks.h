/* blocks.h - the blocks of GGML's quantized types, as numbers (ggml-common.h and ggml-quants.c of
 * llama.cpp define them).
 *
 * A block is 32 or 256 elements (ith_dtype_info). Their weights are
 *
 *   Q4_1, Q5_1   d * u + m                       Q2_K, Q4_K, Q5_K   d * s * u - m * t
 *   the others   d * s * value(u)
 *
 * IQ3_S has the form of Q5_K with m = 16 d and t = s, so that 16 stands for 0.
 *
 * with s and t of the element's run, which is 16 elements in Q2_K, Q3_K and Q6_K and 32 in the
 * other types; blocks of 32 have s = 1. MXFP4 has d = 2^(e - 128).
 */
#ifndef ITH_FORMATS_BLOCKS_H
#define ITH_FORMATS_BLOCKS_H

#include "formats/dtype.h"

enum { ITH_BLOCK_MAX = 256 };

typedef struct ith_block_numbers {
    uint8_t u[ITH_BLOCK_MAX]; /* below 64; Q8_0: q + 128 */
    int16_t s[16];            /* of each run */
    uint8_t t[16];
    uint16_t d, m; /* f16, m of types that have it; MXFP4: e and 0 */
} ith_block_numbers;

/* Reads a block of a quantized type. Any bytes are a block. */
void ith_block_read(ith_dtype dtype, const uint8_t *block, ith_block_numbers *out);

/* The weights of a block: exact, except that what has a minimum is rounded once. */
void ith_block_widen(ith_dtype dtype, const uint8_t *block, float *out);

#endif
