/* peaks.h - loops that reach the peak rates of a core: ceilings that kernels are compared with.
 *
 * Each level of levels.inc has a set of them, made of the instructions that its kernels use. The
 * loops work on constants, so their results are known and a test can tell whether they do all the
 * work that they claim (tests/kernels/test_peaks.c). They run on any thread: a loop that needs what
 * ith_kernels.enter prepares prepares it itself.
 */
#ifndef ITH_SIMD_PEAKS_H
#define ITH_SIMD_PEAKS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ith_peak {
    const char *instruction; /* "vpdpbusd zmm" */
    int64_t ops;             /* of one round: two for a multiplication with its addition */

    /* Runs the rounds. Returns the number of multiplications done, modulo 2^32: rounds * ops /
     * 2. */
    uint32_t (*run)(int64_t rounds);
} ith_peak;

typedef struct ith_peaks {
    const char *name; /* of the level */
    ith_peak integer; /* 8-bit products, summed in 32 bits */
    ith_peak f32;     /* the count is exact up to 2^24 multiplications per lane */

    /* Reads `bytes`, a multiple of 512, from a 64-byte aligned buffer once, in order. Returns the
     * sum of the 64-bit words. */
    uint64_t (*read)(const void *buf, size_t bytes);
} ith_peaks;

/* The set of a level, which this CPU must support (ith_kernels_named). A name that is no level
 * gives the set of plain C. */
const ith_peaks *ith_peaks_named(const char *level);

/* Each is defined in the folder of its level. */
#define ITH_LEVEL(name, architecture, below, features) extern const ith_peaks ith_peaks__##name;
#include "simd/levels.inc"

#endif
